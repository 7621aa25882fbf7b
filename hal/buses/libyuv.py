"""Packed pictures made planar by libyuv, loaded at run time; on a system without it by numpy, eight times slower.

Source: libyuv's headers convert.h and planar_functions.h; the library is a package of the operating system (libyuv0).
"""

from __future__ import annotations

import ctypes
import functools
import logging

import numpy as np

from hal.buses.rooms import Rooms, Watched
from hal.pictures import Layout, Picture, Size
from hal.planes import Samples, from_yuyv

LIBRARY = "libyuv.so.0"

log = logging.getLogger("hal.camera")


@functools.cache
def load(name: str = LIBRARY) -> ctypes.CDLL | None:
    """The library; None, which is logged, where this system has none."""
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        log.warning("packed pictures cost more than they need to: %s; the package libyuv0 has it", error)
        return None
    plane = (ctypes.c_void_p, ctypes.c_int)
    library.YUY2ToI420.argtypes = (*plane, *plane, *plane, *plane, ctypes.c_int, ctypes.c_int)
    library.InterpolatePlane.argtypes = (*plane, *plane, *plane, ctypes.c_int, ctypes.c_int, ctypes.c_int)
    return library


class Packed:
    """Packed pictures of one size (Y U Y V) made planar, sample by sample as `hal.planes.from_yuyv` makes them.

    `most` of the pictures are kept room for. Raises ValueError for odd sizes, or a stride below two bytes a sample.
    """

    def __init__(self, size: Size, stride: int, *, limited: bool, most: int) -> None:
        width, height = size.width, size.height
        self._layout = Layout(width, height, limited=limited)
        if stride < 2 * width:
            raise ValueError(f"no plane has {2 * width} x {height} samples with rows of {stride} bytes")
        self._size, self._stride, self._limited = size, stride, limited
        self.needed = stride * (height - 1) + 2 * width
        self._rooms = Rooms(self._layout.needed, most)
        self._library = load()

    def picture(self, memory: Watched, used: int) -> Picture:
        """The picture in the first so many bytes of some memory, of which it keeps nothing.

        Raises ValueError for too few of them.
        """
        used = min(used, memory.whole.nbytes)
        if used < self.needed:
            raise ValueError(f"a packed picture of {self._size} needs {self.needed} bytes (got {used})")
        if self._library is None:
            return from_yuyv(memory.whole.data, self._size, self._stride, limited=self._limited)
        layout, room = self._layout, self._rooms.free()
        width, half, at = layout.width, layout.half_width, room.address
        u = at + width * layout.height
        v = u + half * layout.half_height
        stride, height = self._stride, layout.height
        self._library.YUY2ToI420(memory.address, stride, at, width, u, half, v, half, width, height)
        return layout.picture(room.view())


def mean_of_rows(rows: Samples, out: Samples) -> None:
    """Every two rows, which lie one after the other, as one of `out`: the mean of both, rounded up."""
    height, width = out.shape
    library = load()
    if library is None:
        upper, lower = rows[0::2].astype(np.uint16), rows[1::2]
        out[:] = (upper + lower + 1) // 2
        return
    at, both = rows.ctypes.data, 2 * width
    library.InterpolatePlane(at, both, at + width, both, out.ctypes.data, width, width, height, 128)
