"""What stands around a camera's lens: the IR-cut filter with its coil, and the board's own light."""

from __future__ import annotations

from collections.abc import Mapping

from hal.clock import Timer
from hal.sim.nets import Net
from hal.sim.peers.base import Peer, Place
from hal.sim.peers.switch import SwitchPeer
from hal.sim.traces import Trace

# The filter has moved once its coil had current for so long; longer than that, and the coil is burnt.
MOVES_S = 0.02
BURNS_S = 1.0


class IlluminationPeer(SwitchPeer):
    """A light on an output line; its trace is whether it shines."""

    kind = "illumination"


class CutFilterPeer(Peer):
    """A filter; its trace is whether it is before the sensor. Fault `stuck`: it stays where it is.

    `before` and `away` are the nets of a bridge; or `away` alone holds the filter away. The bridge's misuse is
    counted: `shorted` (both sides on at once) and `burnt` (a coil with current for too long).
    """

    kind = "ir_cut"
    kinds_of_fault = frozenset({"stuck"})

    def __init__(
        self, place: Place, name: str, before: Net | None, away: Net, *, active_high: bool, alias: str | None = None
    ) -> None:
        super().__init__(place, name, alias=alias)
        self._nets = (before, away)
        self._active = active_high
        self._moving: Timer | None = None
        self._burning: Timer | None = None
        self.shorted = self.burnt = 0
        self.trace: Trace[bool] = self.new_trace(True)
        for net in (before, away):
            if net is not None:
                net.listen(lambda _t_ns, _level: self._look())

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace}

    def state(self) -> dict[str, object]:
        """Where it is, and how its bridge was treated."""
        return {"before": self.trace.value, "shorted": self.shorted, "burnt": self.burnt}

    def power_changed(self) -> None:
        self._look()

    def _on(self, net: Net | None) -> bool:
        return net is not None and self.place.powered and net.level == self._active

    def _look(self) -> None:
        before, away = (self._on(net) for net in self._nets)
        self.forget(self._moving)
        self.forget(self._burning)
        self._moving = self._burning = None
        held = self._nets[0] is None
        if before and away:
            self.shorted += 1
            return
        if not held and not before and not away:
            return
        now_ns = self.place.clock.now_ns()
        self._moving = self.at(now_ns + round(MOVES_S * 1e9), lambda: self._move(not away))
        if not held:
            self._burning = self.at(now_ns + round(BURNS_S * 1e9), self._burn)

    def _move(self, before: bool) -> None:
        self._moving = None
        if "stuck" not in self.faults:
            self.trace.put(before)

    def _burn(self) -> None:
        self._burning = None
        self.burnt += 1
