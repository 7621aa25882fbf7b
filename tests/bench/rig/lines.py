"""A rig's wires as nets of a world: what the board drives moves nets, what peers do is driven through the wires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from hal.board.ways import Way
from hal.clock import Clock
from hal.sim.nets import Net
from hal.sim.traces import Trace
from hal.types import LineRef, Pull
from tests.bench.rig.probes import Probe
from tests.bench.rig.wiring import Contact, Wire, Wiring

PROCESSOR = "processor"


class RigLines:
    """All wires of a rig, followed and driven until `close`; `contacts` has a trace for each real relay's contact."""

    def __init__(self, wiring: Wiring, nets: Mapping[LineRef, Net], probes: Mapping[str, Probe], clock: Clock) -> None:
        self._wiring = wiring
        self._nets = nets
        self._probes = probes
        self._watched = {wire.probe: wire for wire in wiring.wires if wire.way is Way.OUT}
        self._touched = {contact.probe: contact for contact in wiring.contacts}
        self._endings: list[Callable[[], None]] = []
        self._clock = clock
        self.contacts: dict[str, Trace[bool]] = {}

    async def begin(self, origin_ns: int) -> None:
        """Put every line as its peer has it, and listen."""
        for wire in self._wiring.wires:
            net, probe = self._nets[wire.line], self._probes[wire.probe.bus]
            if wire.way is Way.OUT:
                probe.release(wire.probe.offset, Pull.UP if net.without(PROCESSOR) else Pull.DOWN)
            else:
                probe.hold(wire.probe.offset, net.without(PROCESSOR))
                self._endings.append(net.listen(partial(self._net_changed, wire)))
        for contact in self._wiring.contacts:
            self._probe(contact).release(contact.probe.offset, Pull.DOWN if contact.closed else Pull.UP)
        for name, probe in self._probes.items():
            lines = [line.offset for line in (*self._watched, *self._touched) if line.bus == name]
            first = await probe.levels(lines)
            probe.watch(lines, partial(self._line_changed, name))
            for line, level in zip(lines, first, strict=True):
                self._begin_line(LineRef(name, line), level, origin_ns)

    def _begin_line(self, place: LineRef, level: bool, origin_ns: int) -> None:
        if place in self._touched:
            contact = self._touched[place]
            self.contacts[contact.relay] = Trace(self._clock, origin_ns, level == contact.closed)
        else:
            self._line_changed(place.bus, place.offset, self._clock.now_ns(), level)

    def _probe(self, contact: Contact) -> Probe:
        return self._probes[contact.probe.bus]

    def _net_changed(self, wire: Wire, _t_ns: int, _level: bool) -> None:
        self._probes[wire.probe.bus].hold(wire.probe.offset, self._nets[wire.line].without(PROCESSOR))

    def _line_changed(self, name: str, line: int, t_ns: int, level: bool) -> None:
        place = LineRef(name, line)
        if place in self._touched:
            contact = self._touched[place]
            self.contacts[contact.relay].put(level == contact.closed, t_ns)
        else:
            self._nets[self._watched[place].line].drive(PROCESSOR, level, t_ns=t_ns)

    async def not_at_rest(self) -> list[str]:
        """The wires of relays and plain outputs that are not at rest, one line each: asked when no firmware runs."""
        found = []
        for name, node in self._wiring.board.nodes.items():
            if node.kind not in ("relay", "output", "wiegand_out"):
                continue
            mine = {line for _, line in node.lines()}
            for place, wire in self._watched.items():
                if wire.line not in mine:
                    continue
                (level,) = await self._probes[place.bus].levels([place.offset])
                if level != self._nets[wire.line].without(PROCESSOR):
                    found.append(f"{wire.title}: {name} was left {'high' if level else 'low'}")
        return found

    async def close(self) -> None:
        """Stop listening, and let every line go."""
        for end in self._endings:
            end()
        self._endings.clear()
        for name, probe in self._probes.items():
            probe.watch([line.offset for line in (*self._watched, *self._touched) if line.bus == name], None)
        for wire in self._wiring.wires:
            self._probes[wire.probe.bus].release(wire.probe.offset)
        for contact in self._wiring.contacts:
            self._probe(contact).release(contact.probe.offset)
