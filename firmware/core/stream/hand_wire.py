"""What crosses between network and media about viewers whose connections media writes to.

Network hands over a connection, with what its viewer wants; it may take it back at any time, gently (the picture that
is on its way goes out first) or at once. Media says when it has let go of one, and why. Media's first packet carries
its `Page`, in which it keeps of every seat whether a picture has gone out in part: what network has to know to go on
with a connection when media dies.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from firmware.core.stream.wire import Cut

SEATS = 128  # of one connection between the roles; as many as may look in all
# Network says so often that it is there, with the next word that it hears; media takes no more than so long a silence.
HERE_S, SILENT_S = 5.0, 20.0
# Media says so more often: a viewer of a media role that hangs is shown nothing. How long a silence network takes is
# how long a source may be silent (`screen.SILENT_S`).
MEDIA_HERE_S = 1.0
STALL_S_MAX = 3600

_HAND = struct.Struct("!BBHHhBIqI")  # kind, seat, width, height, compression, fps, most, since, stall in ms
_WORD = struct.Struct("!BBB")  # kind, seat, why
_KIND_HAND, _KIND_END, _KIND_CUT, _KIND_HERE, _KIND_LEFT, _KIND_OPENED = range(1, 7)
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class Why(IntEnum):
    """Why media has let go of a connection."""

    ASKED = 1
    DONE = 2
    STALLED = 3
    GONE = 4
    FULL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A connection to write to, and what its viewer wants: the pictures of a cut, at its rate.

    `most` is how many pictures (0: no end), `since_ns` the time of the newest one that it has seen, `stall_s` how long
    it may take to take one.
    """

    seat: int
    cut: Cut
    most: int = 0
    since_ns: int = -1
    stall_s: float


@dataclass(frozen=True, slots=True)
class End:
    """Network wants a connection back: behind the picture that is on its way, or `at_once`."""

    seat: int
    at_once: bool


@dataclass(frozen=True, slots=True)
class Here:
    """Network is there, and could take back what it has handed over; or media is, and shows what it was handed."""


@dataclass(frozen=True, slots=True)
class Left:
    """Media has let go of a connection: nothing more is written to it."""

    seat: int
    why: Why


@dataclass(frozen=True, slots=True)
class Opened:
    """Media's first word; its page comes along."""


Word = Hand | End | Here | Left | Opened


def pack_word(word: Word) -> bytes:
    """A word as a packet."""
    match word:
        case Hand(seat=seat, cut=cut, most=most, since_ns=since_ns, stall_s=stall_s):
            compression = -1 if cut.compression is None else cut.compression
            numbers = (cut.width, cut.height, compression, cut.fps, most, since_ns, round(stall_s * 1e3))
            return _HAND.pack(_KIND_HAND, seat, *numbers)
        case End(seat, at_once):
            return _WORD.pack(_KIND_CUT if at_once else _KIND_END, seat, 0)
        case Here():
            return _WORD.pack(_KIND_HERE, 0, 0)
        case Left(seat, why):
            return _WORD.pack(_KIND_LEFT, seat, why)
        case Opened():
            return _WORD.pack(_KIND_OPENED, 0, 0)


def read_word(data: bytes) -> Word:
    """The word in a packet. Raises ValueError for what is none."""
    if len(data) == _HAND.size and data[0] == _KIND_HAND:
        return _read_hand(data)
    if len(data) != _WORD.size:
        raise ValueError(f"no word has {len(data)} bytes")
    kind, seat, why = _WORD.unpack(data)
    check_seat(seat)
    words: dict[int, Callable[[], Word]] = {
        _KIND_END: lambda: End(seat, at_once=False),
        _KIND_CUT: lambda: End(seat, at_once=True),
        _KIND_HERE: Here,
        _KIND_LEFT: lambda: Left(seat, Why(why)),
        _KIND_OPENED: Opened,
    }
    if kind not in words:
        raise ValueError(f"no word has kind {kind}")
    return words[kind]()


def _read_hand(data: bytes) -> Hand:
    _, seat, width, height, compression, fps, most, since_ns, stall_ms = _HAND.unpack(data)
    check_seat(seat)
    if not 0 < stall_ms <= STALL_S_MAX * 1000:
        raise ValueError(f"a viewer is waited for up to {STALL_S_MAX} s (got {stall_ms} ms)")
    cut = Cut(width=width, height=height, compression=None if compression == -1 else compression, fps=fps)
    return Hand(seat=seat, cut=cut, most=most, since_ns=since_ns, stall_s=stall_ms / 1e3)


def check_seat(seat: int) -> None:
    """Raises ValueError for a seat that there is not."""
    if not 0 <= seat < SEATS:
        raise ValueError(f"seats are 0 to {SEATS - 1} (got {seat})")


class Page:
    """Media's end of the page: a mark for each seat while a picture is on its way, and a count where there is a `most`.

    It outlives its writer. Its size is sealed; readers read it as a file and map nothing.
    """

    SIZE = SEATS + 4 * SEATS

    def __init__(self) -> None:
        """Raises OSError."""
        self.file = os.memfd_create("lintel-viewers", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.file, self.SIZE)
            fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, _SEALS)
            self.marks = mmap.mmap(self.file, self.SIZE)
        except OSError:
            os.close(self.file)
            raise

    def count(self, seat: int, shown: int) -> None:
        """So many pictures have been shown there."""
        struct.pack_into("=I", self.marks, SEATS + 4 * seat, shown)

    def close(self) -> None:
        """Let go of it; whoever has its file reads on."""
        self.marks.close()
        os.close(self.file)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the page says of a seat: whether a picture has gone out in part, and how many were shown if counted."""

    torn: bool
    shown: int


def read_mark(file: int, seat: int) -> Mark:
    """A seat's mark in the file of a page; of a file that is no page nothing is known: everything is torn."""
    try:
        torn, shown = os.pread(file, 1, seat), os.pread(file, 4, SEATS + 4 * seat)
    except OSError:
        return Mark(torn=True, shown=0)
    if len(torn) != 1 or len(shown) != 4:
        return Mark(torn=True, shown=0)
    return Mark(torn != b"\0", struct.unpack("=I", shown)[0])
