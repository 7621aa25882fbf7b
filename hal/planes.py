"""Pictures as numpy arrays, without a copy, and what can be done to them that way.

Only the media role imports this room: numpy costs memory that the process of the door does not spend.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hal.pictures import Picture, Plane, Size

Samples = NDArray[np.uint8]


def samples(plane: Plane) -> Samples:
    """The plane as rows and columns; a view, which cannot be written to."""
    return np.ndarray((plane.height, plane.width), np.uint8, plane.data, strides=(plane.stride, 1))


def plane_of(rows: Samples) -> Plane:
    """Rows of samples as a plane; contiguous ones without a copy."""
    packed = np.ascontiguousarray(rows)
    height, width = packed.shape
    return Plane(packed.data, width, height, width)


def picture_of(y: Samples, u: Samples, v: Samples, *, limited: bool = False) -> Picture:
    """Three arrays as a picture. Raises ValueError when they do not fit together."""
    return Picture(plane_of(y), plane_of(u), plane_of(v), limited)


def scaled(picture: Picture, size: Size) -> Picture:
    """The picture in another size, by the nearest sample; the same picture when it has that size already."""
    if (picture.width, picture.height) == (size.width, size.height):
        return picture
    return picture_of(
        _nearest(samples(picture.y), size.width, size.height),
        _nearest(samples(picture.u), size.width // 2, size.height // 2),
        _nearest(samples(picture.v), size.width // 2, size.height // 2),
        limited=picture.limited,
    )


def thinned(plane: Plane, size: Size) -> Plane:
    """One plane in another size, as `scaled` makes it."""
    return plane_of(_nearest(samples(plane), size.width, size.height))


def _nearest(rows: Samples, width: int, height: int) -> Samples:
    """Takes the sample in the middle of what each new one stands for."""
    old_height, old_width = rows.shape
    if old_width % width == 0 and old_height % height == 0:  # by whole steps: the same samples, a seventh of the time
        right, lower = old_width // width, old_height // height
        return rows[lower // 2 :: lower, right // 2 :: right]
    across = (2 * np.arange(width) + 1) * old_width // (2 * width)
    down = (2 * np.arange(height) + 1) * old_height // (2 * height)
    picked: Samples = rows[down][:, across]
    return picked


def from_yuyv(data: bytes | memoryview, size: Size, stride: int, *, limited: bool) -> Picture:
    """A picture from packed 4:2:2 (Y U Y V), the format of most USB cameras; colour of two rows is averaged.

    Raises ValueError for too few bytes, odd sizes, or a stride below two bytes a sample.
    """
    if size.width % 2 or size.height % 2:
        raise ValueError(f"width and height are even (got {size})")
    packed = samples(Plane(memoryview(data), 2 * size.width, size.height, stride))
    colour = packed[:, 1::2]
    upper, lower = colour[0::2].astype(np.uint16), colour[1::2].astype(np.uint16)
    mixed = ((upper + lower + 1) // 2).astype(np.uint8)
    return picture_of(packed[:, 0::2], mixed[:, 0::2], mixed[:, 1::2], limited=limited)
