"""A far end that says nothing for too long, told by how often our own loop has turned since its last word.

Not by the clock: a process or a machine that stood still finds much time gone by and the words of the others unread, or
not yet said. It counts as one turn, and they are heard before the next.
"""

from __future__ import annotations

from collections.abc import Callable

from hal.clock import Clock, Timer

TURNS = 6


class Silence:
    """Calls `ended` once, when `heard` was not called for `limit_s` seconds and at most a sixth more."""

    def __init__(self, clock: Clock, limit_s: float, ended: Callable[[], None]) -> None:
        self._clock = clock
        self._each_s = limit_s / TURNS
        self._ended = ended
        self._turns = 0
        self._timer: Timer = clock.call_later(self._each_s, self._turn)

    def heard(self) -> None:
        """The far end has said something."""
        self._turns = 0

    def _turn(self) -> None:
        self._turns += 1
        if self._turns > TURNS:
            self._ended()
        else:
            self._timer = self._clock.call_later(self._each_s, self._turn)

    def cancel(self) -> None:
        """Watch no more; harmless when it already does not."""
        self._timer.cancel()
