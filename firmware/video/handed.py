"""Viewers whose connections the network role has handed over: a picture goes from where it is made straight to them.

Network has let them in, watches over their rights and takes them back; here a picture is sent, or left out for one that
still has an earlier one on its way. The connection stays network's as well: what is closed here is only our share.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from functools import partial

from firmware.core.stream.hand_wire import Hand, Page, Why
from firmware.core.stream.pace import Pace
from firmware.core.stream.screen import Screen, fastest
from firmware.core.stream.wire import Cut
from firmware.video.backlog import Backlog
from hal.clock import Clock, Timer

FAMILIES = (socket.AF_INET, socket.AF_INET6)
NOTHING = memoryview(b"")
# Said with each picture: whether a connection blocks is for all its shares, and another's may make it do so.
DONT_WAIT = socket.MSG_DONTWAIT


def connection_of(file: int) -> socket.socket:
    """The connection that a file is; it is closed when it is none. Raises ValueError."""
    try:
        connection = socket.socket(fileno=file)
    except OSError as error:
        os.close(file)
        raise ValueError(f"what was handed over is no connection ({error.strerror or error})") from None
    if connection.family not in FAMILIES or connection.type != socket.SOCK_STREAM:
        connection.close()
        raise ValueError("what was handed over is no connection of a viewer")
    connection.setblocking(False)
    return connection


class HandedViewer:
    """One viewer. `left` is called once, when nothing more is written to its connection, and says why."""

    def __init__(
        self,
        connection: socket.socket,
        hand: Hand,
        clock: Clock,
        page: Page,
        backlog: Backlog,
        left: Callable[[HandedViewer, Why], None],
    ) -> None:
        self.hand = hand
        self.fps = hand.cut.fps
        self._connection = connection
        self._clock = clock
        self._page = page
        self._backlog = backlog
        self._stalled = partial(self._leave, Why.STALLED)
        self._marks, self._seat = page.marks, hand.seat
        self._send = connection.send
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(hand.cut.fps, hand.since_ns)
        self.free = True  # there is room for a picture
        self._rest = NOTHING  # of a picture that has gone out in part
        self._alarm: Timer | None = None
        self._shown = 0
        self._ending: Why | None = None
        self._closed = False
        self._marks[self._seat] = 0
        page.count(hand.seat, 0)

    def offer(self, part: bytes, t_ns: int) -> None:
        """Send a picture, unless an earlier one is still on its way or it is not due."""
        if not self.free or not self._pace.takes(t_ns):
            return
        # Should we die between these marks, nobody can know how much of the picture went out.
        self._marks[self._seat] = 1
        try:
            sent = self._send(part, DONT_WAIT)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._leave(Why.GONE)
            return
        if sent == len(part):
            self._marks[self._seat] = 0
        else:
            self._wait(part, sent)
        if self.hand.most:
            self._count()

    def _wait(self, part: bytes, sent: int) -> None:
        """The rest of a picture goes out when there is room for it, and soon enough."""
        self.free = False
        self._rest = memoryview(part)[sent:]
        self._loop.add_writer(self._connection, self._more)
        self._alarm = self._clock.call_later(self.hand.stall_s, self._stalled)
        self._backlog.enter(self._stalled, part)

    def _count(self) -> None:
        self._shown += 1
        self._page.count(self._seat, self._shown)
        if self._shown == self.hand.most:
            self._end(Why.DONE)

    def _more(self) -> None:
        """There is room for more of what is on its way."""
        try:
            sent = self._send(self._rest, DONT_WAIT)
        except BlockingIOError:
            return
        except OSError:
            self._leave(Why.GONE)
            return
        self._rest = self._rest[sent:]
        if not self._rest:
            self._marks[self._seat] = 0
            self._quiet()
            if self._ending is not None:
                self._leave(self._ending)
            else:
                self.free = True

    def _quiet(self) -> None:
        """Nothing is on its way any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm, self._rest = None, NOTHING
            self._backlog.leave(self._stalled)
            self._loop.remove_writer(self._connection)

    def end(self, *, at_once: bool) -> None:
        """Network wants it back, behind the picture that is on its way or at once."""
        if at_once:
            self._leave(Why.ASKED)
        else:
            self._end(Why.ASKED)

    def _end(self, why: Why) -> None:
        """Write nothing more behind what is on its way."""
        self.free, self._ending = False, self._ending or why
        if not self._rest:
            self._leave(self._ending)

    def _leave(self, why: Why) -> None:
        if not self._closed:
            self.free, self._closed = False, True
            self._quiet()
            self._connection.close()
            self._left(self, why)


class Show:
    """One cut of a source, with the handed viewers of it: to the source one who watches, like any other."""

    def __init__(self, clock: Clock, cut: Cut, size: tuple[int, int]) -> None:
        self.cut = cut
        self._screen = Screen(clock, size)
        self._screen.begin()
        self.take = self._screen.take  # shows a picture, or that there is none
        self._viewers: dict[HandedViewer, None] = {}
        self._fps = 0
        self._pace = Pace(0)

    @property
    def empty(self) -> bool:
        """Whether nobody looks."""
        return not self._screen.onlookers

    def wants(self, t_ns: int) -> bool:
        """Take the picture of that time, or not: nobody has room, or the fastest wants none yet. Once a picture."""
        for viewer in self._viewers:
            if viewer.free:
                return self._pace.takes(t_ns)
        self._screen.pass_by()
        return False

    def enter(self, viewer: HandedViewer) -> bool:
        """Show it to one more, beginning with what is shown now; answers whether there is anything yet."""
        self._viewers[viewer] = None
        self._screen.onlookers.append(viewer)
        self._adapt()
        return self._screen.greet(viewer)

    def leave(self, viewer: HandedViewer) -> None:
        """It does not look any more."""
        del self._viewers[viewer]
        self._screen.onlookers.remove(viewer)
        self._adapt()

    def _adapt(self) -> None:
        fps = fastest(self._screen.onlookers)
        if fps != self._fps:
            self._fps, self._pace = fps, Pace(fps)

    def close(self) -> None:
        """Show nothing more."""
        self._screen.end()
