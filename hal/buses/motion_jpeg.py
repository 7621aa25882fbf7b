"""Motion JPEG of USB cameras made planar by TurboJPEG, loaded at run time.

Such cameras send torn files: the end is missing, or a packet in the middle. A decoder makes a picture of any of these,
half of it grey, so what it warns of counts as an error here. It does not notice everything: coded samples fall into
step again behind a gap, and when just as many blocks come out as there should be, nothing is missing for it. Two things
it warns of are no error: a few zeros between the samples and the end, with which cameras fill a packet or a word, and a
version of JFIF other than 1.

Only what a camera really sends is decoded at all, one sequential scan of all components in the size of the mode: a file
of many scans could keep a decoder busy for seconds.

Source: ITU-T T.81, B.1 and B.2 (markers, frame and scan headers); JFIF 1.02 (its segment); TurboJPEG's header
turbojpeg.h; the library is a package of the operating system (libturbojpeg0). libyuv decodes, too, but cannot tell that
a packet is missing.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import numpy as np

from hal.buses.libyuv import mean_of_rows
from hal.buses.rooms import Rooms
from hal.pictures import Layout, Picture, Size
from hal.planes import Samples

LIBRARY = "libturbojpeg.so.0"
PACKAGE = "libturbojpeg0"

_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_JFIF: Final = b"JFIF\0"  # how the segment APP0 begins; the version follows, the part before the dot in one byte
_APP0: Final = 0xE0
_MOST_PADDING = 64
_BASELINE, _EXTENDED, _SCAN = 0xC0, 0xC1, 0xDA  # SOF0, SOF1, SOS
_NO_FRAMES = frozenset({0xC4, 0xC8, 0xCC})  # DHT, JPG, DAC, amid the numbers of frames
_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a segment, which no header has
_MOST_SEGMENTS = 64

# TJFLAG_STOPONWARNING, TJFLAG_ACCURATEDCT
_FLAGS = 8192 | 4096
_GREY: Final = 3  # TJSAMP_GRAY
_SAMPLINGS: Final = frozenset({0, 1, 2, _GREY, 4, 5})  # 4:4:4, 4:2:2, 4:2:0, grey, 4:4:0, 4:1:1
_NEUTRAL: Final = 128

# As many pictures as are looked at at once, at most: the newest, two before it, a detector's, and the next.
ROOMS = 5


class Torn(ValueError):
    """What came is no whole picture of the mode."""


@functools.cache
def load(name: str = LIBRARY) -> ctypes.CDLL | None:
    """The library; None where this system has none, or one without what is used of it."""
    try:
        return _declared(ctypes.CDLL(name))
    except (OSError, AttributeError):
        return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """With what its functions take and answer. Raises AttributeError where it lacks one."""
    handle, file, number = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_ulong), ctypes.c_int
    pointer = ctypes.c_void_p
    library.tjInitDecompress.restype = handle
    library.tjDestroy.argtypes = (handle,)
    library.tjDecompressHeader3.argtypes = (handle, *file, pointer, pointer, pointer, pointer)
    library.tjDecompressToYUVPlanes.argtypes = (handle, *file, pointer, number, pointer, number, number)
    library.tjPlaneWidth.argtypes = library.tjPlaneHeight.argtypes = (number, number, number)
    library.tjGetErrorStr2.argtypes = (handle,)
    library.tjGetErrorStr2.restype = ctypes.c_char_p
    return library


def checked(file: bytes, size: Size) -> tuple[bytes, int]:
    """The file as a decoder is to see it, and where its coded samples begin.

    Raises Torn where its header is not that of a camera's picture of that size.
    """
    if not file.startswith(_START):
        raise Torn("it does not begin as a JPEG file")
    at, components = len(_START), 0
    for _ in range(_MOST_SEGMENTS):
        head = file[at : at + 4]
        if len(head) < 4 or head[0] != 0xFF:
            raise Torn("its header ends before the picture begins")
        kind, length = head[1], int.from_bytes(head[2:], "big")
        if kind == 0xFF:  # a marker may have any number of these before it
            at += 1
            continue
        if kind in _ALONE or length < 2:
            raise Torn(f"its header has a marker {kind:#04x} out of place")
        segment = file[at + 4 : at + 2 + length]
        if kind == _SCAN:
            if not components or segment[:1] != bytes([components]):
                raise Torn("its first scan is not that of the whole picture")
            return file, at + 2 + length
        if kind == _APP0 and segment.startswith(_JFIF):
            version = at + 4 + len(_JFIF)
            if file[version : version + 1] not in (b"", b"\1"):
                file = file[:version] + b"\1" + file[version + 1 :]
        if 0xC0 <= kind <= 0xCF and kind not in _NO_FRAMES:
            if components:
                raise Torn("it has two frame headers")
            components = _frame(kind, segment, size)
        at += 2 + length
    raise Torn(f"no picture begins in its first {_MOST_SEGMENTS} segments")


def without_padding(file: bytes, begins: int) -> Iterator[bytes]:
    """A file whose samples begin there as it may have been before zeros were put in front of its end.

    The samples may themselves end in a zero, or rarely in two; a byte of ones always has one behind it (T.81, F.1.2.3).
    """
    end = file.find(_END, begins)
    samples = file[begins : max(end, begins)].rstrip(b"\0")
    own = samples.endswith(b"\xff")
    for kept in range(own, own + 3):
        start = begins + len(samples) + kept
        if 0 < end - start <= _MOST_PADDING:
            yield file[:start] + _END


def _frame(kind: int, segment: bytes, size: Size) -> int:
    """The number of components that a frame header tells of."""
    if kind not in (_BASELINE, _EXTENDED):
        raise Torn(f"its coding {kind:#04x} is none of cameras")
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5] or segment[5] not in (1, 3) or segment[0] != 8:
        raise Torn("its frame header is none of cameras")
    found = Size(int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big"))
    if found != size:
        raise Torn(f"its size is {found} instead of {size}")
    return segment[5]


def known(sampling: int) -> int:
    """That number of TurboJPEG's. Raises Torn for one whose colour is not made 4:2:0 here, such as 4:4:1."""
    if sampling not in _SAMPLINGS:
        raise Torn(f"its sampling of colour (TurboJPEG's number {sampling}) is none of cameras")
    return sampling


