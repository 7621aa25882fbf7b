"""What is found out about a clip, and the limits it is held against."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TypeAlias

Bytes: TypeAlias = bytes | mmap.mmap

LONGEST_S = 600.0
# Manual 000, "Problems with sound files": 8 to 48 kHz, mono or stereo.
SLOWEST_HZ, FASTEST_HZ = 8_000, 48_000
MOST_CHANNELS = 2


class BadClip(Exception):
    """A file that is no clip; the message says what is wrong, with value and limit, and goes on from "the file"."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a clip says of itself: `format` au, mp3, opus, vorbis or wav; `encoding` in words; frames a second; frames.

    The frames of a compressed clip are the most it holds; an encoder's delay may be cut off.
    """

    format: str
    encoding: str
    rate_hz: int
    channels: int
    frames: int

    @property
    def length_s(self) -> float:
        """How long it plays."""
        return self.frames / self.rate_hz


def checked(facts: Facts) -> Facts:
    """The facts, when they are within the limits. Raises BadClip."""
    if not SLOWEST_HZ <= facts.rate_hz <= FASTEST_HZ:
        raise BadClip(f"is sampled with {facts.rate_hz} Hz; {SLOWEST_HZ} to {FASTEST_HZ} Hz are supported")
    if not 1 <= facts.channels <= MOST_CHANNELS:
        raise BadClip(f"has {facts.channels} channels; mono and stereo are supported")
    if facts.frames <= 0:
        raise BadClip("holds no sound")
    if facts.length_s > LONGEST_S:
        raise BadClip(f"is {facts.length_s:.0f} s long; at most {LONGEST_S:.0f} s are supported")
    return facts


def part(data: Bytes, start: int, length: int, what: str) -> bytes:
    """Some bytes of a file. Raises BadClip when it ends before."""
    found = bytes(data[start : start + length])
    if len(found) < length:
        raise BadClip(f"ends within {what} (at byte {len(data)})")
    return found
