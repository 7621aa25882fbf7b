"""What a file is, by its content: every format that clips may have, and every lie a header may tell."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.sound_files.kinds import BadClip, inspect
from tests.unit.clips.makers import KINDS, clip

WAV = clip("wav of 16 bits", 0.05)
AU = clip("au in mu-law", 0.05)
MP3 = clip("mp3 of constant rate", 0.3)
OPUS = clip("opus", 0.1)
VORBIS = clip("vorbis", 0.1)
ADPCM = clip("wav in IMA ADPCM", 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_known_by_its_content(kind: str) -> None:
    how, facts = KINDS[kind], inspect(clip(kind))
    assert (facts.format, facts.channels) == (how.format, how.channels)
    assert facts.rate_hz == (48_000 if how.format == "opus" else how.rate_hz)
    assert how.encoding in facts.encoding
    # An mp3 file is as long as its frames, three of which (576 samples each at such a rate) may hold nothing.
    padding_s = 3 * 576 / how.rate_hz if how.format == "mp3" else 0.0
    assert facts.length_s == pytest.approx(0.5, abs=max(0.13, padding_s + 0.01))


def put(data: bytes, at: int, form: str, *values: int) -> bytes:
    """The bytes with other numbers at a place."""
    new = struct.pack(form, *values)
    return data[:at] + new + data[at + len(new) :]


def page(data: bytes, number: int) -> int:
    """Where a page of Ogg begins; -1 is the last."""
    starts = [at for at in range(len(data)) if data.startswith(b"OggS", at)]
    return starts[number]


LIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "is empty"),
    "text": (lambda: b"#!/bin/sh\nrm -rf /\n", "is no sound file"),
    "a page": (lambda: b"<html>", "is no sound file"),
    "FLAC": (lambda: b"fLaC" + bytes(100), "is FLAC; valid: au, mp3, opus, vorbis, wav"),
    "MP4": (lambda: b"\0\0\0\x20ftypM4A ", "is MP4 or AAC"),
    "an archive": (lambda: b"PK\x03\x04" + bytes(100), "is a ZIP archive"),
    "gzip": (lambda: b"\x1f\x8b" + bytes(100), "is gzip"),
    "WAV longer than the file": (lambda: put(WAV, 4, "<I", 0x7FFFFFFF), "says that it has 2147483655 bytes"),
    "WAV of unknown length": (lambda: put(WAV, 4, "<I", 0xFFFFFFFF), "says that it has 4294967303 bytes"),
    "WAV whose sound is longer": (lambda: put(WAV, 40, "<I", 0x7FFFFFF0), "its chunk 'data' has 2147483632 bytes"),
    "WAV without format": (lambda: put(WAV, 12, "<4s", b"junk"), "has no chunk 'fmt ' before"),
    "WAV without sound": (lambda: put(WAV, 36, "<4s", b"junk"), "has no chunk 'data'"),
    "WAV of 96 kHz": (lambda: put(WAV, 24, "<I", 96_000), "is sampled with 96000 Hz; 8000 to 48000 Hz"),
    "WAV of 0 Hz": (lambda: put(WAV, 24, "<I", 0), "is sampled with 0 Hz; 8000 to 48000 Hz"),
    "WAV of 6 channels": (lambda: put(WAV, 22, "<H", 6), "has 6 channels; mono and stereo"),
    "WAV of no channel": (lambda: put(WAV, 22, "<H", 0), "has 0 channels; mono and stereo"),
    "WAV of 12 bits": (lambda: put(WAV, 34, "<H", 12), "samples of 12 bits; 8 or 16 or 24 or 32"),
    "WAV with a wrong frame": (lambda: put(WAV, 32, "<H", 3), "a frame has 3 bytes; 2 x 16 bits are 4"),
    "WAV with MP3 inside": (lambda: put(WAV, 20, "<H", 0x55), "is WAV of kind 0x55"),
    "WAV of no sample": (lambda: put(put(WAV[:44], 4, "<I", 36), 40, "<I", 0), "holds no sound"),
    "WAV of a thousand chunks": (
        lambda: put(b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 1000, 4, "<I", 8004), "more than 256 chunks"
    ),
    "ADPCM of a bad block": (lambda: put(ADPCM, 32, "<H", 7), "says that a block of 7 bytes"),
    "ADPCM of no block": (lambda: put(ADPCM, 32, "<H", 0), "says that a block of 0 bytes"),
    "AU that begins behind its end": (lambda: put(AU, 4, ">I", 0x7FFFFFFF), "begins at byte 2147483647"),
    "AU that begins in its header": (lambda: put(AU, 4, ">I", 3), "begins at byte 3; 24 to"),
    "AU longer than the file": (lambda: put(AU, 8, ">I", 1_000_000), "has 1000000 bytes of sound"),
    "AU of another encoding": (lambda: put(AU, 12, ">I", 23), "is AU of encoding 23"),
    "AU of many channels": (lambda: put(AU, 20, ">I", 0xFFFFFFFF), "has 4294967295 channels"),
    "AU of 11 minutes": (lambda: AU[:8] + b"\xff" * 4 + AU[12:] + bytes(8000 * 660), "is 660 s long; at most 600 s"),
    "MP3 of layer II": (lambda: b"\xff\xfd" + MP3[2:], "is MPEG audio of layer 2; layer III"),
    "MP3 without a bit rate": (lambda: MP3[:2] + bytes([MP3[2] & 0x0F]) + MP3[3:], "free format"),
    "a tag without MP3": (lambda: b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + b"nothing at all", "has no frame"),
    "a tag longer than the file": (lambda: b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + MP3, "its ID3 tag ends at byte 268435465"),
    "a tag of no size": (lambda: b"ID3\x03\0\0\xff\0\0\0" + MP3, "an ID3 tag whose size is none"),
    "MP3 with something after it": (lambda: MP3 + b"PK\x03\x04", "has something that is no mp3 at byte"),
    "two MP3 of different rates": (lambda: MP3 + clip("mp3 of variable rate", 0.3), "changes its sampling rate"),
    "Ogg cut at a page": (lambda: OPUS[: page(OPUS, -1)], "ends before its sound does"),
    "Ogg cut in a page": (lambda: OPUS[:-1], "has a page that ends at byte"),
    "Ogg with something after it": (lambda: OPUS + b"more", "goes on after its last page"),
    "two streams in Ogg": (lambda: VORBIS[: page(VORBIS, -1)] + OPUS, "more than one stream"),
    "Ogg of 3000 years": (lambda: put(OPUS, page(OPUS, -1) + 6, "<q", 1 << 52), "s long; at most 600 s"),
    "Ogg of less than nothing": (lambda: put(OPUS, page(OPUS, -1) + 6, "<q", -7), "has -7 frames after"),
    "Opus of 255 channels": (lambda: put(OPUS, page(OPUS, 0) + 28 + 9, "<B", 255), "has 255 channels"),
    "Vorbis of 4 GHz": (lambda: put(VORBIS, page(VORBIS, 0) + 28 + 12, "<I", 0xFFFFFFFF), "with 4294967295 Hz"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_row_36_a_file_that_lies_is_told_what_is_wrong_with_value_and_limit(lie: str) -> None:
    make, message = LIES[lie]
    with pytest.raises(BadClip) as bad:
        inspect(make())
    assert message in bad.value.message


@pytest.mark.parametrize("whole", [WAV, AU, OPUS, VORBIS], ids=["wav", "au", "opus", "vorbis"])
def test_row_36_a_file_that_was_cut_off_anywhere_is_refused(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(BadClip):
            inspect(whole[:length])


def test_an_mp3_whose_last_frame_is_cut_sounds_without_it() -> None:
    assert inspect(MP3[:-1]).frames == inspect(MP3).frames - 1152


@given(st.sampled_from([WAV, AU, MP3, OPUS, VORBIS, ADPCM]), st.data())
def test_row_36_whatever_is_changed_in_a_file_it_is_judged_and_nothing_else_is_raised(
    whole: bytes, data: st.DataObject
) -> None:
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(raw) - 1, 400)))
        raw[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    judged(bytes(raw))


@given(st.binary(max_size=200), st.sampled_from([b"", b"RIFF", b".snd", b"OggS\0", b"ID3", b"\xff\xfb", b"\xff\xf3"]))
def test_row_36_whatever_bytes_come_they_are_judged_and_nothing_else_is_raised(rest: bytes, magic: bytes) -> None:
    judged(magic + rest)


def judged(raw: bytes) -> None:
    """What is taken is within the limits; what is not has one line that says why."""
    said = ""
    try:
        facts = inspect(raw)
    except BadClip as bad:
        said = bad.message
    if said:
        assert said.isprintable()
        return
    assert facts.frames > 0
    assert facts.length_s <= 600
    assert facts.channels in (1, 2)
    assert 8_000 <= facts.rate_hz <= 48_000
