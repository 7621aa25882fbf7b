"""What a file of sound is, by its content alone: au, mp3, opus, vorbis, wav. Pure: bytes in, `Facts` or `BadClip` out.

Source: manual 000, "Problems with sound files". What it names is taken; PCM of 24 and 32 bits, floating point, A-law,
ADPCM, and mp3 below 64 kbit/s are taken besides.
"""

from __future__ import annotations

from firmware.sound_files.kinds import au, mp3, ogg, riff
from firmware.sound_files.kinds.facts import BadClip, Bytes, Facts, checked

# How other files begin that people may take for clips.
_OTHERS = {
    b"fLaC": "FLAC",
    b"FORM": "AIFF",
    b"RIFX": "big-endian WAV",
    b"RF64": "WAV of 64 bits",
    b"caff": "CAF",
    b"\x1aE\xdf\xa3": "Matroska",
    b"MThd": "MIDI",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzip",
    b"dns.": "little-endian AU",
}

__all__ = ["BadClip", "Facts", "inspect"]


def inspect(data: Bytes) -> Facts:
    """What a file is, within the limits. Raises BadClip with value and limit; reads no further than the bytes go."""
    if not len(data):
        raise BadClip("is empty")
    for fits, read in ((riff.fits, riff.read), (au.fits, au.read), (ogg.fits, ogg.read), (mp3.fits, mp3.read)):
        if fits(data):
            return checked(read(data))
    begin = bytes(data[:12])
    if begin[4:8] == b"ftyp":
        raise _other("MP4 or AAC")
    for magic, name in _OTHERS.items():
        if begin.startswith(magic):
            raise _other(name)
    raise BadClip(f"is no sound file (it begins with {begin[:8].hex(' ')}); valid: au, mp3, opus, vorbis, wav")


def _other(name: str) -> BadClip:
    return BadClip(f"is {name}; valid: au, mp3, opus, vorbis, wav")
