"""Memory that tells whether anybody looks at it, and rooms for pictures that are used again when nobody does.

New memory for every frame costs as much as to copy one into it: the kernel clears each page of it. Source: Python's
buffer protocol (PEP 3118): whoever looks at memory keeps a reference to what gave it; madvise(2).
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from sys import getrefcount
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# A processor that has slept looks up every page anew: a picture lies in hundreds of small ones, or in one large one.
LARGE_PAGE: Final = 2 << 20


class Watched:
    """Memory from `address` on whose every view is a view of `whole`.

    A memoryview of it, a slice of that, and whatever array is made from these counts as a reference to it. So nobody
    looks as long as it has no more references than it had at first, whichever thread or collector let go last.
    """

    __slots__ = ("_alone", "address", "whole")

    whole: NDArray[np.uint8]

    def __init__(self, address: int) -> None:
        """`whole` is there by now, and nobody else has it."""
        self.address = address
        self._alone = getrefcount(self.whole)

    @property
    def held(self) -> bool:
        """Whether anybody looks at it."""
        return getrefcount(self.whole) != self._alone


class Room(Watched):
    """So many bytes of our own."""

    __slots__ = ()

    def __init__(self, length: int) -> None:
        self.whole = np.frombuffer(_memory(length), np.uint8)
        super().__init__(self.whole.ctypes.data)

    def view(self) -> memoryview[Any]:
        """Its bytes, to be looked at only."""
        return self.whole.data.toreadonly()


def _memory(length: int) -> memoryview[int]:
    """So many bytes, in large pages where they fill at least half of one and the kernel has any to give."""
    if length < LARGE_PAGE // 2:
        return memoryview(bytearray(length))
    pages = -(-length // LARGE_PAGE)
    # One more, which is never touched and so takes no memory: a large page begins at a multiple of its length only.
    found = mmap.mmap(-1, (pages + 1) * LARGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = -np.frombuffer(found, np.uint8).ctypes.data % LARGE_PAGE
    with suppress(OSError):  # a kernel without them
        found.madvise(mmap.MADV_HUGEPAGE, start, pages * LARGE_PAGE)
    return memoryview(found)[start : start + length]


class Rooms:
    """Rooms of `length` bytes, of which `most` are kept; one thread uses them at a time."""

    def __init__(self, length: int, most: int) -> None:
        self._length = length
        self._most = most
        self._rooms: list[Room] = []

    def free(self) -> Room:
        """One that nobody looks at: the same again while it can be, and while all are held a new one."""
        for room in self._rooms:
            if not room.held:
                return room
        room = Room(self._length)
        if len(self._rooms) < self._most:
            self._rooms.append(room)
        return room
