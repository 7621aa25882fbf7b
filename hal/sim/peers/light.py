"""A lamp: its value is the colour the eye sees, from the levels of its lines and their polarity."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from hal.clock import Timer
from hal.sim.nets import Net
from hal.sim.peers.base import Peer, Place
from hal.sim.traces import Trace
from hal.types import Colour, Pattern, Step

# What an eye sees of red, green and blue together; there is no name for every mixture of a lamp's three.
MIXTURES: dict[frozenset[Colour], str] = {
    frozenset(): Colour.OFF,
    frozenset({Colour.RED, Colour.GREEN}): Colour.AMBER,
    frozenset({Colour.RED, Colour.GREEN, Colour.BLUE}): Colour.WHITE,
    frozenset({Colour.RED, Colour.BLUE}): "magenta",
    frozenset({Colour.GREEN, Colour.BLUE}): "cyan",
}


class Lamp(Peer):
    """Anything that shines in a colour; its trace is the colour. Fault `dead`: it stays dark."""

    kind = "led"
    kinds_of_fault = frozenset({"dead"})

    def __init__(self, place: Place, name: str, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self.connected = True
        self.trace: Trace[str] = self.new_trace(str(Colour.OFF))

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    @property
    def colour(self) -> str:
        """What it shows now."""
        return self.trace.value

    def faults_changed(self) -> None:
        self._look()

    def power_changed(self) -> None:
        self._look()

    def connect(self, connected: bool) -> None:
        """Plug or unplug what the lamp belongs to."""
        self.connected = connected
        self._look()

    def _look(self, t_ns: int | None = None) -> None:
        dark = not self.place.powered or not self.connected or "dead" in self.faults
        self.trace.put(str(Colour.OFF) if dark else self._lit(), t_ns)

    def _lit(self) -> str:
        """The colour it has while nothing keeps it dark."""
        raise NotImplementedError


class LightPeer(Lamp):
    """One lamp with a line for each of its primary colours."""

    def __init__(
        self, place: Place, name: str, lines: Mapping[Colour, Net], *, active_high: bool, alias: str | None = None
    ) -> None:
        super().__init__(place, name, alias=alias)
        self._lines = dict(lines)
        self._active = active_high
        for net in self._lines.values():
            net.listen(lambda t_ns, _: self._look(t_ns))

    def _lit(self) -> str:
        lit = frozenset(colour for colour, net in self._lines.items() if net.level == self._active)
        return str(next(iter(lit)) if len(lit) == 1 else MIXTURES[lit])


class ToldLamp(Lamp):
    """A lamp inside a thing with a mind of its own, which tells it what to show."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place, name)
        self._steps: Iterator[Step] = iter(())
        self._colour = Colour.OFF
        self._next: Timer | None = None

    def tell(self, pattern: Pattern) -> None:
        """Show this from now on."""
        self.forget(self._next)
        self._next = None
        if len(pattern.steps) == 1:
            self._colour = pattern.steps[0].colour
            self._look()
        else:
            self._steps = itertools.cycle(pattern.steps)
            self._step(self.place.clock.now_ns())

    def _step(self, t_ns: int) -> None:
        step = next(self._steps)
        self._colour = step.colour
        self._look(t_ns)
        next_ns = t_ns + step.for_ms * 1_000_000
        self._next = self.at(next_ns, lambda: self._step(next_ns))

    def _lit(self) -> str:
        return str(self._colour)
