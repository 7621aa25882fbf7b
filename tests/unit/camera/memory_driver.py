"""A driver whose buffers lie in a file in memory, and which writes over a buffer as soon as it is handed in.

So whoever still looks at a buffer that the driver has back sees the picture change. The buffers are really mapped, by
the code under test; only the ioctls end here.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections import deque
from itertools import count
from mmap import PAGESIZE

from hal.buses import v4l2_kernel as kernel
from hal.buses.rooms import Room

FILE = "camera-buffers"
SCRIBBLE = 0xEE


def pixels_of(letters: str, width: int = 64, height: int = 48, *, padding: int = 0) -> kernel.Pixels:
    """What a driver says of pictures in that format, with so many bytes behind each row of luma."""
    line = (2 * width if letters == "YUYV" else width) + padding
    size = line * height if letters == "YUYV" else line * height * 3 // 2
    return kernel.Pixels(
        width=width, height=height, pixelformat=kernel.fourcc(letters), bytesperline=line, sizeimage=size
    )


def room_of(data: bytes) -> Room:
    """Memory with these bytes."""
    room = Room(len(data))
    room.whole[:] = memoryview(data)
    return room


class MemoryDriver(kernel.Device):
    """A device that has begun its stream; `shoot` has a picture taken, all bytes of which are its number (0 to 237)."""

    def __init__(self, pixels: kernel.Pixels, buffers: int) -> None:
        self.memory = os.memfd_create(FILE)
        super().__init__(f"/proc/self/fd/{self.memory}")
        self.pixels = pixels
        self.room = -(-pixels.sizeimage // PAGESIZE) * PAGESIZE
        os.ftruncate(self.fd, buffers * self.room)
        self.empty: deque[int] = deque()  # with the driver, to be written to
        self.filled: deque[kernel.Buffer] = deque()
        self.handed_in: list[int] = []
        self.fails = 0  # the number of the error that every call ends with
        self._numbers, self._sequence = count(), count()
        self.map_buffers(buffers)
        self.handed_in.clear()

    def shoot(self, *, used: int | None = None, flags: int = 0, file: bytes | None = None) -> int:
        """Take a picture, or send a file; the number that it has."""
        number = next(self._numbers) % SCRIBBLE
        assert self.empty, "the driver has no buffer to write to"
        index = self.empty.popleft()
        self._write(index, number)
        size = self.pixels.sizeimage if used is None else used
        if file is not None:
            os.pwrite(self.memory, file, index * self.room)
            size = len(file)
        full = kernel.Buffer(index=index, type=kernel.CAPTURE, memory=kernel.MMAP, bytesused=size, flags=flags)
        full.sequence = next(self._sequence)
        self.filled.append(full)
        return number

    @property
    def with_driver(self) -> int:
        """How many buffers the driver has, empty or filled."""
        return len(self.empty) + len(self.filled)

    def close(self) -> None:
        """As the kernel's: only what is mapped is left."""
        super().close()
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1

    def ioctl(self, fd: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:  # type: ignore[override]
        """The ioctls of buffers; as the kernel does, it fills in all of a structure."""
        if self.fails:
            raise OSError(self.fails, os.strerror(self.fails))
        if request in (kernel.STREAMON, kernel.STREAMOFF, kernel.REQBUFS):
            return
        assert isinstance(argument, kernel.Buffer)
        assert (argument.type, argument.memory) == (kernel.CAPTURE, kernel.MMAP)
        if request == kernel.QUERYBUF:
            argument.length, argument.m.offset = self.pixels.sizeimage, argument.index * self.room
        elif request == kernel.QBUF:
            out = {*self.empty, *(each.index for each in self.filled)}
            assert argument.index not in out, "handed in twice"
            argument.sequence, argument.flags = 0, 2
            self._write(argument.index, SCRIBBLE)
            self.empty.append(argument.index)
            self.handed_in.append(argument.index)
        elif request == kernel.DQBUF:
            if not self.filled:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            ctypes.pointer(argument)[0] = self.filled.popleft()
        else:
            raise AssertionError(f"{request:#x}")

    def _write(self, index: int, number: int) -> None:
        os.pwrite(self.memory, bytes([number]) * self.pixels.sizeimage, index * self.room)
