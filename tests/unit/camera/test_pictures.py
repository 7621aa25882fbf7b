"""Planes and pictures: every stride and size, views without a copy, and nothing that reads past its memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.buses.libyuv import Packed, load
from hal.pictures import Picture, Plane, Size
from hal.planes import from_yuyv, picture_of, plane_of, samples, scaled, thinned
from tests.unit.camera.memory_driver import room_of

evens = st.integers(1, 40).map(lambda half: 2 * half)


def buffer_of(size: int) -> bytes:
    return bytes(number * 37 % 251 for number in range(size))


@given(evens, evens, st.integers(0, 24).map(lambda half: 2 * half))
def test_every_sample_of_a_padded_buffer_is_where_its_stride_says(width: int, height: int, padding: int) -> None:
    stride = width + padding
    data = buffer_of(stride * height * 3 // 2)
    picture = Picture.of(data, width, height, stride=stride)
    luma, colour = stride * height, stride // 2 * (height // 2)
    for plane, start, step in (
        (picture.y, 0, stride),
        (picture.u, luma, stride // 2),
        (picture.v, luma + colour, stride // 2),
    ):
        rows = samples(plane)
        assert rows.shape == (plane.height, plane.width)
        for row in range(plane.height):
            expected = data[start + row * step : start + row * step + plane.width]
            assert rows[row].tobytes() == expected == bytes(plane.row(row))


@given(evens, evens, st.integers(1, 50))
def test_a_buffer_that_is_too_short_is_refused(width: int, height: int, short: int) -> None:
    whole = width * height * 3 // 2
    with pytest.raises(ValueError, match=r"needs|no plane"):
        Picture.of(bytes(max(0, whole - short)), width, height)


@pytest.mark.parametrize(("width", "height", "stride"), [(3, 4, 0), (4, 3, 0), (4, 4, 7), (0, 4, 0), (4, 4, 2)])
def test_sizes_that_no_picture_has_are_refused(width: int, height: int, stride: int) -> None:
    with pytest.raises(ValueError):
        Picture.of(bytes(1000), width, height, stride=stride)


def test_planes_that_do_not_fit_together_are_refused() -> None:
    y, u = Plane(memoryview(bytes(16)), 4, 4, 4), Plane(memoryview(bytes(16)), 4, 4, 4)
    with pytest.raises(ValueError, match="colour planes of 4 x 4 do not fit a picture of 4 x 4"):
        Picture(y, u, u)


def test_a_view_shows_the_memory_itself_and_cannot_be_written_to() -> None:
    memory = bytearray(6 * 4 * 3 // 2)
    picture = Picture.of(memory, 6, 4)
    memory[7] = 99  # column 1 of row 1
    rows = samples(picture.y)
    assert rows[1, 1] == 99
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1
    with pytest.raises(TypeError):
        picture.y.data[0] = 1


@given(evens, evens, evens, evens)
def test_a_scaled_picture_keeps_what_is_where(width: int, height: int, new_width: int, new_height: int) -> None:
    y = np.zeros((height, width), np.uint8)
    y[: height // 2, width // 2 :] = 200
    picture = picture_of(y, y[::2, ::2], y[1::2, 1::2])
    small = scaled(picture, Size(new_width, new_height))
    assert (small.width, small.height) == (new_width, new_height)
    rows = samples(small.y)
    assert rows[0, -1] == 200
    assert rows[0, 0] == rows[-1, 0] == rows[-1, -1] == 0


@given(evens, evens, st.integers(0, 5))
def test_packed_samples_are_unpacked_to_their_places(width: int, height: int, padding: int) -> None:
    stride = 2 * width + padding
    data = buffer_of(stride * height)
    picture = from_yuyv(data, Size(width, height), stride, limited=True)
    assert picture.limited
    y, u, v = samples(picture.y), samples(picture.u), samples(picture.v)
    for row in range(height):
        assert list(y[row]) == [data[row * stride + 2 * column] for column in range(width)]
    for row in range(height // 2):
        for column in range(width // 2):
            upper, lower = 2 * row * stride + 4 * column, (2 * row + 1) * stride + 4 * column
            assert u[row, column] == (data[upper + 1] + data[lower + 1] + 1) // 2
            assert v[row, column] == (data[upper + 3] + data[lower + 3] + 1) // 2


@given(evens, evens, st.integers(0, 40))
def test_the_library_unpacks_every_sample_as_we_do(width: int, height: int, padding: int) -> None:
    stride = 2 * width + padding
    data = bytes(buffer_of(stride * height))
    size = Size(width, height)
    ours = from_yuyv(data, size, stride, limited=True)
    theirs = Packed(size, stride, limited=True, most=1).picture(room_of(data), len(data))
    assert load() is not None  # the package libyuv0 is one of those that the tests need
    assert theirs.limited
    for one, other in ((ours.y, theirs.y), (ours.u, theirs.u), (ours.v, theirs.v)):
        assert np.array_equal(samples(one), samples(other))


@pytest.mark.parametrize(("w", "h", "stride"), [(5, 4, 10), (4, 3, 8), (4, 4, 7), (4, 6, 8)])
def test_packed_samples_that_do_not_fit_are_refused_before_the_library_sees_them(w: int, h: int, stride: int) -> None:
    with pytest.raises(ValueError, match=r"even|needs|no plane"):
        Packed(Size(w, h), stride, limited=False, most=1).picture(room_of(bytes(40)), 40)


def test_no_more_is_read_than_there_is_whatever_a_driver_says() -> None:
    packed = Packed(Size(64, 48), 128, limited=False, most=1)
    with pytest.raises(ValueError, match="needs 6144 bytes"):
        packed.picture(room_of(bytes(40)), 1 << 20)


def test_a_system_without_the_library_is_told_of_once_with_the_package_that_has_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert load("libyuv.so.none") is None
    assert load("libyuv.so.none") is None
    (line,) = [record.getMessage() for record in caplog.records]
    assert "libyuv0" in line


@given(st.integers(1, 6), st.integers(1, 6), st.integers(2, 20), st.integers(2, 20))
def test_a_picture_thinned_by_whole_steps_has_the_samples_in_the_middle_of_each(
    right: int, lower: int, width: int, height: int
) -> None:
    rows = np.arange(width * right * height * lower, dtype=np.uint32).astype(np.uint8).reshape(height * lower, -1)
    found = samples(thinned(plane_of(rows), Size(width, height)))
    wanted = [
        [rows[row * lower + lower // 2, column * right + right // 2] for column in range(width)]
        for row in range(height)
    ]
    assert found.tolist() == wanted
