"""Endurance of a real relay: thousands of cycles through the firmware's own driver, its contact watched all the time.

    python -m tests.bench.rig.endurance --rig FILE [--relay door] [--cycles 10000] [--on 0.25] [--off 0.25] --report DIR

The relay is the board's, opened by `hal.assemble` on the real wires: its polarity, longest on-time and readback are
those that ship. The contact is read by a probe line where the wiring has one, else the relay's line itself. Ends with
status 1 when a cycle had trouble; Ctrl-C ends it early, and the report tells of the cycles until then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hal.assemble import assemble
from hal.buses.readiness import LoopReadiness
from hal.buses.real import RealWires
from hal.clock import Clock, SystemClock
from hal.errors import HalError
from hal.ports import OutputTrouble, Relay
from hal.sim.traces import Trace
from hal.sim.world import World
from tests.bench.kernel.bench import exact_loop
from tests.bench.report.endurance_page import endurance_page
from tests.bench.rig.bench import opened, probes_of
from tests.bench.rig.check import check_rig
from tests.bench.rig.cycles import Cycle, Figure, figures, measure, troubles
from tests.bench.rig.lines import RigLines
from tests.bench.rig.lock import locked
from tests.bench.rig.wiring import Wiring, load_wiring

# Edges kept for drawing: those of the first cycle and of each that had trouble, up to so many.
MOST_DRAWN = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done: so many cycles, each `on_s` on and `off_s` off."""

    cycles: int
    on_s: float
    off_s: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """One cycle to be drawn: seconds since its command, for the command and for the contact."""

    number: int
    off_s: float
    ends_s: float
    edges: tuple[tuple[float, bool], ...]


