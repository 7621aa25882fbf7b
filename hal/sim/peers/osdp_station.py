"""One OSDP engine on a simulated bus: bytes in, bytes out after them, timers, and what a bad cable does to both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hal.clock import Timer
from hal.osdp.facts import Fact, Step
from hal.sim.peers.base import Peer
from hal.sim.serial import SerialBus, spoilt

CABLE_FAULTS = frozenset({"noise", "half", "drop", "garbage"})


class Engine(Protocol):
    """Either end of the protocol."""

    def receive(self, t_ns: int, data: bytes) -> None:
        """Take bytes."""

    def step(self, t_ns: int) -> Step:
        """Say what to do now."""


class OsdpStation:
    """A station of a bus with an engine inside; `peer` lends it its timers and its faults."""

    def __init__(
        self,
        peer: Peer,
        bus: SerialBus,
        baud: int,
        *,
        fact: Callable[[Fact], None],
        hearing: Callable[[], None] = lambda: None,
        edit: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """`hearing` is called before bytes are heard, `edit` is what somebody on the cable makes of those we send."""
        self._peer = peer
        self._bus = bus
        self._fact = fact
        self._hearing = hearing
        self._edit = edit
        self._engine: Engine | None = None
        self._timer: Timer | None = None
        self._due_ns = 0
        self._moving: Timer | None = None
        self._ends_ns = 0
        self.baud = baud
        bus.stations.append(self)

    def run(self, engine: Engine | None) -> None:
        """Begin with another engine, or fall silent. A panel must be pumped to begin; a reader waits until it hears."""
        self._peer.forget(self._timer)
        self._peer.forget(self._moving)
        self._timer = self._moving = None
        self._engine = engine

    def hear(self, t_ns: int, data: bytes) -> None:
        """Bytes have arrived."""
        if self._engine is None or "dead" in self._peer.faults:
            return
        self._hearing()
        self._engine.receive(t_ns, spoilt(data, self._peer.faults, self._peer.place.chance))
        self.pump()

    def pump(self) -> None:
        """Let the engine say what to do now, and do it."""
        if self._engine is None:
            return
        step = self._engine.step(self._peer.place.clock.now_ns())
        self._arm(step.next_ns)
        if step.send and "dead" not in self._peer.faults:
            data = spoilt(self._edit(step.send), self._peer.faults, self._peer.place.chance)
            self._ends_ns = self._bus.say(self, data)
        for fact in step.facts:
            self._fact(fact)

    def _arm(self, next_ns: int | None) -> None:
        if next_ns == self._due_ns and self._timer is not None:
            return
        self._peer.forget(self._timer)
        self._timer = None
        if next_ns is not None:
            self._due_ns = next_ns
            self._timer = self._peer.at(next_ns, self._due)

    def _due(self) -> None:
        self._timer = None
        self.pump()

    def move(self, baud: int) -> None:
        """Another rate, once what is being sent has been sent."""

        def moved() -> None:
            self.baud = baud

        self._moving = self._peer.at(max(self._ends_ns, self._peer.place.clock.now_ns()), moved)
