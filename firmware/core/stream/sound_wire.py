"""The wire of sound between media and network: one connection for each who listens or talks.

The network says in a line what it wants, media answers with a line that it begins, or why not. Then come blocks, each
with two bytes of length: G.711 mu-law, one channel. An empty block ends a talk, and media answers it with an empty one
when the last sample is out of the speaker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from firmware.core import errors
from firmware.core.link.channel import Channel

RATES_HZ = (8_000, 16_000)
LONGEST_LINE = 4096
# Small, so that whoever is broken off is broken off soon.
PIECE_BYTES = 400
END = b"\x00\x00"


class Way(StrEnum):
    """Listening to a microphone, or talking through a speaker."""

    HEAR = "hear"
    TALK = "talk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted; `port` is an input or output by name or alias, None the first. `rate_hz` is one of RATES_HZ."""

    way: Way
    rate_hz: int
    port: str | None = None

    def packed(self) -> bytes:
        """The line."""
        return json.dumps({"way": self.way.value, "rate_hz": self.rate_hz, "port": self.port}).encode() + b"\n"


def read_wish(line: bytes) -> Wish:
    """A wish. Raises Invalid."""
    try:
        raw = json.loads(line)
        wish = Wish(way=Way(raw["way"]), rate_hz=raw["rate_hz"], port=raw["port"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise errors.Invalid("sound", f"no such wish ({error!r})") from None
    if wish.rate_hz not in RATES_HZ or not isinstance(wish.port, str | None):
        raise errors.Invalid("sound", f"the rate is one of {RATES_HZ} Hz, the port a name")
    return wish


def refusal(error: errors.StationError) -> bytes:
    """The line that says why not."""
    known = error.code if error.code in _KINDS else errors.Unavailable.code
    return json.dumps({"error": known, "where": error.where[:100], "message": error.message[:300]}).encode() + b"\n"


_ERRORS = (errors.Busy, errors.NotFound, errors.Invalid, errors.Exhausted, errors.Unavailable)
_KINDS: dict[str, type[errors.StationError]] = {kind.code: kind for kind in _ERRORS}
BEGINS = b"{}\n"


def check_answer(line: bytes) -> None:
    """Raises what a refusal says."""
    try:
        raw = json.loads(line)
        kind = raw.get("error")
    except (ValueError, AttributeError) as error:
        raise errors.Unavailable("sound", f"media does not answer ({error})") from None
    if kind is not None:
        raise _KINDS.get(kind, errors.Unavailable)(str(raw.get("where", "sound")), str(raw.get("message", "")))


def block(data: bytes) -> bytes:
    """A block, not empty, as it goes over the wire."""
    return len(data).to_bytes(2, "big") + data


class Reader:
    """Takes lines and blocks off a channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._data = bytearray()

    async def line(self) -> bytes:
        """The next line; empty when the far end is gone. Raises Invalid for one that is too long."""
        while (end := self._data.find(b"\n")) < 0:
            if len(self._data) > LONGEST_LINE:
                raise errors.Invalid("sound", f"a line has at most {LONGEST_LINE} bytes")
            if not await self._more():
                return b""
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        return line

    async def block(self) -> bytes | None:
        """The next block, empty for the end of a talk; None when the far end is gone."""
        while (found := self._take()) is None:
            if not await self._more():
                return None
        return found

    def _take(self) -> bytes | None:
        if len(self._data) < 2:
            return None
        end = 2 + int.from_bytes(self._data[:2], "big")
        if len(self._data) < end:
            return None
        found = bytes(self._data[2:end])
        del self._data[:end]
        return found

    async def _more(self) -> bool:
        piece = await self._channel.receive()
        self._data += piece
        return bool(piece)


def pieces(data: bytes) -> Iterator[bytes]:
    """Any amount of sound in blocks."""
    for at in range(0, len(data), PIECE_BYTES):
        yield block(data[at : at + PIECE_BYTES])