class Decoder:
    """Decodes the pictures of one stream, one at a time, in any thread."""

    def __init__(self, size: Size, library: ctypes.CDLL) -> None:
        self._size = size
        self._library = library
        self._handle = ctypes.c_void_p(library.tjInitDecompress())
        if not self._handle:
            raise MemoryError("TurboJPEG has no memory")
        weakref.finalize(self, library.tjDestroy, self._handle).atexit = False  # a thread may be at work then
        self._layout = Layout(size.width, size.height)
        self._rooms = Rooms(self._layout.needed, ROOMS)
        self._larger = (np.empty((0, 0), np.uint8),) * 2  # colour before it is halved, seen by nobody: the same again

    def picture(self, file: bytes) -> Picture:
        """The picture in a file, in full range. Raises Torn."""
        file, begins = checked(file, self._size)
        height, width = self._size.height, self._size.width
        sampling = self._sampling(file)
        room = self._rooms.free()
        luma, colour = width * height, width * height // 4
        y = room.whole[:luma].reshape(height, width)
        u, v = (room.whole[start : start + colour].reshape(height // 2, width // 2) for start in (luma, luma + colour))
        if sampling == _GREY:
            self._decode(file, begins, [y])
            room.whole[luma:] = _NEUTRAL
            return self._layout.picture(room.view())
        shape = self._library.tjPlaneHeight(1, height, sampling), self._library.tjPlaneWidth(1, width, sampling)
        if shape == u.shape:
            self._decode(file, begins, [y, u, v])
            return self._layout.picture(room.view())
        if self._larger[0].shape != shape:
            self._larger = (np.empty(shape, np.uint8), np.empty(shape, np.uint8))
        self._decode(file, begins, [y, *self._larger])
        for larger, half in zip(self._larger, (u, v), strict=True):
            halve(larger, half)
        return self._layout.picture(room.view())

    def _sampling(self, file: bytes) -> int:
        found = [ctypes.c_int() for _ in range(4)]
        width, height, sampling, _ = found
        self._asked(self._library.tjDecompressHeader3(self._handle, file, len(file), *map(ctypes.byref, found)))
        if Size(width.value, height.value) != self._size:
            raise Torn("its header can be read in two ways")
        return known(sampling.value)

    def _decode(self, file: bytes, begins: int, planes: list[Samples]) -> None:
        try:
            self._decode_as_it_is(file, planes)
        except Torn:
            for shorter in without_padding(file, begins):
                with suppress(Torn):
                    return self._decode_as_it_is(shorter, planes)
            raise

    def _decode_as_it_is(self, file: bytes, planes: list[Samples]) -> None:
        addresses = (ctypes.c_void_p * 3)(*(plane.ctypes.data for plane in planes))
        strides = (ctypes.c_int * 3)(*(plane.shape[1] for plane in planes))
        width, height = self._size.width, self._size.height
        self._asked(
            self._library.tjDecompressToYUVPlanes(
                self._handle, file, len(file), addresses, width, strides, height, _FLAGS
            )
        )

    def _asked(self, outcome: int) -> None:
        if outcome:
            raise Torn(self._library.tjGetErrorStr2(self._handle).decode(errors="replace"))


def halve(colour: Samples, out: Samples) -> None:
    """A colour plane in the size that colour has in 4:2:0: what is more is averaged, what is less is repeated."""
    height, width = out.shape
    rows = colour[: 2 * height] if len(colour) >= 2 * height else colour
    if len(rows) > height and rows.shape[1] == width:
        mean_of_rows(rows, out)
        return
    if len(rows) > height:
        rows, both = np.empty((height, rows.shape[1]), np.uint8), rows
        mean_of_rows(both, rows)
    if rows.shape[1] >= 2 * width:
        left, right = rows[:, 0 : 2 * width : 2].astype(np.uint16), rows[:, 1 : 2 * width : 2]
        out[:] = (left + right + 1) // 2
    else:
        out[:] = np.repeat(rows, 2, axis=1)[:, :width]
