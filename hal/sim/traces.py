"""What was seen at a place over time: values with their instants, and the pulses among them.

Instants are kept in integer nanoseconds and shown in seconds since the world began, so a pulse of
7 s is 7.0 and not nearly so.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hal.clock import Clock

V = TypeVar("V", bound=bool | str)

# A light that flashes fast for an hour; older points are forgotten first.
LONGEST_TRACE = 20_000

# Values at which nothing happens; everything else is a pulse while it lasts.
RESTING: frozenset[bool | str] = frozenset({False, "off", "open", ""})


@dataclass(frozen=True, slots=True)
class Pulse(Generic[V]):
    """One stretch of a value other than rest that has ended: when it began and how long it took."""

    t_s: float
    width_s: float
    value: V


class Trace(Generic[V]):
    """The values of one place, each once, bounded to the newest `LONGEST_TRACE`."""

    def __init__(self, clock: Clock, origin_ns: int, value: V) -> None:
        self._clock = clock
        self._origin_ns = origin_ns
        self._entries: deque[tuple[int, V]] = deque([(clock.now_ns(), value)], maxlen=LONGEST_TRACE)
        self._listeners: list[Callable[[int, V], None]] = []

    @property
    def value(self) -> V:
        """The value now."""
        return self._entries[-1][1]

    @property
    def entries(self) -> tuple[tuple[int, V], ...]:
        """Every value with the clock's nanoseconds at which it began."""
        return tuple(self._entries)

    @property
    def points(self) -> tuple[tuple[float, V], ...]:
        """Every value with the second, since the world began, at which it began."""
        return tuple((self._seconds(t_ns), value) for t_ns, value in self._entries)

    def since(self, t_s: float) -> tuple[tuple[float, V], ...]:
        """The points from `t_s` on; the value that held at `t_s` is not among them."""
        return tuple(point for point in self.points if point[0] >= t_s)

    def pulses(self, since_s: float = float("-inf")) -> tuple[Pulse[V], ...]:
        """Every pulse that began at or after `since_s` and has ended."""
        entries = self.entries
        found = []
        for (begin_ns, value), (end_ns, _) in itertools.pairwise(entries):
            if value not in RESTING and self._seconds(begin_ns) >= since_s:
                found.append(Pulse(self._seconds(begin_ns), (end_ns - begin_ns) / 1e9, value))
        return tuple(found)

    def put(self, value: V, t_ns: int | None = None) -> None:
        """Note a value, unless it is the one already there; a stamp before the last one is moved up to it."""
        last_ns, last = self._entries[-1]
        if value == last:
            return
        at_ns = max(last_ns, self._clock.now_ns() if t_ns is None else t_ns)
        self._entries.append((at_ns, value))
        for listener in tuple(self._listeners):
            listener(at_ns, value)

    def begin(self) -> None:
        """Forget everything but the value now."""
        value = self.value
        self._entries.clear()
        self._entries.append((self._clock.now_ns(), value))

    def listen(self, listener: Callable[[int, V], None]) -> Callable[[], None]:
        """Tell `listener(t_ns, value)` every change; the result ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _seconds(self, t_ns: int) -> float:
        return (t_ns - self._origin_ns) / 1e9
