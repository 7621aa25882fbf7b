"""Packed pictures made planar by libyuv, loaded at run time; on a system without it by numpy, eight times slower.

Source: libyuv's headers convert.h and planar_functions.h; the library is a package of the operating system (libyuv0).
"""

from __future__ import annotations

import ctypes
import functools
import logging

import numpy as np

from hal.buses.rooms import Room, Rooms
from hal.pictures import Layout, Picture, Plane, Size
from hal.planes import Samples, from_yuyv, samples

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


def planar(data: bytes | memoryview, size: Size, stride: int, *, limited: bool, rooms: Rooms | None = None) -> Picture:
    """As `hal.planes.from_yuyv`, sample by sample. Keeps nothing of `data`; `rooms` are of the picture's length.

    Raises ValueError for too few bytes, odd sizes, or a stride below two bytes a sample.
    """
    library = load()
    if library is None or size.width % 2 or size.height % 2:
        return from_yuyv(data, size, stride, limited=limited)
    width, height = size.width, size.height
    packed = samples(Plane(memoryview(data), 2 * width, height, stride))
    whole, quarter = width * height, width * height // 4
    room = Room(whole + 2 * quarter) if rooms is None else rooms.free()
    at, half = room.address, width // 2
    library.YUY2ToI420(
        packed.ctypes.data, stride, at, width, at + whole, half, at + whole + quarter, half, width, height
    )
    return Layout(width, height, limited=limited).picture(room.view())


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
