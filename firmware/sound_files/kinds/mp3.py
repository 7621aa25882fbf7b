"""MP3: MPEG audio layer III, frame after frame, perhaps with tags around. Reference: ISO/IEC 11172-3, 13818-3; ID3v2.

Every frame is walked: the number of frames is counted, never believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.sound_files.kinds.facts import BadClip, Bytes, Facts

MOST_TAGS = 4
# Bit rates in kbit/s by their number in the header; 0 is a rate that is not said.
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# Version in the header: sampling rates, bit rates, samples of a frame.
_VERSIONS = {
    3: ((44_100, 48_000, 32_000), _RATES_1, 1152),
    2: ((22_050, 24_000, 16_000), _RATES_2, 576),
    0: ((11_025, 12_000, 8_000), _RATES_2, 576),
}
_LAYER_III = 1
_MONO = 3
# What may follow the last frame.
_ENDINGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The header of one frame; `size` in bytes with the header."""

    version: int
    rate_hz: int
    kbit_s: int
    channels: int
    samples: int
    size: int


def fits(data: Bytes) -> bool:
    """Whether it begins with a tag or a frame of MPEG audio, of whatever layer."""
    head = bytes(data[:3])
    return head == b"ID3" or (len(head) == 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0)


def read(data: Bytes) -> Facts:
    """What an MP3 file is. Raises BadClip."""
    start = at = _after_tags(data)
    first: _Frame | None = None
    lowest = highest = samples = 0
    while at + 4 <= len(data):
        frame = _frame(data, at)
        if frame is None:
            _check_end(data, at, first is not None)
            break
        if first is None:
            first, lowest, highest = frame, frame.kbit_s, frame.kbit_s
        elif (frame.version, frame.rate_hz, frame.channels) != (first.version, first.rate_hz, first.channels):
            raise BadClip(f"changes its sampling rate or its channels at byte {at}")
        lowest, highest = min(lowest, frame.kbit_s), max(highest, frame.kbit_s)
        if at + frame.size > len(data):
            break  # the last frame is cut: it does not sound
        samples += frame.samples
        at += frame.size
    if first is None:
        raise BadClip(f"is said to be mp3 and has no frame at byte {start}")
    rate = f"{lowest} kbit/s" if lowest == highest else f"{lowest} to {highest} kbit/s"
    return Facts(format="mp3", encoding=rate, rate_hz=first.rate_hz, channels=first.channels, frames=samples)


def _after_tags(data: Bytes) -> int:
    """Where the first frame is: behind the tags, whose sizes are believed only within the file. Raises BadClip."""
    at = 0
    for _ in range(MOST_TAGS):
        head = bytes(data[at : at + 10])
        if len(head) < 10 or head[:3] != b"ID3":
            break
        size = 0
        for each in head[6:10]:
            if each & 0x80:
                raise BadClip("has an ID3 tag whose size is none")
            size = size << 7 | each
        at += 10 + size + (10 if head[5] & 0x10 else 0)
        if at > len(data):
            raise BadClip(f"says that its ID3 tag ends at byte {at}; the file ends at {len(data)}")
    while at < len(data) and data[at] == 0:  # padding that a tag does not count
        at += 1
    return at


def _frame(data: Bytes, at: int) -> _Frame | None:
    """The frame at a place; None when there is none. Raises BadClip for one that is of no use here."""
    one, two, three, four = data[at : at + 4]
    version, layer = two >> 3 & 3, two >> 1 & 3
    if one != 0xFF or two & 0xE0 != 0xE0 or version not in _VERSIONS or layer == 0:
        return None
    if layer != _LAYER_III:
        raise BadClip(f"is MPEG audio of layer {4 - layer}; layer III is supported")
    rates, kbit_rates, samples = _VERSIONS[version]
    bit_rate, rate = three >> 4, three >> 2 & 3
    if bit_rate == 15 or rate == 3:
        return None
    if bit_rate == 0:
        raise BadClip("does not say its bit rate (free format); 8 to 320 kbit/s are supported")
    kbit_s, rate_hz = kbit_rates[bit_rate], rates[rate]
    size = samples // 8 * kbit_s * 1000 // rate_hz + (three >> 1 & 1)
    return _Frame(version, rate_hz, kbit_s, 1 if four >> 6 == _MONO else 2, samples, size)


def _check_end(data: Bytes, at: int, begun: bool) -> None:
    """What follows the frames is a tag or nothing. Raises BadClip."""
    if not begun:
        raise BadClip(f"is said to be mp3 and has no frame at byte {at}")
    rest = bytes(data[at : at + 16])
    if not rest.startswith(_ENDINGS) and any(rest):
        raise BadClip(f"has something that is no mp3 at byte {at} of {len(data)}")
