"""The kernel's video interface (V4L2), as much of it as a camera needs: structures, request numbers, one open device.

Source: the kernel's userspace API, videodev2.h. Layouts come from ctypes, so that they fit the processor.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable
from typing import ClassVar, Final

from hal.buses.mapped import Mapped

CAPTURE: Final = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
MMAP: Final = 1
CAN_CAPTURE, CAN_STREAM, DEVICE_CAPS = 0x1, 0x0400_0000, 0x8000_0000
BUFFER_ERROR = 0x40
MONOTONIC = 0x2000
DISABLED, INACTIVE = 0x1, 0x10
FULL_RANGE = 1  # V4L2_QUANTIZATION_FULL_RANGE
JPEG_COLOURS = 7  # V4L2_COLORSPACE_JPEG, which is full range
DISCRETE = 1  # V4L2_FRMIVAL_TYPE_DISCRETE
PIXELS_MAGIC = 0xFEEDCAFE  # says that the fields after colorspace count


class Capability(ctypes.Structure):
    """struct v4l2_capability"""

    _fields_ = [
        ("driver", ctypes.c_char * 16), ("card", ctypes.c_char * 32), ("bus_info", ctypes.c_char * 32),
        ("version", ctypes.c_uint32), ("capabilities", ctypes.c_uint32), ("device_caps", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    ]  # fmt: skip


class Pixels(ctypes.Structure):
    """struct v4l2_pix_format"""

    _fields_ = [
        ("width", ctypes.c_uint32), ("height", ctypes.c_uint32), ("pixelformat", ctypes.c_uint32),
        ("field", ctypes.c_uint32), ("bytesperline", ctypes.c_uint32), ("sizeimage", ctypes.c_uint32),
        ("colorspace", ctypes.c_uint32), ("priv", ctypes.c_uint32), ("flags", ctypes.c_uint32),
        ("ycbcr_enc", ctypes.c_uint32), ("quantization", ctypes.c_uint32), ("xfer_func", ctypes.c_uint32),
    ]  # fmt: skip


class _FormatOf(ctypes.Union):
    # The kernel's union holds a pointer elsewhere, which decides its alignment.
    _fields_ = [("pix", Pixels), ("raw", ctypes.c_uint8 * 200), ("aligned", ctypes.c_void_p)]


class Format(ctypes.Structure):
    """struct v4l2_format"""

    _fields_ = [("type", ctypes.c_uint32), ("fmt", _FormatOf)]


class Rate(ctypes.Structure):
    """struct v4l2_streamparm, of a capture device"""

    _fields_ = [
        ("type", ctypes.c_uint32), ("capability", ctypes.c_uint32), ("capturemode", ctypes.c_uint32),
        ("numerator", ctypes.c_uint32), ("denominator", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 184),
    ]  # fmt: skip


class BufferCount(ctypes.Structure):
    """struct v4l2_requestbuffers"""

    _fields_ = [
        ("count", ctypes.c_uint32), ("type", ctypes.c_uint32), ("memory", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32), ("flags", ctypes.c_uint32),
    ]  # fmt: skip


class _Time(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("us", ctypes.c_long)]


class _Place(ctypes.Union):
    _fields_ = [("offset", ctypes.c_uint32), ("userptr", ctypes.c_ulong), ("fd", ctypes.c_int32)]


class Buffer(ctypes.Structure):
    """struct v4l2_buffer"""

    _fields_ = [
        ("index", ctypes.c_uint32), ("type", ctypes.c_uint32), ("bytesused", ctypes.c_uint32),
        ("flags", ctypes.c_uint32), ("field", ctypes.c_uint32), ("timestamp", _Time),
        ("timecode", ctypes.c_uint8 * 16), ("sequence", ctypes.c_uint32), ("memory", ctypes.c_uint32),
        ("m", _Place), ("length", ctypes.c_uint32), ("reserved2", ctypes.c_uint32), ("request_fd", ctypes.c_uint32),
    ]  # fmt: skip


class Query(ctypes.Structure):
    """struct v4l2_queryctrl"""

    _fields_ = [
        ("id", ctypes.c_uint32), ("type", ctypes.c_uint32), ("name", ctypes.c_char * 32),
        ("minimum", ctypes.c_int32), ("maximum", ctypes.c_int32), ("step", ctypes.c_int32),
        ("default_value", ctypes.c_int32), ("flags", ctypes.c_uint32), ("reserved", ctypes.c_uint32 * 2),
    ]  # fmt: skip


class Value(ctypes.Structure):
    """struct v4l2_control"""

    _fields_ = [("id", ctypes.c_uint32), ("value", ctypes.c_int32)]


class Interval(ctypes.Structure):
    """struct v4l2_frmivalenum: one interval, or the shortest of a range of them"""

    _fields_ = [
        ("index", ctypes.c_uint32), ("pixel_format", ctypes.c_uint32), ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32), ("type", ctypes.c_uint32), ("numerator", ctypes.c_uint32),
        ("denominator", ctypes.c_uint32), ("rest", ctypes.c_uint32 * 4), ("reserved", ctypes.c_uint32 * 2),
    ]  # fmt: skip


def _request(number: int, size: int, *, reads: bool, writes: bool) -> int:
    """The number of an ioctl, as <asm-generic/ioctl.h> makes it; `reads` is seen from the program."""
    return (2 * reads + writes) << 30 | size << 16 | ord("V") << 8 | number


QUERYCAP = _request(0, ctypes.sizeof(Capability), reads=True, writes=False)
G_FMT = _request(4, ctypes.sizeof(Format), reads=True, writes=True)
S_FMT = _request(5, ctypes.sizeof(Format), reads=True, writes=True)
REQBUFS = _request(8, ctypes.sizeof(BufferCount), reads=True, writes=True)
QUERYBUF = _request(9, ctypes.sizeof(Buffer), reads=True, writes=True)
QBUF = _request(15, ctypes.sizeof(Buffer), reads=True, writes=True)
DQBUF = _request(17, ctypes.sizeof(Buffer), reads=True, writes=True)
STREAMON = _request(18, ctypes.sizeof(ctypes.c_int), reads=False, writes=True)
STREAMOFF = _request(19, ctypes.sizeof(ctypes.c_int), reads=False, writes=True)
S_PARM = _request(22, ctypes.sizeof(Rate), reads=True, writes=True)
S_CTRL = _request(28, ctypes.sizeof(Value), reads=True, writes=True)
QUERYCTRL = _request(36, ctypes.sizeof(Query), reads=True, writes=True)
ENUM_FRAMEINTERVALS = _request(75, ctypes.sizeof(Interval), reads=True, writes=True)


def fourcc(name: str) -> int:
    """A pixel format's number from its four letters."""
    return int.from_bytes(name.encode("ascii"), "little")


