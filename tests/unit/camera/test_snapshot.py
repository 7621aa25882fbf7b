"""A picture becomes a JPEG file that another decoder (Pillow) shows as the same picture."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from firmware.core.vocabulary.video import snapshot_name
from firmware.video.snapshot import jpeg_of
from hal.errors import OutOfRange
from hal.pictures import Picture, Plane
from hal.planes import picture_of

evens = st.integers(4, 60).map(lambda half: 2 * half)


def flat(width: int, height: int, y: int, u: int, v: int, *, limited: bool = False) -> Picture:
    half = (height // 2, width // 2)
    planes = np.full((height, width), y, np.uint8), np.full(half, u, np.uint8), np.full(half, v, np.uint8)
    return picture_of(*planes, limited=limited)


def decoded(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("yuv", "rgb"),
    [((255, 128, 128), (255, 255, 255)), ((0, 128, 128), (0, 0, 0)), ((76, 85, 255), (255, 0, 0)),
     ((150, 44, 21), (0, 255, 0)), ((29, 255, 107), (0, 0, 255))],
)  # fmt: skip
def test_colours_come_out_as_they_went_in(yuv: tuple[int, int, int], rgb: tuple[int, int, int]) -> None:
    found = decoded(jpeg_of(flat(64, 48, *yuv), quality=95))
    assert found.shape == (48, 64, 3)
    assert np.abs(found - rgb).max() <= 4


@pytest.mark.parametrize(("luma", "shown"), [(16, 0), (126, 128), (235, 255), (0, 0), (255, 255)])
def test_a_picture_in_limited_range_is_stretched(luma: int, shown: int) -> None:
    found = decoded(jpeg_of(flat(32, 32, luma, 128, 128, limited=True), quality=95))
    assert np.abs(found - shown).max() <= 2


@given(evens, evens, st.integers(0, 20).map(lambda half: 2 * half))
def test_any_size_and_stride_is_read_back_with_its_two_halves(width: int, height: int, padding: int) -> None:
    stride = width + padding
    rows = np.full((height, stride), 255, np.uint8)  # padding that would show
    rows[:, : width // 2], rows[:, width // 2 : width] = 40, 200
    grey = memoryview(bytes([128]) * (stride * height // 4))
    half = (width // 2, height // 2, stride // 2)
    picture = Picture(Plane(memoryview(rows.tobytes()), width, height, stride), Plane(grey, *half), Plane(grey, *half))
    found = decoded(jpeg_of(picture, quality=100))
    assert found.shape == (height, width, 3)
    assert np.abs(found[:, : width // 2 - 2] - 40).max(initial=0) <= 6
    assert np.abs(found[:, width // 2 + 2 :] - 200).max(initial=0) <= 6


def test_more_compression_makes_a_smaller_file() -> None:
    luck = np.random.default_rng(1)
    y = luck.integers(0, 255, (120, 160), dtype=np.uint8)
    picture = picture_of(y, y[::2, ::2], y[1::2, 1::2])
    sizes = [len(jpeg_of(picture, quality=quality)) for quality in (10, 50, 90)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_a_quality_that_does_not_exist_is_refused_with_the_range(quality: int) -> None:
    with pytest.raises(OutOfRange, match=rf"quality is 1 to 100 \(got {quality}\)"):
        jpeg_of(flat(16, 16, 1, 2, 3), quality=quality)


def test_a_snapshot_is_named_after_the_local_time_it_was_taken() -> None:
    at = datetime(2026, 3, 5, 23, 7, 9, tzinfo=UTC)
    assert snapshot_name(at) == "snapshot_2026_03_05_23_07_09.jpg"
    assert snapshot_name(at.astimezone(timezone(timedelta(hours=2)))) == "snapshot_2026_03_06_01_07_09.jpg"
