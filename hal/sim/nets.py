"""Nets: the copper that joins pins. Whoever drives a net says how hard; the hardest wins.

Changes are told to listeners first come first served, after every line of a group has moved, so that
nobody sees half of a group. Two that drive against each other are a recorded fact, not an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from hal.clock import Clock
from hal.sim.traces import Trace

NetListener = Callable[[int, bool], None]

# Fights are facts for a test to read, not a log: the first ones tell the story.
MOST_CONTENTIONS = 1000


class Strength(IntEnum):
    """How hard a level is held; of two, the larger wins."""

    CHIP_PULL = 1
    BOARD_PULL = 2
    DRIVE = 3


@dataclass(frozen=True, slots=True)
class Contention:
    """Two sides drove a net against each other from `t_ns` on; the names are in order."""

    t_ns: int
    net: str
    high: tuple[str, ...]
    low: tuple[str, ...]


class Copper:
    """What all nets of a world share: the order of changes, and the list of fights."""

    def __init__(self, clock: Clock, origin_ns: int) -> None:
        self.clock = clock
        self.origin_ns = origin_ns
        self.contentions: deque[Contention] = deque(maxlen=MOST_CONTENTIONS)
        self._held = 0
        self._changes: deque[tuple[Net, int, bool]] = deque()

    def changed(self, net: Net, t_ns: int, level: bool) -> None:
        """Queue a change and tell it, unless somebody is telling already or holds all changes back."""
        self._changes.append((net, t_ns, level))
        if not self._held:
            with self.together():
                pass

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let several nets move before anybody is told."""
        self._held += 1
        try:
            yield
            while self._held == 1 and self._changes:
                net, t_ns, level = self._changes.popleft()
                net.tell(t_ns, level)
        finally:
            self._held -= 1


class Net:
    """One net; a net that nobody holds is low."""

    def __init__(self, name: str, copper: Copper) -> None:
        self.name = name
        self.level = False
        self.trace: Trace[bool] = Trace(copper.clock, copper.origin_ns, False)
        self._copper = copper
        self._drivers: dict[str, tuple[Strength, bool]] = {}
        self._listeners: list[NetListener] = []
        self._fight: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    def drive(
        self, who: str, level: bool | None, *, strength: Strength = Strength.DRIVE, t_ns: int | None = None
    ) -> None:
        """Hold the net at `level` (None: let go), replacing what `who` did before. `t_ns` is the stamp, else now."""
        if level is None:
            self._drivers.pop(who, None)
        else:
            self._drivers[who] = (strength, level)
        self._resolve(self._copper.clock.now_ns() if t_ns is None else t_ns)

    def _resolve(self, t_ns: int) -> None:
        strongest = max((strength for strength, _ in self._drivers.values()), default=None)
        high = self._at(strongest, True)
        low = self._at(strongest, False)
        fight = (high, low) if strongest is Strength.DRIVE and high and low else None
        if fight is not None and fight != self._fight:
            self._copper.contentions.append(Contention(t_ns, self.name, high, low))
        self._fight = fight
        level = bool(high) and not low
        if level != self.level:
            self.level = level
            self.trace.put(level, t_ns)
            self._copper.changed(self, t_ns, level)

    def _at(self, strength: Strength | None, level: bool) -> tuple[str, ...]:
        return tuple(sorted(who for who, driven in self._drivers.items() if driven == (strength, level)))

    def without(self, who: str) -> bool:
        """The level that the net would have if `who` let go."""
        others = [driven for name, driven in self._drivers.items() if name != who]
        strongest = max((strength for strength, _ in others), default=None)
        levels = {level for strength, level in others if strength == strongest}
        return levels == {True}

    def drivers(self) -> tuple[str, ...]:
        """Who holds the net now."""
        return tuple(sorted(self._drivers))

    def listen(self, listener: NetListener) -> Callable[[], None]:
        """Tell `listener(t_ns, level)` every change; the result ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, t_ns: int, level: bool) -> None:
        """Tell the listeners; called by the copper, in order."""
        for listener in tuple(self._listeners):
            listener(t_ns, level)


class Voltage:
    """An analogue place: a source that is asked, and chips that hear before it changes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._source: Callable[[], float] = float
        self._before: list[Callable[[], None]] = []

    def connect(self, source: Callable[[], float]) -> None:
        """Say what makes the voltage, in volts."""
        self._source = source

    def volts(self) -> float:
        """The voltage now."""
        return self._source()

    def before_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called while the old voltage still stands (a conversion may just have ended)."""
        self._before.append(listener)

    def changing(self) -> None:
        """The source is about to change."""
        for listener in self._before:
            listener()
