"""Turns a file into sound: nothing of it is looked at but by a locked-in child, whose answer is checked as strictly.

Whatever happens to the child, an exception, a signal, silence, is a refusal (hardening row 36).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.core.clip_limits import LARGEST_BYTES
from firmware.core.confined.child import ChildFailed, Fault, ask, start_of
from firmware.core.errors import Invalid
from firmware.sound_files.kinds.facts import FASTEST_HZ, LONGEST_S, MOST_CHANNELS, SLOWEST_HZ

RATE_HZ = 48_000
BYTES_A_SECOND = 2 * RATE_HZ
# A little more than the longest clip: the decoder has its slack.
MOST_BYTES = int((LONGEST_S * 1.02 + 1) * BYTES_A_SECOND)
# The child also starts within this; it comes after everything else on the same processor.
PATIENCE_S = 120.0
FORMATS = ("au", "mp3", "opus", "vorbis", "wav")
_START = start_of("firmware.sound_files.child")
_LONGEST_SHOWN = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a file was, and the frames of sound (48 kHz, one channel) that came of it."""

    format: str
    encoding: str
    rate_hz: int
    channels: int
    frames: int

    @property
    def length_s(self) -> float:
        """How long it plays."""
        return self.frames / RATE_HZ


def decode(path: Path, shown_name: str, sink: Callable[[bytes], None], *, patience_s: float = PATIENCE_S) -> Decoded:
    """Decode a file into `sink`, piece by piece, as 16-bit little-endian samples; blocks for as long as that takes.

    Raises Invalid naming the file, what is wrong with it and the limit; and what the sink raises.
    """
    where = f"clip {shown(shown_name)}"
    sent = 0

    def take(piece: bytes) -> None:
        nonlocal sent
        sent += len(piece)
        if sent > MOST_BYTES:
            raise Invalid(where, f"decodes to more than {LONGEST_S:.0f} s")
        sink(piece)

    try:
        # Not blocking, or a pipe in the place of a file would be waited for.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Invalid(where, f"cannot be read ({error.strerror})") from None
    try:
        size = os.fstat(file).st_size
        if size > LARGEST_BYTES:
            raise Invalid(where, f"has {size} bytes; at most {LARGEST_BYTES} are supported")
        said = ask(_START, file, b"", patience_s=patience_s, sink=take)
    except ChildFailed as failed:
        raise Invalid(where, _FAILURES[failed.fault]) from None
    finally:
        os.close(file)
    return _judged(said, sent, where)


_FAILURES = {
    Fault.MISSING: "cannot be decoded: no decoder could be started",
    Fault.TIME: "takes too long to decode",
    Fault.CRASHED: "brings the decoder down",
    Fault.TOO_LONG: "cannot be decoded: the decoder gave no answer",
}


def shown(name: str) -> str:
    """A name as an error repeats it."""
    return repr(name if len(name) <= _LONGEST_SHOWN else name[: _LONGEST_SHOWN - 3] + "...")


def _judged(said: bytes, sent: int, where: str) -> Decoded:
    """The child's answer as a value: read as strictly as if the file itself had written it. Raises Invalid."""
    try:
        values: dict[str, Any] = json.loads(said)
        if "refused" in values:
            raise Invalid(where, str(values["refused"])[:300])
        found = Decoded(**values["clip"])
        if found.format not in FORMATS or not 0 < len(found.encoding) <= 64 or not found.encoding.isprintable():
            raise ValueError("no format")
        if not _within(found.rate_hz, SLOWEST_HZ, FASTEST_HZ) or not _within(found.channels, 1, MOST_CHANNELS):
            raise ValueError("no facts")
        if not _within(found.frames, 1, MOST_BYTES // 2) or found.frames * 2 != sent:
            raise ValueError("not what was sent")
        return found
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(where, "cannot be decoded: the decoder gave no answer") from None


def _within(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
