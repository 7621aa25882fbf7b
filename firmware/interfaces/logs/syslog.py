"""Log lines as syslog messages: RFC 3164 and RFC 5424, and how they are framed (RFC 5425, RFC 6587). Pure.

A message holds printable ASCII only, so that no name of a stranger can end it, begin another, or move a cursor.
"""

from __future__ import annotations

import json
from datetime import datetime

from firmware.core.vocabulary.logs import LogKind, LogLine
from firmware.interfaces.logs.settings import Format, Protocol

# Facilities: system daemons, security (private), log audit (RFC 5424, table 1).
FACILITIES = {LogKind.SYSTEM: 3, LogKind.ACCESS: 10, LogKind.AUDIT: 13}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
APP = "lintel"
# What every receiver takes: RFC 3164, 4.1; RFC 5424, 6.1.
LONGEST = {Format.RFC3164: 1024, Format.RFC5424: 2048}


def message(line: LogLine, form: Format, host: str) -> bytes:
    """One message without its frame; `host` is the device's name."""
    priority = FACILITIES[line.log] * 8 + line.severity
    fields = json.dumps(line.fields, separators=(",", ":"))
    if form is Format.RFC3164:
        at = datetime.fromisoformat(line.at)
        stamp = f"{MONTHS[at.month - 1]} {at.day:2d} {at:%H:%M:%S}"
        head = f"<{priority}>{stamp} {host} {APP}: "
    else:
        head = f"<{priority}>1 {line.at} {host} {APP} - {name_of(line.topic)} - "
    return printable(f"{head}{line.text} {fields}")[: LONGEST[form]]


def name_of(topic: str) -> str:
    """A topic as MSGID: 1 to 32 printable characters."""
    return topic.replace("/", ".")[:32] or "-"


def printable(text: str) -> bytes:
    """ASCII without control characters; what is neither becomes a question mark."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text).encode()


def framed(content: bytes, protocol: Protocol, form: Format) -> bytes:
    """A message on its way: as it is in a datagram, counted (octet-counting) or ended by a newline on a stream.

    TLS always counts (RFC 5425); the old format on plain TCP ends with a newline, as its receivers expect.
    """
    if protocol is Protocol.UDP:
        return content
    if protocol is Protocol.TCP and form is Format.RFC3164:
        return content + b"\n"
    return b"%d %s" % (len(content), content)
