"""Films: headers with anything in them give a header or one ValueError, and nothing is read past the file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.errors import DeviceError
from hal.pictures import Size
from hal.sim.scene.film import Film, read_header


def test_a_header_says_size_rate_and_range() -> None:
    header = read_header(b"YUV4MPEG2 W640 H360 F30000:1001 Ip A1:1 C420mpeg2\nFRAME\n")
    assert (header.size, header.fps, header.limited) == (Size(640, 360), Fraction(30000, 1001), True)
    assert header.starts == 50
    assert header.frame_bytes == 640 * 360 * 3 // 2


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        (b"RIFF....AVI ", "a film begins with a line YUV4MPEG2"),
        (b"YUV4MPEG2 W640 H360", "a film begins with a line"),
        (b"YUV4MPEG2 W641 H360\n", r"W is an even number from 2 to 8192 \(got '641'\)"),
        (b"YUV4MPEG2 W640 H99999\n", "H is an even number"),
        (b"YUV4MPEG2 W640\n", r"H is an even number from 2 to 8192 \(got ''\)"),
        (b"YUV4MPEG2 W640 H360 F25:0\n", "F is frames:seconds"),
        (b"YUV4MPEG2 W640 H360 C444\n", "C is one of 420,"),
        (b"YUV4MPEG2 W640 H360 \xff\n", "the header is not plain text"),
    ],
)
def test_a_wrong_header_is_refused_with_what_is_wrong(head: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_header(head)


@given(st.one_of(st.binary(max_size=600), st.binary(max_size=200).map(lambda tail: b"YUV4MPEG2 W16 H16 " + tail)))
def test_no_bytes_give_anything_but_a_header_or_a_value_error(head: bytes) -> None:
    try:
        header = read_header(head)
    except ValueError:
        return
    assert header.size.width % 2 == header.size.height % 2 == 0
    assert header.fps > 0
    assert head[header.starts - 1 : header.starts] == b"\n"


@pytest.mark.parametrize("cut", [1, 100, 200])
def test_half_a_frame_at_the_end_is_left_out(tmp_path: Path, cut: int) -> None:
    head, frame = b"YUV4MPEG2 W16 H8 F25:1\n", b"FRAME\n" + bytes(192)
    path = tmp_path / "f.y4m"
    path.write_bytes((head + frame + frame)[:-cut] if cut < 200 else head + frame[:-1])
    if cut == 200:
        with pytest.raises(DeviceError, match=r"f\.y4m: cannot be shown: it has no whole frame"):
            Film(path)
    else:
        assert Film(path).frames == 1


def test_a_film_that_changes_under_the_camera_is_refused_and_not_misread(tmp_path: Path) -> None:
    path = tmp_path / "f.y4m"
    path.write_bytes(b"YUV4MPEG2 W16 H8 F25:1\n" + b"FRAME\n" + bytes(192))
    film = Film(path)
    path.write_bytes(b"short")
    with pytest.raises(DeviceError, match="frame 0 does not begin with a line FRAME"):
        film.picture(0)
    path.unlink()
    with pytest.raises(DeviceError, match="cannot be shown"):
        film.picture(0)
