"""Motion JPEG of cameras: decoded sample by sample, and what is torn or no camera's is never shown."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hal.buses import libyuv, motion_jpeg
from hal.buses.motion_jpeg import Torn
from hal.pictures import Picture, Size
from hal.planes import Samples, samples
from tests.effort import examples
from tests.unit.camera.jpegs import (
    SAMPLINGS,
    SIZE,
    coloured,
    decoder,
    expected,
    jpeg,
    scan_of,
    segments,
    without_tables,
)

GOOD = jpeg(coloured(64, 48))


def planes(picture: Picture) -> list[Samples]:
    return [samples(plane) for plane in (picture.y, picture.u, picture.v)]


# what is whole


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("size", [Size(64, 48), Size(66, 50), Size(640, 360)])
def test_pictures_in_every_sampling_are_seen_as_they_were(sampling: str, size: Size) -> None:
    decodes = decoder(size)
    for shade in (0, 40):
        rows = coloured(size.width, size.height, shade)
        picture = decodes.picture(jpeg(rows, sampling))
        assert not picture.limited
        assert (picture.width, picture.height) == (size.width, size.height)
        for found, wanted in zip(planes(picture), expected(rows), strict=True):
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).mean() < 2


def test_a_grey_picture_has_no_colour() -> None:
    y, u, v = planes(decoder().picture(jpeg(coloured(64, 48), "Gray")))
    assert np.abs(y - coloured(64, 48)[:, :, 1].astype(int)).mean() < 2
    assert set(u.ravel().tolist()) == set(v.ravel().tolist()) == {128}


def test_a_file_without_the_tables_of_the_standard_is_read_with_them() -> None:
    # An encoder that does not optimize writes just these tables.
    bare = without_tables(GOOD)
    assert len(bare) < len(GOOD) - 300
    whole, same = planes(decoder().picture(GOOD)), planes(decoder().picture(bare))
    assert all(np.array_equal(one, other) for one, other in zip(whole, same, strict=True))


def test_padding_after_the_end_and_fill_before_a_marker_are_no_part_of_the_picture() -> None:
    for file in (GOOD + bytes(5000), GOOD[:2] + b"\xff\xff" + GOOD[2:]):
        for one, other in zip(planes(decoder().picture(GOOD)), planes(decoder().picture(file)), strict=True):
            assert np.array_equal(one, other)


def test_a_picture_stays_as_it_was_when_the_next_one_is_decoded() -> None:
    decodes = decoder()
    for sampling in SAMPLINGS:
        first = decodes.picture(jpeg(coloured(64, 48), sampling))
        before = [plane.copy() for plane in planes(first)]
        decodes.picture(jpeg(coloured(64, 48, 90), sampling))
        assert all(np.array_equal(one, other) for one, other in zip(before, planes(first), strict=True))


def test_pictures_that_nobody_holds_any_more_are_written_over() -> None:
    decodes = decoder()
    kept = decodes.picture(GOOD)
    places = {samples(decodes.picture(GOOD).y).ctypes.data for _ in range(10)}
    assert len(places) == 1
    assert samples(kept.y).ctypes.data not in places


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_the_library_averages_rows_as_we_do(width: int, height: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, 256, (2 * height, width), np.uint8)
    upper, lower = rows[0::2].astype(int), rows[1::2].astype(int)
    assert libyuv.load() is not None
    out = np.zeros((height, width), np.uint8)
    libyuv.mean_of_rows(rows, out)
    assert np.array_equal(out, (upper + lower + 1) // 2)


def test_rows_are_averaged_on_a_system_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(7).integers(0, 256, (64, 31), np.uint8)
    with_it, without = np.zeros((2, 32, 31), np.uint8)
    libyuv.mean_of_rows(rows, with_it)
    monkeypatch.setattr(libyuv, "load", lambda: None)
    libyuv.mean_of_rows(rows, without)
    assert np.array_equal(without, with_it)


# what is torn


@settings(max_examples=examples(60))
@given(st.integers(0, len(GOOD) - 1), st.booleans())
def test_a_file_whose_end_is_missing_is_never_shown(length: int, ended: bool) -> None:
    cut = GOOD[:length] + (b"\xff\xd9" if ended and length < scan_of(GOOD)[1] else b"")
    with pytest.raises(Torn):
        decoder().picture(cut)


@settings(max_examples=examples(60))
@given(st.data())
def test_a_file_in_whose_middle_packets_are_missing_is_never_shown(data: st.DataObject) -> None:
    file = jpeg(coloured(640, 360))
    begins, ends = scan_of(file)
    start = data.draw(st.integers(begins, begins + (ends - begins) // 2))
    length = data.draw(st.integers(256, (ends - begins) // 3))
    with pytest.raises(Torn):
        decoder(Size(640, 360)).picture(file[:start] + file[start + length :])


def progressive(size: Size = SIZE) -> bytes:
    out = io.BytesIO()
    Image.fromarray(coloured(size.width, size.height)).save(out, "JPEG", progressive=True)
    return out.getvalue()


def altered(kind: int, change: Callable[[bytearray], None]) -> bytes:
    """The good file with a change to the segment of that kind, from its marker on."""
    start, end = next((start, end) for found, start, end in segments(GOOD) if found == kind)
    segment = bytearray(GOOD[start:end])
    change(segment)
    return GOOD[:start] + bytes(segment) + GOOD[end:]


def put(at: int, *values: int) -> Callable[[bytearray], None]:
    def change(segment: bytearray) -> None:
        segment[at : at + len(values)] = bytes(values)

    return change


FRAME, SCAN = 0xC0, 0xDA
REFUSED = {
    "nothing": (b"", "does not begin"),
    "no jpeg": (b"\x89PNG" + bytes(500), "does not begin"),
    "another size": (jpeg(coloured(48, 64)), "size is 48 x 64 instead of 64 x 48"),
    "a huge size": (altered(FRAME, put(5, 0xFF, 0xFF, 0xFF, 0xFF)), "65535 x 65535"),
    "height told later": (altered(FRAME, put(5, 0, 0)), "64 x 0"),
    "many scans": (progressive(), "coding 0xc2"),
    "arithmetic": (altered(FRAME, put(1, 0xC9)), "coding 0xc9"),
    "lossless": (altered(FRAME, put(1, 0xC3)), "coding 0xc3"),
    "12 bits": (altered(FRAME, put(4, 12)), "none of cameras"),
    "two components": (altered(FRAME, put(9, 2)), "none of cameras"),
    "a scan of one": (altered(SCAN, put(4, 1)), "not that of the whole picture"),
    "no frame": (GOOD[:2] + b"".join(GOOD[s:e] for k, s, e in segments(GOOD) if k != FRAME), "not that of the whole"),
    "two frames": (GOOD[:2] + b"".join(GOOD[s:e] * (1 + (k == FRAME)) for k, s, e in segments(GOOD)), "two frame"),
    "an end in the header": (GOOD[:2] + b"\xff\xd9\0\0" + GOOD[2:], "out of place"),
    "an empty segment": (GOOD[:2] + b"\xff\xe0\0\0" + GOOD[2:], "out of place"),
    "segments for ever": (GOOD[:2] + b"\xff\xfe\0\2" * 500_000 + GOOD[2:], "first 64 segments"),
    "fill for ever": (GOOD[:2] + b"\xff" * 2_000_000 + GOOD[2:], "first 64 segments"),
    "a segment longer than all": (GOOD[:2] + b"\xff\xe0\xff\xff" + bytes(10), "header ends"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_row_36_what_is_no_whole_picture_of_a_camera_is_refused_by_what_is_wrong_with_it(name: str) -> None:
    file, why = REFUSED[name]
    with pytest.raises(Torn, match=why):
        decoder().picture(file)


def test_row_36_scans_after_the_first_are_not_decoded() -> None:
    begins = segments(GOOD)[-1][1]
    with pytest.raises(Torn):
        decoder().picture(GOOD[:-2] + GOOD[begins:-2] * 200 + GOOD[-2:])


@settings(max_examples=examples(150))
@given(
    st.sampled_from([*SAMPLINGS, "Gray"]), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6)
)
def test_changed_files_are_refused_or_are_pictures_of_the_size(sampling: str, changes: list[tuple[int, int]]) -> None:
    file = bytearray(jpeg(coloured(64, 48), sampling))
    for at, value in changes:
        file[at % len(file)] = value
    try:
        picture = decoder().picture(bytes(file))
    except Torn:
        return
    assert [plane.shape for plane in planes(picture)] == [(48, 64), (24, 32), (24, 32)]


def test_a_system_without_the_library_has_none() -> None:
    assert motion_jpeg.load("libturbojpeg.so.none") is None


class HeapInfo(ctypes.Structure):
    """struct mallinfo2 of the C library"""

    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", *"bcdefg", "used", "free", "keep")]


def test_a_decoder_that_is_let_go_of_gives_its_memory_back() -> None:
    heap = ctypes.CDLL(None).mallinfo2
    heap.restype = HeapInfo
    for _ in range(5):
        decoder().picture(GOOD)
    before = heap().used
    for _ in range(200):
        decoder().picture(GOOD)
    assert heap().used - before < 200 * 2000  # of 4 kB each
