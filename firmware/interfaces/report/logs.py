"""The device's logs as text files: one line each, with time, host, severity, topic and words.

The time is that on the wall where the device is, with its offset; what programs read elsewhere stays UTC.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.local_time import local
from firmware.core.values import decode
from firmware.core.vocabulary.logs import LogKind, LogLine, LogPage, Severity

PAGE = 1000
PAGES = 2
# Severities in the words of older logs, all of one width.
NAMES: Mapping[Severity, str] = {
    Severity.EMERGENCY: "EMERG",
    Severity.ALERT: "ALERT",
    Severity.CRITICAL: "CRIT",
    Severity.ERROR: "ERR",
    Severity.WARNING: "WARNING",
    Severity.NOTICE: "NOTICE",
    Severity.INFO: "INFO",
    Severity.DEBUG: "DEBUG",
}


async def read(core: Core, caller: Caller, log: LogKind, *, text: str = "", tail: int = PAGE * PAGES) -> str:
    """The newest `tail` lines of a log that hold `text`, the oldest first. Raises what the owner of the logs raises."""
    found: list[LogLine] = []
    while len(found) < min(tail, PAGE * PAGES):
        limit = min(PAGE, tail - len(found))
        wish = {"log": log.value, "limit": limit, "before": found[0].id if found else "", "text": text}
        page = decode(LogPage, await core.link.command("logs.read", wish, caller), where="logs.read")
        found[:0] = page.lines
        if not page.more:
            break
    host = socket.gethostname()
    return "".join(line_of(line, host, local(core.bus, datetime.fromisoformat(line.at))) for line in found)


def line_of(line: LogLine, host: str, at: datetime) -> str:
    """One line as older programs read it; `at` is its time there."""
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{stamp} {host} [ {NAMES[line.severity]:<7} ] {line.topic}: {line.text}\n"
