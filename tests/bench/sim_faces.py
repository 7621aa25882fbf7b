"""The faces of the simulator's bench: what a test does to, and sees of, one reader, relay, light, cable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hal.sim.peers.card_reader import CardReaderPeer
from hal.sim.peers.controller import ControllerPeer
from hal.sim.peers.light import Lamp
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.peers.switch import Load, StrikePeer
from hal.sim.world import World
from hal.types import LinkPhase
from tests.bench.faces import Pulse


class Bench(Protocol):
    """What a face needs of its bench."""

    world: World
    began_s: float

    def loop(self, name: str) -> LoopPeer:
        """What is wired to a terminal."""

    async def until(self, check: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until `check` holds."""


class Light:
    """`faces.LightFace` on a simulated lamp."""

    def __init__(self, peer: Lamp) -> None:
        self._peer = peer

    @property
    def colour(self) -> str:
        return self._peer.colour

    def shown(self, colour: str) -> tuple[Pulse, ...]:
        return tuple(Pulse(each.t_s, each.width_s) for each in self._peer.trace.pulses() if each.value == colour)


class Relay:
    """`faces.RelayFace` on a simulated strike."""

    def __init__(self, bench: Bench, peer: StrikePeer) -> None:
        self._bench = bench
        self._peer = peer

    @property
    def on(self) -> bool:
        return self._peer.trace.value

    def edges(self) -> int:
        return len(self._peer.trace.points) - 1

    async def pulse(self, within_s: float = 30.0) -> Pulse:
        await self._bench.until(lambda: bool(self._peer.trace.pulses(self._bench.began_s)), within_s)
        first = self._peer.trace.pulses(self._bench.began_s)[0]
        return Pulse(first.t_s, first.width_s)

    def pulses(self) -> tuple[Pulse, ...]:
        return tuple(Pulse(each.t_s, each.width_s) for each in self._peer.trace.pulses(self._bench.began_s))

    def fault(self, kind: str) -> None:
        self._bench.world.fault(self._peer.title, kind)


class Beeper:
    """`faces.BeeperFace` on a simulated load."""

    def __init__(self, peer: Load) -> None:
        self._peer = peer

    @property
    def on(self) -> bool:
        return self._peer.trace.value

    def pulses(self) -> tuple[Pulse, ...]:
        return tuple(Pulse(each.t_s, each.width_s) for each in self._peer.trace.pulses())


class Controller:
    """`faces.ControllerFace` on a simulated controller."""

    def __init__(self, bench: Bench, peer: ControllerPeer) -> None:
        self._bench = bench
        self._peer = peer

    @property
    def frames(self) -> tuple[str, ...]:
        return self._peer.good_frames

    @property
    def spoilt(self) -> int:
        return sum(not frame.good for frame in self._peer.frames)

    def wire(self, wire: str, port: str) -> None:
        self._peer.wire(wire, self._bench.loop(f"port:{port}"))

    def drive(self, wire: str, on: bool) -> None:
        self._peer.drive(wire, on)


class Reader:
    """`faces.ReaderFace` on a simulated reader."""

    def __init__(self, peer: CardReaderPeer) -> None:
        self._peer = peer

    @property
    def led(self) -> Light:
        return Light(self._peer.led)

    @property
    def beeper(self) -> Beeper:
        return Beeper(self._peer.beeper)

    async def swipe(self, card: str) -> None:
        await self._peer.swipe(card)

    async def keys(self, text: str) -> None:
        await self._peer.keys(text)

    def fault(self, kind: str) -> None:
        self._peer.clear() if kind == "none" else self._peer.fault(kind)

    def tamper(self) -> None:
        self._peer.tamper()

    def unplug(self) -> None:
        self._peer.unplug()

    def plug(self) -> None:
        self._peer.plug()


class Panel:
    """`faces.PanelFace` on a simulated panel."""

    def __init__(self, peer: OsdpPanelPeer) -> None:
        self._peer = peer

    @property
    def cards(self) -> tuple[str, ...]:
        return tuple(self._peer.cards)

    @property
    def keys(self) -> str:
        return self._peer.pressed

    @property
    def connected(self) -> bool:
        return self._peer.status.phase is LinkPhase.CONNECTED

    @property
    def secure(self) -> bool:
        return self._peer.status.secure

    def plug(self, *keys: bytes) -> None:
        self._peer.keys = keys
        self._peer.plug()

    def install(self, key: bytes) -> None:
        self._peer.install(key)

    def unplug(self) -> None:
        self._peer.unplug()

    def light(self, colour: str, for_s: float = 0.0) -> None:
        self._peer.light(colour, for_s=for_s)

    def buzz(self, count: int) -> None:
        self._peer.buzz(count)


class Cable:
    """The network cable, as the kernel's class net shows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "eth0").mkdir(parents=True)
        (root / "eth0" / "type").write_text("1\n")
        self.plug()

    def plug(self) -> None:
        """Put it in."""
        (self.root / "eth0" / "carrier").write_text("1\n")

    def unplug(self) -> None:
        """Pull it out."""
        (self.root / "eth0" / "carrier").write_text("0\n")
