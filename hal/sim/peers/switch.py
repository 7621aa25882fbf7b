"""Things that an output line switches: a strike on a relay, a beeper, a lamp post: anything on or off."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from hal.clock import Timer
from hal.sim.nets import Net
from hal.sim.peers.base import Peer, Place
from hal.sim.traces import Trace

# How long the armature of a small relay takes to move and to fall back.
PULL_IN_S = 0.008
DROP_OUT_S = 0.004
# When the contact of a relay that bounces parts and touches again, in turn, counted from its first touch.
BOUNCES_S = (0.0003, 0.0007, 0.0012, 0.0015, 0.0021, 0.0024)


class Load(Peer):
    """Something that is on or off; its trace is whether it gets current. Fault `dead`: it is broken."""

    kind = "output"
    kinds_of_fault = frozenset({"dead"})

    def __init__(self, place: Place, name: str, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self.connected = True
        self.trace: Trace[bool] = self.new_trace(False)

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace}

    def faults_changed(self) -> None:
        self._look()

    def power_changed(self) -> None:
        self._look()

    def connect(self, connected: bool) -> None:
        """Plug or unplug what the load belongs to."""
        self.connected = connected
        self._look()

    def _energised(self) -> bool:
        return self.place.powered and self.connected and self._driven()

    def _driven(self) -> bool:
        """Whether it is switched on."""
        raise NotImplementedError

    def _look(self, t_ns: int | None = None) -> None:
        self.trace.put(self._energised() and "dead" not in self.faults, t_ns)


class SwitchPeer(Load):
    """A plain load on an output line."""

    def __init__(self, place: Place, name: str, net: Net, *, active_high: bool, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self._net = net
        self._active = active_high
        net.listen(lambda t_ns, _: self._look(t_ns))

    def _driven(self) -> bool:
        return self._net.level == self._active


class ToldLoad(Load):
    """A load inside a thing with a mind of its own, which switches it: a serial reader's beeper."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place, name)
        self._told = False

    def tell(self, on: bool) -> None:
        """On or off from now on."""
        self._told = on
        self._look()

    def _driven(self) -> bool:
        return self._told


class StrikePeer(SwitchPeer):
    """A strike on a relay: `trace` is the coil, `contact` the relay's contact, which moves a little later.

    The contact is what the strike gets and what `readback` shows. Fault `welded`: the contact stays on;
    `dead`: it stays off. Neither can be seen at the coil. `bounce`: it parts a few times before it stays closed.
    """

    kind = "relay"
    kinds_of_fault = frozenset({"welded", "dead", "bounce"})

    def __init__(
        self,
        place: Place,
        name: str,
        net: Net,
        *,
        active_high: bool,
        readback: Net | None = None,
        readback_high: bool = True,
        alias: str | None = None,
    ) -> None:
        super().__init__(place, name, net, active_high=active_high, alias=alias)
        self._readback = readback
        self._readback_high = readback_high
        self._moving: list[Timer] = []
        self.contact: Trace[bool] = self.new_trace(False)
        self._show()

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace, "contact": self.contact}

    def _look(self, t_ns: int | None = None) -> None:
        energised = self._energised()
        self.trace.put(energised, t_ns)
        stuck = "welded" in self.faults or "dead" in self.faults
        wanted = "welded" in self.faults if stuck else energised
        while self._moving:
            self.forget(self._moving.pop())
        if wanted == self.contact.value:
            return
        if stuck:
            self._move(wanted)
            return
        delay_s = PULL_IN_S if wanted else DROP_OUT_S
        began_ns = self.place.clock.now_ns() if t_ns is None else t_ns
        moves = [(delay_s, wanted)]
        if wanted and "bounce" in self.faults:
            moves += [(delay_s + at_s, bool(index % 2)) for index, at_s in enumerate(BOUNCES_S)]
        self._moving = [self.at(began_ns + round(at_s * 1e9), partial(self._move, on)) for at_s, on in moves]

    def _move(self, on: bool) -> None:
        self.contact.put(on)
        self._show()

    def _show(self) -> None:
        if self._readback is not None:
            lit = self.place.powered and self.contact.value
            self._readback.drive(self.name, lit == self._readback_high)

    def power_changed(self) -> None:
        super().power_changed()
        self._show()
