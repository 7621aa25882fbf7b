"""A screen: one cut of one source as its viewers see it, in whichever role writes to their connections.

A viewer is skipped while its connection still holds bytes of an earlier picture, so one that stalls costs the others
nothing and finds the newest picture when it reads again (hardening row 45). While there is no signal every viewer gets
a picture that says so, once a second.
"""

from __future__ import annotations

from typing import Protocol

from firmware.core.stream.multipart import part_of
from firmware.core.stream.no_signal import no_signal
from firmware.core.stream.wire import Jpeg, NoSignal
from hal.clock import Clock, Timer

NO_SIGNAL_S = 1.0
# A source that says nothing at all for this long has no signal, whatever it said before.
SILENT_S = 3.0


class Onlooker(Protocol):
    """One connection that is shown a screen."""

    @property
    def fps(self) -> int:
        """How many pictures a second it wants at most (0: all)."""

    def offer(self, part: bytes, t_ns: int) -> None:
        """Write a picture of that time, unless an earlier one is still on its way or it is not due."""


def fastest(onlookers: list[Onlooker]) -> int:
    """How many pictures a second are enough for all of them (0: all there are)."""
    rates = [onlooker.fps for onlooker in onlookers]
    return 0 if 0 in rates else max(rates, default=0)


class Screen:
    """What `onlookers` see between `begin` and `end`; of so many samples (`size`) until a picture says otherwise."""

    def __init__(self, clock: Clock, size: tuple[int, int]) -> None:
        self._clock = clock
        self.size = size
        self.onlookers: list[Onlooker] = []
        self._newest: Jpeg | None = None
        self._newest_ns = 0
        self._heard_ns = 0
        self._shown_ns = 0
        self._signal: bool | None = None  # None: nothing has been heard yet
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Show from now on what comes; of what came before nothing is known any more."""
        self.end()
        self._signal, self._newest = None, None
        self._heard_ns = self._clock.now_ns()
        self._watch()

    def end(self) -> None:
        """Show nothing more; harmless when it already does."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def newest(self, within_s: float) -> Jpeg | None:
        """The picture that is shown now, unless it came longer ago than that; None without a signal."""
        recent = self._clock.now_ns() - self._newest_ns <= within_s * 1e9
        return self._newest if self._signal and recent else None

    def greet(self, onlooker: Onlooker) -> bool:
        """What is shown now, for one who has just begun to look; answers whether there is anything yet."""
        if self._signal is False:
            onlooker.offer(part_of(no_signal(*self.size), 0), self._clock.now_ns())
            return True
        if self._newest is not None:
            onlooker.offer(part_of(self._newest.data, self._newest.number), self._newest.t_ns)
        return self._newest is not None

    def pass_by(self) -> None:
        """A picture was there, and nobody had room for it: what was shown before is not the newest any more."""
        self._heard_ns = self._clock.now_ns()
        self._newest = None

    def take(self, message: Jpeg | NoSignal) -> None:
        """Show a picture, or that there is none; the newest picture may come once more and is shown once."""
        self._heard_ns = self._clock.now_ns()
        if isinstance(message, NoSignal):
            self._lose()
            return
        if self._signal and self._newest is not None and message.t_ns <= self._newest.t_ns:
            return
        self._signal, self._newest, self._newest_ns = True, message, self._heard_ns
        self.size = message.width, message.height
        part, t_ns = part_of(message.data, message.number), message.t_ns
        for onlooker in self.onlookers[:]:  # one that is gone leaves at once
            onlooker.offer(part, t_ns)

    def _lose(self) -> None:
        if self._signal is not False:
            self._signal, self._newest = False, None
            self._show_none()

    def _show_none(self) -> None:
        self._shown_ns = self._clock.now_ns()
        part = part_of(no_signal(*self.size), 0)
        for onlooker in self.onlookers[:]:
            onlooker.offer(part, self._shown_ns)

    def _watch(self) -> None:
        """Once in a while: is there still a signal?"""
        self._timer = self._clock.call_later(NO_SIGNAL_S, self._watch)
        now_ns = self._clock.now_ns()
        if self._signal is False and now_ns - self._shown_ns >= 0.9 * NO_SIGNAL_S * 1e9:
            self._show_none()
        elif self._signal is not False and now_ns - self._heard_ns >= SILENT_S * 1e9:
            self._lose()
