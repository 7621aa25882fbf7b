"""A probe on one line: its trace is the level, and it can hold the line against everybody."""

from __future__ import annotations

from collections.abc import Mapping

from hal.sim.nets import Net
from hal.sim.peers.base import Peer, Place
from hal.sim.traces import Trace


class ProbePeer(Peer):
    """One line of the board. Faults `stuck_high` and `stuck_low` hold it there."""

    kind = "line"
    kinds_of_fault = frozenset({"stuck_high", "stuck_low"})

    def __init__(self, place: Place, net: Net) -> None:
        super().__init__(place, net.name)
        self._net = net

    @property
    def trace(self) -> Trace[bool]:
        """The level."""
        return self._net.trace

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self._net.trace}

    def faults_changed(self) -> None:
        level = True if "stuck_high" in self.faults else False if "stuck_low" in self.faults else None
        self._net.drive("probe", level)
