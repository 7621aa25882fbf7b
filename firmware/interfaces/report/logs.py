"""The device's logs as text files: one line each, with time, host, severity, topic and words."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from firmware.core.actions import Caller
from firmware.core.context import Core
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
    return "".join(line_of(line, host) for line in found)


def line_of(line: LogLine, host: str) -> str:
    """One line as older programs read it."""
    return f"{line.at} {host} [ {NAMES[line.severity]:<7} ] {line.topic}: {line.text}\n"
