"""Handing viewers over to the media role: it writes the pictures to their connections itself, and none crosses to here.

The connection stays ours as well: we see its client hang up, and whoever loses the right to look is taken back. When
media dies, a connection in the middle of a picture can only be closed; any other goes on as media left it. When media
hangs, all can only be closed: it could wake up and write.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from firmware.core.stream.hand_wire import (
    HERE_S,
    SEATS,
    End,
    Hand,
    Here,
    Left,
    Opened,
    Why,
    pack_word,
    read_mark,
    read_word,
)
from firmware.core.stream.packets import Packets, connected
from firmware.core.stream.screen import SILENT_S
from firmware.core.stream.silence import Silence
from firmware.core.stream.wire import Cut
from hal.clock import Clock

OPEN_S = 1.0

log = logging.getLogger("lintel.video")


@dataclass(frozen=True, slots=True)
class Over:
    """How it ended: why media let go of the connection, or None when media went away between two pictures.

    `shown` is how many pictures it was shown, counted when there is a `most`.
    """

    why: Why | None
    shown: int = 0


class Handed:
    """One viewer that media writes to; `over` is done when it does no more."""

    def __init__(self, line: Line, seat: int) -> None:
        self._line = line
        self._seat = seat
        self.over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()

    def end(self, *, at_once: bool) -> None:
        """Take it back: behind the picture that is on its way, or at once."""
        if not self.over.done():
            self._line.send(End(self._seat, at_once))


class Line:
    """A connection to the media role; with the last viewer it ends."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Raises OSError."""
        self._clock = clock
        self._file: int | None = None
        self._handed: dict[int, Handed] = {}
        self._said_ns = 0
        self._silence: Silence | None = None
        self.opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._packets = Packets(connected(str(path)), self._take, self._ended)

    @property
    def closed(self) -> bool:
        """Whether it is of no more use."""
        return self._packets.closed

    def send(self, word: Hand | End | Here, file: int | None = None) -> None:
        """Say something."""
        self._packets.send(pack_word(word), file)

    def hand(self, file: int, cut: Cut, most: int, since_ns: int, stall_s: float) -> Handed | None:
        """Hand over a connection; None when there is no seat or no line."""
        seat = next((seat for seat in range(SEATS) if seat not in self._handed), None)
        if seat is None or self.closed or self._file is None:
            return None
        self.send(Hand(seat=seat, cut=cut, most=most, since_ns=since_ns, stall_s=stall_s), file)
        if self._packets.closed:  # it did not go
            return None
        handed = self._handed[seat] = Handed(self, seat)
        return handed

    def _take(self, data: bytes, file: int | None) -> None:
        if self._silence is not None:
            self._silence.heard()
        try:
            word = read_word(data)
            if isinstance(word, Opened) != (file is not None) or (file is not None and self._file is not None):
                raise ValueError("the page comes once, with the first word")
        except ValueError:
            if file is not None:
                os.close(file)
            raise
        if isinstance(word, Opened):
            self._file = file
            if not self.opened.done():
                self.opened.set_result(True)
            self._silence = Silence(self._clock, SILENT_S, self._fallen_silent)
            self._say_here()
        elif isinstance(word, Left) and word.seat in self._handed:
            self._over(word.seat, word.why)
            if not self._handed:
                self.close()
        elif isinstance(word, Here):
            # Media's word has woken us up anyway, and comes more often than ours has to: no timer of our own for it.
            if self._clock.now_ns() - self._said_ns >= HERE_S * 1e9:
                self._say_here()
        else:
            raise ValueError(f"{type(word).__name__} is out of place")

    def _fallen_silent(self) -> None:
        self._ended(f"it has said nothing for {SILENT_S:g} s")

    def _say_here(self) -> None:
        self._said_ns = self._clock.now_ns()
        self.send(Here())

    def _over(self, seat: int, why: Why | None) -> None:
        handed = self._handed.pop(seat)
        assert self._file is not None
        mark = read_mark(self._file, seat)
        if why is None and mark.torn:
            why = Why.GONE  # nobody knows how much of its picture it has
        if not handed.over.done():
            handed.over.set_result(Over(why, mark.shown))

    def _ended(self, wrong: str) -> None:
        if wrong:
            # Media lives, and may have one more picture for them: they cannot go on with us.
            log.error("the line to the media role ends, with %d viewers: %s", len(self._handed), wrong)
            self.close()
        else:
            self._end(None)

    def close(self) -> None:
        """End it; whoever is handed over sees no more. Closing twice is harmless."""
        self._end(Why.GONE)

    def _end(self, why: Why | None) -> None:
        self._packets.close()
        if self._silence is not None:
            self._silence.cancel()
        for seat in tuple(self._handed):
            self._over(seat, why)
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if not self.opened.done():
            self.opened.set_result(False)


class Hands:
    """The way to hand over the viewers of one source."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._line: Line | None = None
        self._closed = False

    async def line(self) -> Line | None:
        """A line that is open; None while media is away or cannot."""
        if self._closed:
            return None
        if self._line is None or self._line.closed:
            try:
                self._line = Line(self._path, self._clock)
            except OSError:  # it is away, or too busy to listen: pictures go the long way meanwhile
                return None
        line = self._line
        try:
            async with asyncio.timeout(OPEN_S):
                opened = await asyncio.shield(line.opened)
        except TimeoutError:
            line.close()
            return None
        return line if opened else None

    def close(self) -> None:
        """End the line, for good."""
        self._closed = True
        if self._line is not None:
            self._line.close()
            self._line = None
