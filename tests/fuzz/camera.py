"""Files as a USB camera sends them, through the very code that decodes Motion JPEG."""

from __future__ import annotations

from functools import cache

from hal.buses.motion_jpeg import Decoder, Torn, load
from hal.pictures import Size
from hal.planes import samples

SIZE = Size(64, 48)


@cache
def _decoder() -> Decoder:
    library = load()
    assert library is not None, "the package libturbojpeg0 is missing"
    return Decoder(SIZE, library)


def motion(data: bytes) -> None:
    """A file: refused, or a picture of the size whose every sample can be read."""
    try:
        picture = _decoder().picture(data)
    except Torn:
        return
    for plane, part in ((picture.y, 1), (picture.u, 2), (picture.v, 2)):
        assert samples(plane).copy().shape == (SIZE.height // part, SIZE.width // part)
