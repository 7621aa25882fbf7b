"""A terminal of the I/O connector: the circuit outside, and the board's transistor that can close it to ground."""

from __future__ import annotations

from collections.abc import Mapping

from hal.sim.nets import Net, Voltage
from hal.sim.peers.base import Place
from hal.sim.peers.loop import ResistorLoopPeer
from hal.sim.traces import Trace
from hal.types import LoopState

# A circuit without resistors counts as open from 1 V (manual 001, I/O connector), with a margin.
CLOSED_BELOW_V = 0.9


class TerminalPeer(ResistorLoopPeer):
    """One terminal. `set` is what is wired to it, `trace` the circuit as both sides make it, `output` the transistor.

    Resistors are fitted at first where a closed circuit with them is closed for an unsupervised terminal
    too; on other boards `fit` does it, or the first cut or short, which nobody could tell without them.
    Fault `dead`: the transistor never conducts.
    """

    kind = "port"
    kinds_of_fault = frozenset({"cut", "short", "bounce", "dead"})

    def __init__(
        self,
        place: Place,
        name: str,
        *,
        output: Net | None,
        input_net: Net | None,
        voltage: Voltage | None,
        eol_ohm: float,
        pullup_ohm: float,
        supply_v: float,
        alias: str | None = None,
    ) -> None:
        super().__init__(
            place,
            name,
            voltage or Voltage(name),
            eol_ohm=eol_ohm,
            pullup_ohm=pullup_ohm,
            supply_v=supply_v,
            alias=alias,
        )
        self._resistors = supply_v * eol_ohm / (eol_ohm + pullup_ohm) < CLOSED_BELOW_V
        self._gate = output
        self._input = input_net
        self.output: Trace[bool] = self.new_trace(False)
        if output is not None:
            output.listen(lambda t_ns, _: self._gate_changed(t_ns))

    @property
    def traces(self) -> Mapping[str, Trace[bool] | Trace[str]]:
        return {"": self.trace, "output": self.output}

    def set(self, state: LoopState | str) -> None:
        """Put the circuit outside in a state."""
        if LoopState(state) in (LoopState.CUT, LoopState.SHORT) and not self.resistors:
            self.fit()
        super().set(state)

    def ohm(self) -> float:
        """The resistance to ground."""
        return 0.0 if self.output.value else super().ohm()

    def faults_changed(self) -> None:
        self._gate_changed(self.place.clock.now_ns())
        super().faults_changed()

    def _wanted(self) -> LoopState:
        return LoopState.CLOSED if self.output.value else super()._wanted()

    def _gate_changed(self, t_ns: int) -> None:
        conducts = self._gate is not None and self._gate.level and "dead" not in self.faults
        if conducts == self.output.value:
            return
        self.changing()
        self.output.put(conducts, t_ns)
        self.trace.put(str(self._wanted()), t_ns)
        self.changed()

    def changed(self) -> None:
        if self._input is not None:
            grounded = self.circuit in (LoopState.CLOSED, LoopState.SHORT)
            self._input.drive(self.name, False if grounded else None)
