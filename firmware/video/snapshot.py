"""One picture as a JPEG file."""

from __future__ import annotations

import numpy as np
import simplejpeg

from hal.errors import OutOfRange
from hal.pictures import Picture, Plane
from hal.planes import Samples, samples

BEST, WORST = 100, 1


def jpeg_of(picture: Picture, *, quality: int = 80) -> bytes:
    """The picture as a baseline JPEG (JFIF) with 4:2:0 colour; `quality` 1 to 100. Pure.

    The planes are handed to the encoder as they are; only a picture in limited range is stretched first, because JFIF
    is full range. Raises OutOfRange for another quality. Source: ITU-T T.81, T.871.
    """
    if not WORST <= quality <= BEST:
        raise OutOfRange("jpeg", f"quality is {WORST} to {BEST} (got {quality})")
    y, u, v = _rows(picture.y, picture.u, picture.v)
    if picture.limited:
        y, u, v = _by(LUMA, picture.y), _by(COLOUR, picture.u), _by(COLOUR, picture.v)
    jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(y, u, v, quality=quality, fastdct=False)
    return jpeg


def _rows(*planes: Plane) -> list[memoryview | Samples]:
    """Planes in two dimensions; without numpy where nothing lies between the rows, which is the quicker way."""
    found: list[memoryview | Samples] = []
    for plane in planes:
        width, height = plane.width, plane.height
        if plane.stride == width:
            found.append(plane.data[: width * height].cast("B", (height, width)))
        else:
            found.append(np.ascontiguousarray(samples(plane)))
    return found


def _by(table: bytes, plane: Plane) -> Samples:
    """Every sample replaced by what the table says; bytes do it three times faster than an array as index."""
    return np.frombuffer(samples(plane).tobytes().translate(table), np.uint8).reshape(plane.height, plane.width)


def _stretched(zero: int, low: int, high: int) -> bytes:
    """Limited range to full range, for every sample there is."""
    wide = (np.arange(256) - low) * 255 / (high - low) + zero
    return np.clip(wide + 0.5, 0, 255).astype(np.uint8).tobytes()


LUMA = _stretched(0, 16, 235)
COLOUR = _stretched(0, 16, 240)
