"""A limit for facts that somebody outside can cause at will: a burst goes through, a flood becomes its newest values.

So no reader and no panel can push the rest of the journal out by changing something with every answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from hal.clock import Clock, Timer

T = TypeVar("T")

BURST = 20
EVERY_S = 1.0


class Pace(Generic[T]):
    """Hands values on: `burst` of them at once, then one each `every_s`; of one name only the newest waits."""

    def __init__(
        self, clock: Clock, hand: Callable[[T], object], *, burst: int = BURST, every_s: float = EVERY_S
    ) -> None:
        self._clock = clock
        self._hand = hand
        self._burst = burst
        self._every_ns = round(every_s * 1e9)
        self._credit = burst
        self._credited_ns = clock.now_ns()
        self._waiting: dict[str, T] = {}
        self._timer: Timer | None = None

    def put(self, name: str, value: T) -> None:
        """Hand a value on now, or when its turn comes."""
        self._earn()
        if self._credit and not self._waiting:
            self._credit -= 1
            self._hand(value)
            return
        self._waiting[name] = value
        if self._timer is None:
            self._wait()

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _earn(self) -> None:
        earned = (self._clock.now_ns() - self._credited_ns) // self._every_ns
        self._credit = min(self._burst, self._credit + earned)
        self._credited_ns += earned * self._every_ns

    def _wait(self) -> None:
        self._timer = self._clock.call_at(self._credited_ns + self._every_ns, self._turn)

    def _turn(self) -> None:
        self._timer = None
        self._earn()
        while self._waiting and self._credit:
            self._credit -= 1
            self._hand(self._waiting.pop(next(iter(self._waiting))))
        if self._waiting:
            self._wait()