PLANAR, PACKED, MOTION = fourcc("YU12"), fourcc("YUYV"), fourcc("MJPG")


class Device:
    """One open video device, with its buffers mapped. Every call raises OSError."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.buffers: list[Mapped] = []
        self._full = Buffer(type=CAPTURE, memory=MMAP)
        self._empty: list[Buffer] = []

    # Not by a method of ours: two of these are made for every frame.
    ioctl: ClassVar[Callable[..., object]] = staticmethod(fcntl.ioctl)

    def call(self, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        """One ioctl, which fills in `argument`."""
        self.ioctl(self.fd, request, argument)

    def query(self, number: int) -> Query | None:
        """What a control can be set to; None when the camera has not got it, or it has no effect now."""
        query = Query(id=number)
        try:
            self.call(QUERYCTRL, query)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return None
            raise
        return None if query.flags & DISABLED else query

    def set(self, number: int, value: int) -> None:
        """Set a control."""
        self.call(S_CTRL, Value(id=number, value=value))

    def map_buffers(self, count: int) -> None:
        """Get buffers from the driver, map them and hand them all in."""
        wanted = BufferCount(count=count, type=CAPTURE, memory=MMAP)
        self.call(REQBUFS, wanted)
        for index in range(wanted.count):
            buffer = Buffer(index=index, type=CAPTURE, memory=MMAP)
            self.call(QUERYBUF, buffer)
            self.buffers.append(Mapped(self.fd, buffer.length, buffer.m.offset))
            # Not the structure that frames are fetched with: the kernel clears stamp and sequence in this one.
            self._empty.append(Buffer(index=index, type=CAPTURE, memory=MMAP))
            self.hand_in(index)

    def fetch(self) -> Buffer:
        """The oldest buffer that is full, which is ours until it is handed in. Raises BlockingIOError for none.

        What is answered is the same structure each time, filled in anew.
        """
        self.ioctl(self.fd, DQBUF, self._full)
        return self._full

    def hand_in(self, index: int) -> None:
        """Let the driver fill a buffer."""
        self.ioctl(self.fd, QBUF, self._empty[index])

    def stream(self, on: bool) -> None:
        """Start or stop the stream."""
        self.call(STREAMON if on else STREAMOFF, ctypes.c_int(CAPTURE))

    def close(self) -> None:
        """Let go of the buffers and close; what somebody still looks at stays as it is. Closing twice is harmless.

        It is closed, too, where it raises: OSError of a buffer that could not be parted from.
        """
        failed: OSError | None = None
        while self.buffers:
            try:
                self.buffers.pop(0).part()
            except OSError as error:
                failed = error.with_traceback(None)  # whose trace would keep the buffer mapped
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if failed is not None:
            raise failed
