"""AU: a header of six big-endian words, then samples. Reference: Sun Microsystems, audio file format (audio(5))."""

from __future__ import annotations

import struct

from firmware.sound_files.kinds.facts import MOST_CHANNELS, BadClip, Bytes, Facts, part

_UNKNOWN = 0xFFFFFFFF
# Number of an encoding: its name, and the bytes of a sample.
_ENCODINGS = {
    1: ("mu-law", 1),
    2: ("PCM 8 bit", 1),
    3: ("PCM 16 bit", 2),
    4: ("PCM 24 bit", 3),
    5: ("PCM 32 bit", 4),
    6: ("float 32 bit", 4),
    7: ("float 64 bit", 8),
    27: ("A-law", 1),
}


def fits(data: Bytes) -> bool:
    """Whether it begins as AU."""
    return bytes(data[:4]) == b".snd"


def read(data: Bytes) -> Facts:
    """What an AU file is; one whose size nobody knew goes to its end. Raises BadClip."""
    offset, size, encoding, rate, channels = struct.unpack(">5I", part(data, 4, 20, "its header"))
    if not 24 <= offset <= len(data):
        raise BadClip(f"says that its sound begins at byte {offset}; 24 to {len(data)} are possible")
    left = len(data) - offset
    if size != _UNKNOWN and size > left:
        raise BadClip(f"says that it has {size} bytes of sound; {left} are there")
    if encoding not in _ENCODINGS:
        raise BadClip(f"is AU of encoding {encoding}; mu-law, A-law, PCM and float are supported")
    if not 1 <= channels <= MOST_CHANNELS:
        raise BadClip(f"has {channels} channels; mono and stereo are supported")
    name, width = _ENCODINGS[encoding]
    frames = (left if size == _UNKNOWN else size) // (width * channels)
    return Facts(format="au", encoding=name, rate_hz=rate, channels=channels, frames=frames)
