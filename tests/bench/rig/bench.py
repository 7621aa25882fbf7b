"""The bench with wires: unmodified firmware with `--hal real` on a Pi whose lines are joined to a probe's.

The far end of every wired line is the simulator's world, as on the kernel bench; its nets are real here. A test that
wants what the rig lacks is skipped with the reason. Time is real.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firmware.board_process.scene import furnish
from firmware.paths import StateDir
from hal.buses.readiness import LoopReadiness
from hal.clock import SystemClock
from hal.errors import HalError, OutOfRange
from hal.sim.peers.base import Peer
from hal.sim.peers.loop import ContactPeer, LoopPeer
from hal.sim.peers.switch import StrikePeer
from hal.sim.world import NoSuchPeer, World
from tests.bench.kernel.bench import KernelBench, exact_loop
from tests.bench.kernel.roles import Roles
from tests.bench.rig.check import check_rig
from tests.bench.rig.lines import RigLines
from tests.bench.rig.lock import locked
from tests.bench.rig.probes import LineProbe, Probe
from tests.bench.rig.relay_board import RelayBoard
from tests.bench.rig.remote import RemoteProbe
from tests.bench.rig.wiring import Wiring, load_wiring, unwired

# What a test may ask of the simulator and not of a rig, with the reason of its skip.
POWER = "the power of a rig is not cut within a test"
DISK = "faults of the disk are the simulator's: this firmware writes to a real file system"
PICTURES = "pictures of a scene are the simulator's"
CLOCK = "the wall clock of a Pi on the bench is left alone"
LACKS = {
    "disk": DISK,
    "rows_refuse": DISK,
    "power_off": POWER,
    "power_on": POWER,
    "cable": "the network cable of a rig is left alone",
    "camera": PICTURES,
    "media": PICTURES,
    "step_utc": CLOCK,
    "set_trusted": CLOCK,
}


def probes_of(wiring: Wiring, reads: LoopReadiness, clock: SystemClock) -> dict[str, Probe]:
    """The probes of a rig, not yet opened."""
    found: dict[str, Probe] = {}
    for name, model in wiring.probes.items():
        places = [*(wire.probe for wire in wiring.wires), *(contact.probe for contact in wiring.contacts)]
        lines = [place.offset for place in places if place.bus == name]
        if model.chip is not None:
            found[name] = LineProbe(model.chip, lines, reads)
        elif model.relays is not None:
            found[name] = RelayBoard(model.relays, lines)
        else:
            assert model.command is not None
            found[name] = RemoteProbe(name, model.command, lines, clock)
    return found


@asynccontextmanager
async def opened(probes: Iterable[Probe]) -> AsyncIterator[None]:
    """Have all probe lines; whatever happens, they are let go."""
    async with contextlib.AsyncExitStack() as stack:
        for probe in probes:
            stack.push_async_callback(probe.close)
            await probe.open()
        yield


async def look_over(wiring: Wiring) -> list[str]:
    """Everything that is wrong with a rig, one line each. Raises HalError where it cannot even be looked at."""
    clock, reads = SystemClock(), LoopReadiness(asyncio.get_running_loop())
    probes = probes_of(wiring, reads, clock)
    async with opened(probes.values()):
        return await check_rig(wiring, probes, clock, reads)


@dataclass
class Rig:
    """A rig for one session of tests: locked, looked over, and from then on lent to one test after the other."""

    wiring: Wiring
    holding: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def taken(cls, path: Path) -> Rig:
        """The rig of a wiring file. Ends the session with one line for each thing that is wrong."""
        try:
            rig = cls(load_wiring(path))
            places = [probe.place for probe in rig.wiring.probes.values()]
            rig.holding.enter_context(locked(places, f"pytest in {os.getcwd()}"))
            with asyncio.Runner(loop_factory=exact_loop) as runner:
                found = runner.run(look_over(rig.wiring))
        except HalError as error:
            pytest.exit(f"rig: {error}", returncode=2)
        if found:
            rig.holding.close()
            pytest.exit("\n".join(f"rig {rig.wiring.name}: {line}" for line in found), returncode=2)
        return rig


class RigWorld(World):
    """The world of a rig: who asks for what is not wired there is told that the rig lacks it, by a skip."""

    wiring: Wiring

    def find(self, name: str) -> Peer:
        """The peer people mean, if all of its lines have wires."""
        try:
            peer = super().find(name)
        except (NoSuchPeer, OutOfRange) as missing:
            pytest.skip(f"the rig {self.wiring.name} lacks it: {missing}")
        node = next((each for each, owner in self.peers.items() if peer in (owner, *owner.parts.values())), None)
        if node is not None and node in self.wiring.board.nodes:
            readback = getattr(self.wiring.board.nodes[node], "readback", None)
            for line in unwired(self.wiring, node):
                if line != readback:
                    pytest.skip(f"the rig {self.wiring.name} lacks it: {peer.title} has no wire at {line}")
        return peer

    def fault(self, name: str, kind: str) -> None:
        """Make a peer misbehave; the contact of a real relay does not do so to order."""
        peer = self.find(name)
        if isinstance(peer, StrikePeer) and kind in peer.kinds_of_fault and self._real_contact(peer):
            pytest.skip(f"the rig {self.wiring.name} lacks it: the contact of {peer.title} is no wire of a probe")
        super().fault(name, kind)

    def _real_contact(self, peer: StrikePeer) -> bool:
        return getattr(self.wiring.board.nodes[peer.name], "readback", None) not in self.wiring.lines


class PlainLoop:
    """A plain contact at two wires; a test that wants a cut told from an open one is skipped."""

    def __init__(self, peer: ContactPeer) -> None:
        self._peer = peer

    def set(self, state: str) -> None:
        """Put the loop in a state."""
        if state in ("cut", "short"):
            pytest.skip(f"a plain contact as {self._peer.title} of this rig cannot be told {state} from plain")
        self._peer.set(state)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


class RigBench(KernelBench):
    """One device on a rig. `play` runs one test on it, in a loop of its own."""

    tolerance_s = 0.05
    lacks = LACKS

    def __init__(self, state: Path, rig: Rig) -> None:
        super().__init__(state, rig.wiring.board_source)
        self._rig = rig
        self.wires: RigLines

    @asynccontextmanager
    async def _soldered(self) -> AsyncIterator[None]:
        """The world, hung on the rig's wires."""
        wiring, reads = self._rig.wiring, LoopReadiness(asyncio.get_running_loop())
        StateDir(self._state).prepare()
        probes = probes_of(wiring, reads, self.clock)
        self.world = world = RigWorld(self.clock, self._board, stepped=True)
        world.wiring = wiring
        furnish(world)
        try:
            async with opened(probes.values()):
                nets = {wire.line: world.net(wire.line) for wire in wiring.wires}
                self.wires = RigLines(wiring, nets, probes, self.clock)
                await self.wires.begin(world.origin_ns)
                self.roles = Roles(self._device, self.clock)
                try:
                    yield
                finally:
                    try:
                        await self.roles.close()
                        await self.clock.sleep(self.tolerance_s)
                        left = await self.wires.not_at_rest()
                    finally:
                        await self.wires.close()
                assert not left, "after the test: " + "; ".join(left)
        finally:
            world.close()

    def needs(self, *names: str) -> None:
        """What the test touches; a rig that lacks it skips the test."""
        for name in names:
            self.world.find(name)

    def loop(self, name: str) -> LoopPeer:
        """A contact, a request to exit, or what is wired to a terminal."""
        peer = super().loop(name)
        return PlainLoop(peer) if isinstance(peer, ContactPeer) else peer  # type: ignore[return-value]
