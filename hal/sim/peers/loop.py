"""A contact at the end of two wires: plain on a line, or behind end-of-line resistors on a converter.

Opening a door, pressing a request-to-exit button, cutting the cable and shorting it are one thing here:
the state of the loop. It survives a power cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from hal.sim.nets import Net, Voltage
from hal.sim.peers.base import Gesture, Move, Peer, Place
from hal.sim.peers.button import PRESS_S, bounces
from hal.sim.traces import Trace
from hal.types import LoopState

CHATTER_S = 0.008
CHATTERS = 5


class LoopPeer(Peer):
    """One loop; `trace` is what the loop is. Faults `cut` and `short` overrule the contact."""

    kind = "input"
    kinds_of_fault = frozenset({"cut", "short", "bounce"})

    def __init__(self, place: Place, name: str, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self._contact = LoopState.OPEN
        self.trace: Trace[str] = self.new_trace(str(LoopState.OPEN))

    @property
    def traces(self) -> Mapping[str, Trace[bool] | Trace[str]]:
        return {"": self.trace}

    @property
    def circuit(self) -> LoopState:
        """What the loop is now."""
        return LoopState(self.trace.value)

    def set(self, state: LoopState | str) -> None:
        """Put the loop in a state."""
        self._contact = LoopState(state)
        self._update()

    def open(self) -> None:
        """Open the contact."""
        self.set(LoopState.OPEN)

    def shut(self) -> None:
        """Close the contact."""
        self.set(LoopState.CLOSED)

    def press(self, for_s: float = PRESS_S) -> Gesture:
        """Close the contact for a while, as a request-to-exit button does."""
        ends_ns = self.place.clock.now_ns() + round(for_s * 1e9)
        self.shut()
        self.at(ends_ns, self.open)
        return self.gesture(ends_ns)

    def faults_changed(self) -> None:
        self._update()

    def _wanted(self) -> LoopState:
        if "cut" in self.faults:
            return LoopState.CUT
        return LoopState.SHORT if "short" in self.faults else self._contact

    def _update(self) -> None:
        before, wanted = self.circuit, self._wanted()
        if wanted == before:
            return
        if "bounce" in self.faults:
            self._chatter(before, wanted)
        else:
            self._become(wanted)

    def _chatter(self, before: LoopState, wanted: LoopState) -> None:
        now_ns = self.place.clock.now_ns()
        span_ns = round(CHATTER_S * 1e9)
        self._become(wanted)
        for index in range(1, CHATTERS + 1):
            state = before if index % 2 else wanted
            at_ns = now_ns + index * span_ns // (CHATTERS + 1)
            self.at(at_ns, partial(self._become, state))
        self.at(now_ns + span_ns, lambda: self._become(self._wanted()))

    def _become(self, state: LoopState) -> None:
        self.changing()
        self.trace.put(str(state))
        self.changed()

    def changing(self) -> None:
        """Called while the old state still stands."""

    def changed(self) -> None:
        """Called when the new state stands."""


class ContactPeer(LoopPeer):
    """A plain contact on a line: a cut wire looks open, a shorted one closed."""

    def __init__(self, place: Place, name: str, net: Net, *, closed_high: bool, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self._net = net
        self._closed_high = closed_high

    def changed(self) -> None:
        closed = self.circuit in (LoopState.CLOSED, LoopState.SHORT)
        self._net.drive(self.name, self._closed_high if closed else None)

    def _chatter(self, before: LoopState, wanted: LoopState) -> None:
        closes = wanted in (LoopState.CLOSED, LoopState.SHORT)
        level = self._closed_high if closes else None
        back = None if closes else self._closed_high
        moves: list[Move] = bounces(self, self._net, level, back)
        self.trace.put(str(wanted))
        self.play(moves, self.changed)


class ResistorLoopPeer(LoopPeer):
    """A loop with end-of-line resistors in front of a converter, fed from `supply_v` through `pullup_ohm`.

    `resistors` false is a contact wired without them. `deviation` scales both resistors, such as 1.05.
    """

    def __init__(
        self,
        place: Place,
        name: str,
        voltage: Voltage,
        *,
        eol_ohm: float,
        pullup_ohm: float,
        supply_v: float,
        alias: str | None = None,
    ) -> None:
        super().__init__(place, name, alias=alias)
        self.eol_ohm = eol_ohm
        self.pullup_ohm = pullup_ohm
        self.supply_v = supply_v
        self._resistors = True
        self._deviation = 1.0
        self._voltage = voltage
        voltage.connect(self.volts)

    @property
    def resistors(self) -> bool:
        """Whether end-of-line resistors are fitted."""
        return self._resistors

    def fit(self, *, resistors: bool = True, deviation: float = 1.0) -> None:
        """Wire the loop with or without resistors, which are `deviation` times what they should be."""
        self.changing()
        self._resistors, self._deviation = resistors, deviation
        self.changed()

    def ohm(self) -> float:
        """The resistance of the loop."""
        if not self._resistors:
            return 0.0 if self.circuit in (LoopState.CLOSED, LoopState.SHORT) else math.inf
        eol_ohm = self.eol_ohm * self._deviation
        return {
            LoopState.CLOSED: eol_ohm,
            LoopState.OPEN: 2 * eol_ohm,
            LoopState.CUT: math.inf,
            LoopState.SHORT: 0.0,
        }[self.circuit]

    def volts(self) -> float:
        """What the converter sees."""
        if not self.place.powered:
            return 0.0
        ohm = self.ohm()
        return self.supply_v if math.isinf(ohm) else self.supply_v * ohm / (ohm + self.pullup_ohm)

    def changing(self) -> None:
        self._voltage.changing()
