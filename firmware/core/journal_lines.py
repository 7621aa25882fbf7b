"""One line of the journal on disk: JSON with its own checksum, so that a torn or rotten line shows.

{"id":"b1-control-7","at":"...","topic":"door/released","op":"happened","cause":"b1-control-6",
 "fields":{"door":"door",...},"crc":"1c291ca3"}          (on one line; CRC-32 of all before `,"crc"`)
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

from firmware.core.errors import Invalid
from firmware.core.events import Notice
from firmware.core.values import decode, encode
from firmware.core.vocabulary.station import JournalLine

_TAIL = re.compile(rb',"crc":"([0-9a-f]{8})"}')
_TAIL_BYTES = 18
_HEAD = re.compile(rb'\{"id":"([^"\\]*)"')
_STAMP = ("id", "at", "cause")


def line_of(notice: Notice) -> JournalLine:
    """What the journal keeps of a notice."""
    event = notice.event
    fields = {name: value for name, value in encode(event).items() if name not in _STAMP}
    return JournalLine(
        id=event.id, at=event.at, topic=event.topic, operation=notice.operation, cause=event.cause, fields=fields
    )


def packed(line: JournalLine) -> bytes:
    """A line as it is written, with its newline; control characters in values are escaped by JSON."""
    values = {
        "id": line.id,
        "at": line.at.isoformat(),
        "topic": line.topic,
        "op": line.operation.value,
        "cause": line.cause,
        "fields": line.fields,
    }
    return sealed(values)


def sealed(values: Mapping[str, Any]) -> bytes:
    """An object on one line with its checksum, and a newline; it has at least one name."""
    body = json.dumps(values, separators=(",", ":")).encode()[:-1]
    return b'%s,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def unsealed(raw: bytes) -> dict[str, Any] | None:
    """The object, or None when the line is torn or changed."""
    if not sound(raw):
        return None
    try:
        values = json.loads(raw)
        del values["crc"]
    except (ValueError, KeyError, TypeError):
        return None
    return values if isinstance(values, dict) else None


def sound(raw: bytes) -> bool:
    """Whether a line (without its newline) is whole and unchanged."""
    tail = _TAIL.fullmatch(raw[-_TAIL_BYTES:])
    return tail is not None and int(tail[1], 16) == zlib.crc32(raw[:-_TAIL_BYTES])


def id_of(raw: bytes) -> str:
    """The id a packed line begins with; empty when it does not."""
    head = _HEAD.match(raw)
    return "" if head is None else head[1].decode(errors="replace")


def unpacked(raw: bytes) -> JournalLine | None:
    """The line, or None when it is torn, changed, or of another format."""
    values = unsealed(raw)
    if values is None:
        return None
    try:
        values["operation"] = values.pop("op")
        return decode(JournalLine, values, where="journal")
    except (ValueError, KeyError, TypeError, AttributeError, Invalid):
        return None
