"""What all peers have: a name, a trace, faults, and gestures that take time.

A gesture is started by calling it and may be awaited; it goes on by itself either way.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from hal.clock import Clock, Timer
from hal.errors import OutOfRange, nearest
from hal.sim.nets import Copper, Net
from hal.sim.traces import Trace, V


class Place(Protocol):
    """What a peer sees of the world it stands in."""

    @property
    def clock(self) -> Clock:
        """The world's time."""

    @property
    def origin_ns(self) -> int:
        """When the world began."""

    @property
    def copper(self) -> Copper:
        """What joins the nets."""

    @property
    def chance(self) -> random.Random:
        """The same luck in every run."""

    @property
    def stepped(self) -> bool:
        """Whether time is virtual, so that every step of a burst can be taken at its own instant."""

    @property
    def powered(self) -> bool:
        """Whether the board has power."""


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a burst: at `t_ns`, `who` holds `net` at `level` (None: lets go)."""

    t_ns: int
    net: Net
    who: str
    level: bool | None

    def make(self) -> None:
        """Do it, stamped with its planned time."""
        self.net.drive(self.who, self.level, t_ns=self.t_ns)


def make_all(moves: Iterable[Move]) -> None:
    """Make moves in their order, now."""
    for move in moves:
        move.make()


class Gesture:
    """Something that is under way until `ends_ns`; awaiting it waits for its end."""

    def __init__(self, clock: Clock, ends_ns: int, timers: Sequence[Timer] = ()) -> None:
        self._clock = clock
        self.ends_ns = ends_ns
        self.timers = tuple(timers)

    def __await__(self) -> Generator[object, None, None]:
        remaining_s = max(0, self.ends_ns - self._clock.now_ns()) / 1e9
        return self._clock.sleep(remaining_s).__await__()


class Peer:
    """One thing at the far end. `kinds_of_fault` are the ways in which it can misbehave."""

    kind: ClassVar[str] = "peer"
    kinds_of_fault: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, place: Place, name: str, *, alias: str | None = None) -> None:
        self.place = place
        self.name = name
        self.alias = alias
        self.faults: set[str] = set()
        self._timers: set[Timer] = set()

    @property
    def title(self) -> str:
        """How people call it: `relay:door`."""
        return f"{self.kind}:{self.alias or self.name}"

    @property
    def parts(self) -> Mapping[str, Peer]:
        """Peers that belong to this one, such as a reader's led."""
        return {}

    @property
    def traces(self) -> Mapping[str, Trace[bool] | Trace[str]]:
        """Everything recorded here, by what it is called after the title; the first is the peer's own."""
        return {}

    def state(self) -> object:
        """What it does now, as plain data."""
        traces = list(self.traces.values())
        return str(traces[0].value) if traces and isinstance(traces[0].value, str) else bool(traces and traces[0].value)

    def new_trace(self, value: V) -> Trace[V]:
        """A trace in the world's time."""
        return Trace(self.place.clock, self.place.origin_ns, value)

    # faults

    def fault(self, kind: str) -> None:
        """Start to misbehave. Raises OutOfRange for a fault this thing cannot have."""
        if kind not in self.kinds_of_fault:
            raise OutOfRange(self.title, f"cannot have the fault {kind!r}{nearest(kind, self.kinds_of_fault)}")
        if kind not in self.faults:
            self.faults.add(kind)
            self.faults_changed()

    def clear(self, kind: str | None = None) -> None:
        """End one fault, or all."""
        before = set(self.faults)
        if kind is None:
            self.faults.clear()
        elif kind in self.kinds_of_fault:
            self.faults.discard(kind)
        else:
            raise OutOfRange(self.title, f"cannot have the fault {kind!r}{nearest(kind, self.kinds_of_fault)}")
        if self.faults != before:
            self.faults_changed()

    def faults_changed(self) -> None:
        """Called after faults began or ended."""

    # what people do to anything, if it lets them

    def tamper(self) -> None:
        """Open the housing. Raises OutOfRange where nothing would notice."""
        raise OutOfRange(self.title, "has no tamper switch")

    def unplug(self) -> None:
        """Pull the cable. Raises OutOfRange where there is none."""
        raise OutOfRange(self.title, "is soldered to the board")

    def plug(self) -> None:
        """Put the cable back. Raises OutOfRange where there is none."""
        raise OutOfRange(self.title, "is soldered to the board")

    def power_changed(self) -> None:
        """Called after the board's power came or went."""

    # time

    def at(self, t_ns: int, action: Callable[[], None]) -> Timer:
        """Do something later; it is forgotten when the world ends."""
        timers = self._timers

        def run() -> None:
            timers.discard(timer)
            action()

        timer = self.place.clock.call_at(t_ns, run)
        timers.add(timer)
        return timer

    def forget(self, timer: Timer | None) -> None:
        """Cancel one of `at`."""
        if timer is not None:
            timer.cancel()
            self._timers.discard(timer)

    def stop(self, gesture: Gesture | None) -> None:
        """Stop a burst half-way."""
        for timer in () if gesture is None else gesture.timers:
            self.forget(timer)

    def gesture(self, ends_ns: int) -> Gesture:
        """What a caller may wait for."""
        return Gesture(self.place.clock, ends_ns)

    def play(self, moves: Iterable[Move], done: Callable[[], None] | None = None) -> Gesture:
        """Make the moves of one burst: each at its instant, or in real time all at the end, with planned stamps.

        So a late loop never splits a frame.
        """
        planned: Sequence[Move] = sorted(moves, key=lambda move: move.t_ns)
        if not planned:
            return self.gesture(self.place.clock.now_ns())
        ends_ns = planned[-1].t_ns
        if self.place.stepped:
            timers = [self.at(move.t_ns, move.make) for move in planned]
        else:
            timers = [self.at(ends_ns, lambda: make_all(planned))]
        if done is not None:
            timers.append(self.at(ends_ns, done))
        return Gesture(self.place.clock, ends_ns, timers)

    def close(self) -> None:
        """Forget all gestures that are under way."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