@dataclass(frozen=True, slots=True)
class Endurance:
    """A run that has ended."""

    relay: str
    contact: str
    plan: Plan
    cycles: tuple[Cycle, ...]
    drawn: tuple[Drawn, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Its figures."""
        return figures(self.cycles)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What went wrong, one line each."""
        return troubles(self.cycles)


async def endure(
    relay: Relay, contact: Trace[bool], clock: Clock, plan: Plan, *, names: tuple[str, str], ended: Callable[[], bool]
) -> Endurance:
    """Switch a relay and measure its contact until the plan or `ended` ends it; the relay is off afterwards."""
    edges: list[tuple[int, bool]] = []
    stuck: list[OutputTrouble] = []
    cycles: list[Cycle] = []
    drawn: list[Drawn] = []
    end_listening = contact.listen(lambda t_ns, closed: edges.append((t_ns, closed)))
    relay.on_trouble(stuck.append)
    try:
        while len(cycles) < plan.cycles and not ended():
            edges.clear()
            stuck.clear()
            on_ns = clock.now_ns()
            relay.on()
            await clock.sleep(plan.on_s)
            off_ns = clock.now_ns()
            relay.off()
            await clock.sleep(plan.off_s)
            cycle = measure(len(cycles) + 1, on_ns, off_ns, edges, stuck=any(each.stuck for each in stuck))
            cycles.append(cycle)
            if len(drawn) < MOST_DRAWN and (cycle.trouble or not drawn):
                shown = tuple(((t_ns - on_ns) / 1e9, closed) for t_ns, closed in edges)
                drawn.append(Drawn(cycle.number, (off_ns - on_ns) / 1e9, (clock.now_ns() - on_ns) / 1e9, shown))
    finally:
        relay.off()
        relay.on_trouble(None)
        end_listening()
    return Endurance(*names, plan, tuple(cycles), tuple(drawn))


async def on_rig(wiring: Wiring, relay: str, plan: Plan, ended: Callable[[], bool]) -> Endurance:
    """A run on a rig. Raises HalError, also when the rig is broken."""
    clock, reads = SystemClock(), LoopReadiness(asyncio.get_running_loop())
    probes = probes_of(wiring, reads, clock)
    world = World(clock, wiring.board, stepped=True)
    try:
        async with opened(probes.values()):
            found = await check_rig(wiring, probes, clock, reads)
            if found:
                raise HalError(wiring.name, "; ".join(found))
            lines = RigLines(wiring, {wire.line: world.net(wire.line) for wire in wiring.wires}, probes, clock)
            await lines.begin(world.origin_ns)
            contact, title = _contact(wiring, relay, lines, world)
            wires = RealWires(wiring.board.buses, clock)
            try:
                assembled = await assemble(wiring.board, wires, clock)
                try:
                    port = assembled.hardware.relays[relay]
                    return await endure(port, contact, clock, plan, names=(relay, title), ended=ended)
                finally:
                    await assembled.close()
            finally:
                await wires.close()
                await lines.close()
    finally:
        world.close()


def _contact(wiring: Wiring, relay: str, lines: RigLines, world: World) -> tuple[Trace[bool], str]:
    """Where the relay is watched. Raises HalError where it has neither contact nor wire."""
    for contact in wiring.contacts:
        if contact.relay == relay:
            return lines.contacts[relay], contact.title
    for wire in wiring.wires:
        if wire.line == getattr(wiring.board.nodes[relay], "line", None):
            return world.net(wire.line).trace, f"{wire.title} (the line itself: no contact is wired)"
    raise HalError(wiring.name, f"nothing watches {relay}: the wiring has no contact and no wire for it")


def write_report(run: Endurance, folder: Path) -> None:
    """endurance.json and endurance.html."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "relay": run.relay,
        "contact": run.contact,
        "plan": asdict(run.plan),
        "figures": [asdict(figure) for figure in run.figures],
        "troubles": list(run.troubles),
        "cycles": [asdict(cycle) for cycle in run.cycles],
    }
    (folder / "endurance.json").write_text(json.dumps(told, indent=1) + "\n")
    (folder / "endurance.html").write_text(endurance_page(run))


def node_of(wiring: Wiring, name: str) -> str:
    """The relay of a name or alias. Raises HalError."""
    relays = {node: found.alias for node, found in wiring.board.nodes.items() if found.kind == "relay"}
    for node, alias in relays.items():
        if name in (node, alias):
            return node
    known = ", ".join(alias or node for node, alias in relays.items())
    raise HalError(wiring.name, f"no relay {name!r}; there is {known or 'none'}")


def main(words: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="endurance", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rig", type=Path, required=True, help="the wiring file")
    parser.add_argument("--relay", default="door", help="the relay, by alias or node (default: %(default)s)")
    parser.add_argument("--cycles", type=int, default=10_000)
    parser.add_argument("--on", type=float, default=0.25, help="seconds on in each cycle (default: %(default)s)")
    parser.add_argument("--off", type=float, default=0.25, help="seconds off (default: %(default)s)")
    parser.add_argument("--report", type=Path, required=True, help="a folder for the report")
    asked = parser.parse_args(words)
    if asked.cycles < 1 or min(asked.on, asked.off) < 0.02:
        parser.error("at least 1 cycle, and 0.02 s for each half of it")
    over: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: over.append(got))
    try:
        wiring = load_wiring(asked.rig)
        relay = node_of(wiring, asked.relay)
        with locked([probe.place for probe in wiring.probes.values()], "endurance"):
            plan = Plan(asked.cycles, asked.on, asked.off)
            with asyncio.Runner(loop_factory=exact_loop) as runner:
                run = runner.run(on_rig(wiring, relay, plan, lambda: bool(over)))
    except HalError as error:
        print(f"endurance: {error}", file=sys.stderr)
        return 2
    write_report(run, asked.report)
    for figure in run.figures:
        least, median, most = (f"{value * 1e3:9.3f}" for value in (figure.least, figure.median, figure.most))
        print(f"{figure.name:<18} {least} to {most} ms, median {median}")
    print("\n".join(run.troubles) or "no trouble", f"in {len(run.cycles)} cycles; {asked.report / 'endurance.html'}")
    return 1 if run.troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
