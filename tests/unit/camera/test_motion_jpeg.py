"""Motion JPEG of cameras: decoded sample by sample, refused where it is no camera's or the decoder notices a gap."""

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
    noisy,
    scan_of,
    segments,
    without_tables,
)

GOOD = jpeg(coloured(64, 48))


def planes(picture: Picture) -> list[Samples]:
    return [samples(plane) for plane in (picture.y, picture.u, picture.v)]


def same(one: Picture, other: Picture) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(planes(one), planes(other), strict=True))


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


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([*SAMPLINGS, "Gray"]), st.integers(0, 64), st.integers(0, 300))
def test_zeros_that_a_camera_pads_with_before_and_after_the_end_are_no_part_of_the_picture(
    seed: int, sampling: str, before: int, after: int
) -> None:
    file = jpeg(noisy(64, 48, seed), sampling, quality=30 + seed % 70)
    padded = file[:-2] + bytes(before) + file[-2:] + bytes(after)
    assert same(decoder().picture(file), decoder().picture(padded))


@pytest.mark.parametrize("sampling", [*SAMPLINGS, "Gray"])
def test_coded_samples_that_end_in_zeros_or_in_ones_are_not_taken_for_padding(sampling: str) -> None:
    # Colour that does not change is coded as zeros, eight of them at the end.
    ends = set()
    for seed in range(150):
        file = jpeg(noisy(32, 32, seed)[:, :, :1].repeat(3, axis=2), sampling, quality=40 + seed % 50)
        ends.add(file[-4:-2])
        for zeros in (1, 3, 16, 64):
            padded = file[:-2] + bytes(zeros) + file[-2:]
            assert same(decoder(Size(32, 32)).picture(file), decoder(Size(32, 32)).picture(padded)), zeros
    if sampling in ("420", "422", "444"):
        assert any(end[1] == 0 for end in ends)


def test_what_is_after_the_end_is_never_looked_at_for_padding() -> None:
    padded = GOOD[:-2] + bytes(40) + GOOD[-2:]
    assert same(decoder().picture(GOOD), decoder().picture(padded + b"left over\xff\xd9" + bytes(7)))


def test_more_zeros_than_cameras_pad_with_and_other_bytes_before_the_end_are_no_padding() -> None:
    for more in (bytes(100), b"\1" * 40, bytes(20) + b"\1" + bytes(20)):
        with pytest.raises(Torn, match="extraneous bytes"):
            decoder().picture(GOOD[:-2] + more + GOOD[-2:])


@pytest.mark.parametrize("version", [(2, 0), (0, 9), (255, 255)])
def test_the_version_of_a_header_says_nothing_of_the_picture(version: tuple[int, int]) -> None:
    at = GOOD.index(b"JFIF\0") + 5
    assert GOOD[at] == 1
    file = GOOD[:at] + bytes(version) + GOOD[at + 2 :]
    assert same(decoder().picture(GOOD), decoder().picture(file))


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


# Of a hundred noisy pictures with a gap of so many bytes, the most that may pass for whole: behind a gap the decoder
# falls into step again, and the shorter the gap, the likelier it is that no block is missing then. Of hundreds with a
# gap of 512 bytes, which is a packet of high speed, or more, none has passed; of those with 192 up to 3 in a hundred.
@pytest.mark.parametrize("sampling", ["420", "422"])
@pytest.mark.parametrize(("shortest", "longest", "most"), [(512, None, 5), (192, 512, 20)])
def test_a_file_in_whose_middle_packets_are_missing_is_hardly_ever_shown(
    sampling: str, shortest: int, longest: int | None, most: int
) -> None:
    size = Size(640, 360)
    files = [jpeg(noisy(size.width, size.height, seed), sampling) for seed in range(4)]
    decodes, chance = decoder(size), np.random.default_rng(5)
    tries = examples(200)
    shown = 0
    for number in range(tries):
        file = files[number % len(files)]
        begins, ends = scan_of(file)
        gap = int(chance.integers(shortest, longest or ends - begins, endpoint=True))
        start = int(chance.integers(begins, ends - gap, endpoint=True))
        try:
            decodes.picture(file[:start] + file[start + gap :])
        except Torn:
            continue
        shown += 1
    assert shown <= tries * most // 100


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


def test_a_sampling_of_colour_that_is_not_known_is_refused() -> None:
    # As many blocks, in another order.
    whole = jpeg(coloured(64, 64), "411")
    start = next(start for kind, start, _ in segments(whole) if kind == FRAME)
    assert whole[start + 11] == 0x41
    with pytest.raises(Torn):
        decoder(Size(64, 64)).picture(whole[: start + 11] + b"\x14" + whole[start + 12 :])
    for number in (-1, 6, 7):  # 6 is what TurboJPEG 3 calls 4:4:1
        with pytest.raises(Torn, match=f"sampling of colour .*number {number}. is none of cameras"):
            motion_jpeg.known(number)


@pytest.mark.parametrize("name", ["libturbojpeg.so.none", "libm.so.6"])
def test_a_system_without_the_library_has_none_nor_one_whose_library_lacks_what_is_needed(name: str) -> None:
    assert motion_jpeg.load(name) is None


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
