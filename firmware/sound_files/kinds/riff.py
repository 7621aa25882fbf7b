"""WAV: RIFF chunks, little-endian. Reference: Microsoft and IBM, Multimedia Programming Interface; RFC 2361 (tags)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware.sound_files.kinds.facts import MOST_CHANNELS, BadClip, Bytes, Facts, part

MOST_CHUNKS = 256
_PCM, _MS_ADPCM, _FLOAT, _A_LAW, _MU_LAW, _IMA_ADPCM, _EXTENSIBLE = 1, 2, 3, 6, 7, 0x11, 0xFFFE
# Which bits a sample may have, and what the encoding is called.
_PLAIN = {
    _PCM: ((8, 16, 24, 32), "PCM"),
    _FLOAT: ((32, 64), "float"),
    _A_LAW: ((8,), "A-law"),
    _MU_LAW: ((8,), "mu-law"),
}
# Bytes of a block that stand before its samples, and samples that the head itself holds, for each channel.
_BLOCKS = {_MS_ADPCM: (7, 2, "MS ADPCM"), _IMA_ADPCM: (4, 1, "IMA ADPCM")}


@dataclass(frozen=True, slots=True)
class _Format:
    """The chunk that says how samples are written; `samples` of a block where there are blocks."""

    tag: int
    channels: int
    rate_hz: int
    block: int
    bits: int
    samples: int


def fits(data: Bytes) -> bool:
    """Whether it begins as WAV."""
    return bytes(data[:4]) == b"RIFF" and bytes(data[8:12]) == b"WAVE"


def read(data: Bytes) -> Facts:
    """What a WAV file is. Raises BadClip."""
    (size,) = struct.unpack("<I", part(data, 4, 4, "its header"))
    if size + 8 > len(data):
        raise BadClip(f"says that it has {size + 8} bytes; it has {len(data)}")
    end, at = size + 8, 12
    form: _Format | None = None
    for _ in range(MOST_CHUNKS):
        if at + 8 > end:
            raise BadClip("has no chunk 'fmt '" if form is None else "has no chunk 'data'")
        name, length = struct.unpack("<4sI", part(data, at, 8, "a chunk"))
        if at + 8 + length > end:
            raise BadClip(f"says that its chunk {_shown(name)} has {length} bytes; {end - at - 8} are left")
        if name == b"fmt ":
            form = _format(part(data, at + 8, min(length, 64), "the chunk 'fmt '"))
        elif name == b"data":
            if form is None:
                raise BadClip("has no chunk 'fmt ' before its chunk 'data'")
            return _facts(form, length)
        at += 8 + length + length % 2
    raise BadClip(f"has more than {MOST_CHUNKS} chunks")


def _format(raw: bytes) -> _Format:
    if len(raw) < 16:
        raise BadClip(f"has a chunk 'fmt ' of {len(raw)} bytes; it has at least 16")
    tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", raw[:16])
    if tag == _EXTENSIBLE:
        if len(raw) < 40:
            raise BadClip(f"has a chunk 'fmt ' of {len(raw)} bytes; this kind has at least 40")
        (tag,) = struct.unpack("<H", raw[24:26])
    samples = struct.unpack("<H", raw[18:20])[0] if tag in _BLOCKS and len(raw) >= 20 else 0
    return _Format(tag, channels, rate, block, bits, samples)


def _facts(form: _Format, size: int) -> Facts:
    if form.tag not in _PLAIN and form.tag not in _BLOCKS:
        raise BadClip(f"is WAV of kind {form.tag:#x}; PCM, float, A-law, mu-law, MS ADPCM and IMA ADPCM are supported")
    if not 1 <= form.channels <= MOST_CHANNELS:
        raise BadClip(f"has {form.channels} channels; mono and stereo are supported")
    if form.tag in _BLOCKS:
        return _blocks(form, size)
    valid, name = _PLAIN[form.tag]
    if form.bits not in valid:
        raise BadClip(f"has {name} samples of {form.bits} bits; {' or '.join(map(str, valid))} are supported")
    frame = form.channels * form.bits // 8
    if form.block != frame:
        raise BadClip(f"says that a frame has {form.block} bytes; {form.channels} x {form.bits} bits are {frame}")
    encoding = f"{name} {form.bits} bit" if len(valid) > 1 else name
    return Facts(format="wav", encoding=encoding, rate_hz=form.rate_hz, channels=form.channels, frames=size // frame)


def _blocks(form: _Format, size: int) -> Facts:
    head, held, name = _BLOCKS[form.tag]
    if form.bits != 4:
        raise BadClip(f"has {name} samples of {form.bits} bits; 4 are supported")
    room = form.block - head * form.channels
    samples = room * 2 // form.channels + held
    if room <= 0 or samples != form.samples:
        raise BadClip(f"says that a block of {form.block} bytes has {form.samples} samples; it has {max(0, samples)}")
    whole, rest = divmod(size, form.block)
    some = max(0, rest - head * form.channels) * 2 // form.channels + held if rest > head * form.channels else 0
    return Facts(
        format="wav", encoding=name, rate_hz=form.rate_hz, channels=form.channels, frames=whole * samples + some
    )


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))
