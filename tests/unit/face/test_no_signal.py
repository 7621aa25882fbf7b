"""The picture that stands for no picture: any decoder reads it, in any size."""

from __future__ import annotations

import io

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from firmware.core.stream.no_signal import DARK, LIGHT, no_signal


@given(width=st.integers(1, 700), height=st.integers(1, 700))
def test_two_decoders_read_it_in_any_size_and_it_is_dark(width: int, height: int) -> None:
    data = no_signal(width, height)
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert (picture.format, picture.size) == ("JPEG", (width, height))
    grey = simplejpeg.decode_jpeg(data, "GRAY")[:, :, 0]
    assert grey.shape == (height, width)
    assert set(np.unique(grey)) <= {DARK, LIGHT}
    assert abs(int(grey[0, 0]) - DARK) <= 1


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (640, 360), (320, 180), (360, 640)])
def test_it_says_so_in_the_middle_of_usual_sizes(width: int, height: int) -> None:
    grey = simplejpeg.decode_jpeg(no_signal(width, height), "GRAY")[:, :, 0]
    rows, columns = np.nonzero(grey == LIGHT)
    assert 0.3 * width < columns.max() - columns.min() < 0.9 * width
    assert abs((columns.max() + columns.min()) / 2 - width / 2) < 0.06 * width
    assert abs((rows.max() + rows.min()) / 2 - height / 2) < 0.08 * height
    assert simplejpeg.decode_jpeg_header(no_signal(width, height))[2:4] == ("YCbCr", "420")
