"""A driver's memory in this process, which tells whether anybody looks at it, and can outlive the driver's file.

Python's own mmap is no use for that: it keeps a second descriptor of the file, and whoever still looks when it is
closed is an error. Source: mmap(2), mremap(2).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from typing import Final

import numpy as np

from hal.buses.rooms import Watched

_MAYMOVE, _FIXED = 1, 2  # of mremap
_FAILED: Final = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.argtypes = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
)  # fmt: skip
_libc.mmap.restype = ctypes.c_void_p
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mremap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p)
_libc.mremap.restype = ctypes.c_void_p


class Mapped(Watched):
    """`length` bytes of a file from `offset` on, only to be read. Raises OSError."""

    __slots__ = ("length",)

    def __init__(self, fd: int, length: int, offset: int) -> None:
        self.length = length
        address = _map(length, mmap.PROT_READ, mmap.MAP_SHARED, fd, offset)
        there = memoryview((ctypes.c_ubyte * length).from_address(address))
        self.whole = np.frombuffer(there, np.uint8)
        self.whole.flags.writeable = False
        # Unmaps what is at the address then, once there is no view any more, which may be long after us. It can neither
        # fail (the range is our own) nor wait for anybody. At exit the kernel does it: some may look until then.
        weakref.finalize(self.whole, _libc.munmap, address, length).atexit = False
        super().__init__(address)

    def part(self) -> None:
        """Part from the file, which cannot close as long as memory of it is mapped: what is looked at becomes a copy.

        The copy takes the place of the memory in one step, so a thread that reads meanwhile notices nothing. Raises
        OSError when there is no memory for it: then everything is as it was.
        """
        if not self.held:
            return
        copy = _map(self.length, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        ctypes.memmove(copy, self.address, self.length)
        if _libc.mremap(copy, self.length, self.length, _MAYMOVE | _FIXED, self.address) == _FAILED:
            number = ctypes.get_errno()
            _libc.munmap(copy, self.length)
            raise OSError(number, os.strerror(number))


def _map(length: int, protection: int, flags: int, fd: int, offset: int) -> int:
    address = _libc.mmap(None, length, protection, flags, fd, offset)
    if address is None or address == _FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(address)
