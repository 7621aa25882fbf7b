"""Ogg with Opus or Vorbis: pages are walked to the last, which says how long it is.

Reference: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg), Xiph.Org, Vorbis I specification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware.sound_files.kinds.facts import BadClip, Bytes, Facts, part

_FIRST, _LAST = 2, 4
_NOTHING_ENDS = -1
OPUS_HZ = 48_000


@dataclass(frozen=True, slots=True)
class _Page:
    """The header of a page; `granule` counts the frames up to its end, `body` is where its content is."""

    flags: int
    granule: int
    serial: int
    body: int
    end: int


def fits(data: Bytes) -> bool:
    """Whether it begins as Ogg."""
    return bytes(data[:4]) == b"OggS"


def read(data: Bytes) -> Facts:
    """What an Ogg file is. Raises BadClip."""
    first = page = _page(data, 0)
    frames = 0
    while page.end < len(data) and not page.flags & _LAST:
        page = _page(data, page.end)
        if page.serial != first.serial or page.flags & _FIRST:
            raise BadClip("holds more than one stream; one of sound is supported")
        if page.granule != _NOTHING_ENDS:
            if page.granule < frames:
                raise BadClip(f"says that it has {page.granule} frames after it had {frames}")
            frames = page.granule
    if page.end < len(data):
        raise BadClip(f"goes on after its last page (at byte {page.end} of {len(data)})")
    if not page.flags & _LAST:
        raise BadClip("ends before its sound does: it has no last page")
    head = bytes(data[first.body : min(first.end, first.body + 32)])
    if head.startswith(b"OpusHead"):
        return _opus(head, frames)
    if head.startswith(b"\x01vorbis"):
        return _vorbis(head, frames)
    if head.startswith(b"\x7fFLAC"):
        raise BadClip("is FLAC in Ogg; valid: opus, vorbis")
    raise BadClip(f"is Ogg with something unknown (it begins with {head[:8].hex(' ')}); valid: opus, vorbis")


def _page(data: Bytes, at: int) -> _Page:
    magic, version, flags, granule, serial, _, _, segments = struct.unpack("<4sBBqIIIB", part(data, at, 27, "a page"))
    if magic != b"OggS" or version != 0:
        raise BadClip(f"has no page of Ogg at byte {at}")
    body = at + 27 + segments
    end = body + sum(part(data, at + 27, segments, "a page"))
    if end > len(data):
        raise BadClip(f"has a page that ends at byte {end}; the file ends at {len(data)}")
    return _Page(flags, granule, serial, body, end)


def _opus(head: bytes, frames: int) -> Facts:
    if len(head) < 19:
        raise BadClip("ends within the header of Opus")
    version, channels, skip = struct.unpack("<BBH", head[8:12])
    if version >> 4:
        raise BadClip(f"is Opus of version {version}; 0 to 15 are supported")
    if head[18] != 0:
        raise BadClip(f"has Opus channels of family {head[18]}; mono and stereo (0) are supported")
    frames = max(0, frames - skip)
    return Facts(format="opus", encoding="Opus", rate_hz=OPUS_HZ, channels=channels, frames=frames)


def _vorbis(head: bytes, frames: int) -> Facts:
    if len(head) < 30:
        raise BadClip("ends within the header of Vorbis")
    version, channels, rate = struct.unpack("<IBI", head[7:16])
    if version != 0:
        raise BadClip(f"is Vorbis of version {version}; 0 is supported")
    return Facts(format="vorbis", encoding="Vorbis", rate_hz=rate, channels=channels, frames=frames)
