"""A far end that says nothing for too long, told by how often our own loop has turned since its last word.

Not by the clock: a process or a machine that stood still finds much time gone by and the words of the others unread, or
not yet said. It counts as one turn, and they are heard before the next.

A far end that speaks costs no wake-up: each of its words puts the first look off, and that comes so late that a word
comes before it.
"""

from __future__ import annotations

from collections.abc import Callable

from hal.clock import Clock, Timer

TURNS = 6
# So many turns the first look counts for, unless it comes late: then we stood still, and it is one like the others.
FIRST_TURNS = 3


class Silence:
    """Calls `ended` once, when `heard` was not called for `limit_s` seconds and at most a sixth more.

    Whoever speaks more often than every `limit_s / 2` seconds is looked for by no timer.
    """

    def __init__(self, clock: Clock, limit_s: float, ended: Callable[[], None]) -> None:
        self._clock = clock
        self._each_s = limit_s / TURNS
        self._ended = ended
        self._turns = 0
        self._first_ns = 0
        self._over = False
        self._timer: Timer
        self._begin()

    def heard(self) -> None:
        """The far end has said something; of no more use once all is over."""
        if not self._over:
            self._timer.cancel()
            self._begin()

    def _begin(self) -> None:
        self._turns = 0
        wait_s = FIRST_TURNS * self._each_s
        self._first_ns = self._clock.now_ns() + round(wait_s * 1e9)
        self._timer = self._clock.call_later(wait_s, self._look)

    def _look(self) -> None:
        late_ns = self._clock.now_ns() - self._first_ns
        self._turns = FIRST_TURNS if late_ns < self._each_s * 1e9 else 1
        self._wait()

    def _turn(self) -> None:
        self._turns += 1
        if self._turns > TURNS:
            self._over = True
            self._ended()
        else:
            self._wait()

    def _wait(self) -> None:
        self._timer = self._clock.call_later(self._each_s, self._turn)

    def cancel(self) -> None:
        """Watch no more; harmless when it already does not."""
        self._over = True
        self._timer.cancel()
