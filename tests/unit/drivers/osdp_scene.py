"""A board whose external reader and panel are on simulated wires, with the drivers at work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from wires_in_memory import running

from hal.assemble import assemble
from hal.board import parse_board
from hal.ports import Hardware, PanelPort, SerialReader
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.peers.osdp_reader import OsdpReaderPeer
from hal.sim.serial import SerialBus
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import (
    BusFrame,
    CardBits,
    Key,
    LinkPhase,
    LinkSettings,
    LinkStatus,
    PanelFact,
    PeerCondition,
    ReaderFact,
)

KEY = bytes.fromhex("8D2C5E91F07A4B36C1D84E0F7B92A365")
OTHER_KEY = bytes.fromhex("17F3A86B2D905CE4B79E01C85A46D23F")
CARD = "H10301:1:1"
CARD_BITS = "10000000100000000000000010"

# As at the door station, without what is polled all the time.
ONE_READER = """
base = "_rpi.toml"
[product]
name = "A reader and a panel"
model = "ONE-1"
[buses]
rs485b = { kind = "uart", device = "/dev/lintel/rs485b", rs485 = true }
[nodes]
relay1  = { compatible = "relay", line = "gpio0:16", alias = "door" }
reader2 = { compatible = "osdp-reader", bus = "rs485", alias = "external" }
panel1  = { compatible = "osdp-port", bus = "rs485b", alias = "panel" }
"""
TWO_READERS = """
base = "_rpi.toml"
[product]
name = "Two readers on one bus"
model = "TWO-1"
[nodes]
reader1 = { compatible = "osdp-reader", bus = "rs485", alias = "outside" }
reader2 = { compatible = "osdp-reader", bus = "rs485", alias = "inside" }
"""


@dataclass
class Notes:
    """Everything a reader's port has told."""

    facts: list[ReaderFact] = field(default_factory=list)
    links: list[LinkStatus] = field(default_factory=list)
    conditions: list[PeerCondition] = field(default_factory=list)
    frames: list[BusFrame] = field(default_factory=list)

    @classmethod
    def of(cls, port: SerialReader, *, frames: bool = False) -> Notes:
        """Take notes of a reader from now on."""
        notes = cls()
        port.watch(notes.facts.append)
        port.on_link(notes.links.append)
        port.on_condition(notes.conditions.append)
        if frames:
            port.on_frame(notes.frames.append)
        return notes

    @property
    def cards(self) -> list[str]:
        """The bits of every card."""
        return [fact.bits for fact in self.facts if isinstance(fact, CardBits)]

    @property
    def keys(self) -> str:
        """Every key."""
        return "".join(fact.key for fact in self.facts if isinstance(fact, Key))

    @property
    def phases(self) -> list[LinkPhase]:
        """The phases in their order, each once."""
        found: list[LinkPhase] = []
        for status in self.links:
            if not found or found[-1] is not status.phase:
                found.append(status.phase)
        return found


@dataclass
class Scene:
    """What a test sees: clock, world, ports."""

    clock: VirtualClock
    world: World
    hardware: Hardware

    def port(self, node: str = "reader2") -> SerialReader:
        """Our side of a reader."""
        return self.hardware.serial_readers[node]

    def reader(self, name: str = "external") -> OsdpReaderPeer:
        """The reader on the wall."""
        peer = self.world.find(f"reader:{name}")
        assert isinstance(peer, OsdpReaderPeer)
        return peer

    def our_port(self) -> PanelPort:
        """Our side of somebody's panel."""
        return self.hardware.panels["panel1"]

    def panel(self) -> OsdpPanelPeer:
        """Somebody's panel."""
        peer = self.world.find("panel:panel")
        assert isinstance(peer, OsdpPanelPeer)
        return peer

    def bus(self, name: str = "rs485") -> SerialBus:
        """A serial bus."""
        return self.world.uart(name)

    async def until(self, check: Callable[[], bool], within_s: float) -> float:
        """Wait until `check` holds; returns how long that took. Fails after `within_s`."""
        began_ns = self.clock.now_ns()
        while not check():
            passed_s = (self.clock.now_ns() - began_ns) / 1e9
            assert passed_s < within_s, f"not seen within {within_s} s"
            await self.clock.sleep(0.005)
        return (self.clock.now_ns() - began_ns) / 1e9

    async def connected(self, port: SerialReader | PanelPort, within_s: float = 2.0) -> float:
        """Wait until a link stands."""
        return await self.until(lambda: port.link.phase is LinkPhase.CONNECTED, within_s)

    async def keyed(self, baud: int = 9600) -> SerialReader:
        """The external reader with a key of ours, connected in the secure channel."""
        reader = self.reader()
        reader.memory.key, reader.memory.baud = KEY, baud
        reader.power_cycle()
        port = self.port()
        port.connect(LinkSettings(keys=(KEY,), baud=baud))
        await self.connected(port)
        return port

    async def served(self, *, facts: list[PanelFact] | None = None) -> PanelPort:
        """Our port with a key, and a panel that has the same, connected."""
        port, panel = self.our_port(), self.panel()
        if facts is not None:
            port.watch(facts.append)
        port.serve(LinkSettings(keys=(KEY,)))
        panel.keys = (KEY,)
        panel.plug()
        await self.connected(port)
        await self.until(lambda: panel.status.phase is LinkPhase.CONNECTED, 2.0)
        return port


def play(test: Callable[[Scene], Awaitable[None]], board: str = ONE_READER) -> None:
    """Run a test on a board."""

    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(board, "scene"))
        wires = SimWires(world)
        assembled = await assemble(world.board, wires, clock)
        async with running(assembled.run()):
            await test(Scene(clock, world, assembled.hardware))
        await assembled.close()
        await wires.close()
        world.close()

    virtual_run(main)
