"""The world around one board: its nets, its chips, and a peer at the far end of every node.

It outlives the firmware: what people do (buttons, contacts, loops) survives a power cut, what the
firmware drove stays when the firmware dies and goes to its pull when the power goes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from hal.board import Board, UartBus
from hal.clock import Clock
from hal.errors import BoardError, nearest
from hal.sim.build import build_peers
from hal.sim.chips import Ads1115, Chip, ChipBus, Lis3dh, Mcp23017, Opt3001
from hal.sim.nets import Copper, Net, Voltage
from hal.sim.peers.base import Peer
from hal.sim.peers.leaf import LeafPeer
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.probe import ProbePeer
from hal.sim.peers.switch import StrikePeer
from hal.sim.pins import SimFactory
from hal.sim.scene.daylight import Daylight
from hal.sim.scene.peer import CameraPeer
from hal.sim.serial import SerialBus
from hal.sim.time import VirtualClock
from hal.types import ChipIdentity, LineRef, LoopState

# A locally administered address: never a real maker's.
DEFAULT_IDENTITY = ChipIdentity(serial="02A11CE00001", chip_id="10000000a11ce001")

KINDS = {
    "relay": "relay",
    "strike": "relay",
    "reader": "reader",
    "panel": "panel",
    "led": "led",
    "button": "button",
    "input": "input",
    "contact": "input",
    "loop": "input",
    "port": "port",
    "output": "output",
    "adc": "adc",
    "expander": "expander",
    "serial": "serial",
    "leaf": "leaf",
    "controller": "controller",
    "wiegand_out": "controller",
    "speaker": "speaker",
    "microphone": "microphone",
    "camera": "camera",
    "accelerometer": "accelerometer",
    "light_sensor": "light_sensor",
    "ir_cut": "ir_cut",
    "illumination": "illumination",
}
# A bare name that several things share means the first of these.
PRIORITY = (
    "relay",
    "reader",
    "panel",
    "port",
    "input",
    "led",
    "button",
    "output",
    "adc",
    "expander",
    "serial",
    "leaf",
    "controller",
    "speaker",
    "microphone",
    "camera",
    "illumination",
    "ir_cut",
    "accelerometer",
    "light_sensor",
)

CHIPS = (Ads1115, Lis3dh, Mcp23017, Opt3001)

B = TypeVar("B")
Change = Callable[[str, float, bool | str], None]


class NoSuchPeer(LookupError):
    """No peer has that name; the message says which is nearest."""


class World:
    """Everything a board is soldered and wired to. `identity` is what its hardware says it is; `seed` its luck.

    `stepped` says that every step of a burst can be taken at its own instant (None: when time is virtual); `serial` is
    what the serial buses are made of.
    """

    def __init__(
        self,
        clock: Clock,
        board: Board,
        *,
        identity: ChipIdentity = DEFAULT_IDENTITY,
        seed: int = 1,
        stepped: bool | None = None,
        serial: type[SerialBus] = SerialBus,
    ) -> None:
        self.clock = clock
        self.board = board
        self.identity = identity
        self.origin_ns = clock.now_ns()
        self.chance = random.Random(seed)
        self.stepped = isinstance(clock, VirtualClock) if stepped is None else stepped
        self.powered = True
        self.daylight = Daylight()
        self.copper = Copper(clock, self.origin_ns)
        self.nets: dict[LineRef, Net] = {}
        self.voltages: dict[LineRef, Voltage] = {}
        self._probes: dict[LineRef, ProbePeer] = {}
        self._gpios = {
            name: SimFactory(name, bus.size, self.copper, partial(self._net_of, name))
            for name, bus in board.buses.items()
            if bus.kind == "gpio"
        }
        self._uarts = {
            name: serial(self, name, full_duplex=not bus.rs485)
            for name, bus in board.buses.items()
            if isinstance(bus, UartBus)
        }
        self.peers: dict[str, Peer] = build_peers(self)
        self._i2cs = {name: self._i2c_bus(name) for name, bus in board.buses.items() if bus.kind == "i2c"}
        for net in self.nets.values():
            net.trace.begin()
        for peer in self.everybody():
            for trace in peer.traces.values():
                trace.begin()

    def _net_of(self, bus: str, offset: int) -> Net:
        return self.net(LineRef(bus, offset))

    def _i2c_bus(self, name: str) -> ChipBus:
        chips: dict[int, Chip] = {}
        for node_name, peer in self.peers.items():
            node = self.board.nodes[node_name]
            if isinstance(peer, CHIPS) and getattr(node, "bus", None) == name:
                chips[getattr(node, "address", -1)] = peer
        return ChipBus(name, chips, self.clock, self.chance)

    # places

    @property
    def now_s(self) -> float:
        """Seconds since the world began; the time of every trace."""
        return (self.clock.now_ns() - self.origin_ns) / 1e9

    @property
    def contentions(self) -> tuple[object, ...]:
        """Every fight of two drivers over a net so far."""
        return tuple(self.copper.contentions)

    def net(self, line: LineRef) -> Net:
        """The net at a line."""
        if line not in self.nets:
            self.nets[line] = Net(str(line), self.copper)
        return self.nets[line]

    def voltage(self, channel: LineRef) -> Voltage:
        """The voltage at a converter's channel."""
        if channel not in self.voltages:
            self.voltages[channel] = Voltage(str(channel))
        return self.voltages[channel]

    def gpio(self, bus: str) -> SimFactory:
        """The GPIO chip of a bus. Raises BoardError."""
        return self._bus(bus, self._gpios, "gpio")

    def i2c(self, bus: str) -> ChipBus:
        """The I2C bus of a name. Raises BoardError."""
        return self._bus(bus, self._i2cs, "i2c")

    def uart(self, bus: str) -> SerialBus:
        """The serial bus of a name. Raises BoardError."""
        return self._bus(bus, self._uarts, "uart")

    def camera(self, bus: str) -> CameraPeer:
        """The camera on a bus. Raises BoardError."""
        cameras = {peer.bus: peer for peer in self.peers.values() if isinstance(peer, CameraPeer)}
        return self._bus(bus, cameras, "camera")

    def _bus(self, name: str, buses: Mapping[str, B], kind: str) -> B:
        if name in buses:
            return buses[name]
        if name in self.board.buses:
            raise BoardError(
                f"buses.{name}", f"is a {self.board.buses[name].kind} bus, not {kind}{nearest(name, buses)}"
            )
        raise BoardError("buses", f"no bus {name!r}{nearest(name, self.board.buses)}")

    # peers

    def everybody(self) -> Iterator[Peer]:
        """Every peer with its parts."""
        for peer in [*self.peers.values(), *self._uarts.values()]:
            yield peer
            yield from peer.parts.values()

    def find(self, name: str) -> Peer:
        """The peer people mean: `relay:door`, `door`, `front.led`, `line:gpio0:5`. Raises NoSuchPeer."""
        if name.startswith("line:"):
            return self._probe(name)
        kind, _, rest = name.rpartition(":")
        whole, _, part = rest.partition(".")
        if kind and kind not in KINDS:
            raise NoSuchPeer(f"{name}: no kind {kind!r}{nearest(kind, [*KINDS, 'line'])}")
        peer = self._owner(name, KINDS.get(kind), whole, part)
        if not part:
            return peer
        if part not in peer.parts:
            raise NoSuchPeer(f"{name}: {peer.title} has no {part!r}{nearest(part, peer.parts)}")
        return peer.parts[part]

    def _owner(self, name: str, kind: str | None, whole: str, part: str) -> Peer:
        peers = [*self.peers.values(), *self._uarts.values()]
        fitting = [peer for peer in peers if kind is None or peer.kind == kind]
        found = [peer for peer in fitting if whole in (peer.name, peer.alias)]
        # front.led means the front that has a led, whatever else is called front
        with_part = [peer for peer in found if part in peer.parts]
        for peer in sorted(with_part or found, key=lambda peer: PRIORITY.index(peer.kind)):
            return peer
        names = {word for peer in fitting for word in (peer.name, peer.alias) if word is not None}
        raise NoSuchPeer(f"{name}: no {kind or 'peer'} {whole!r}{nearest(whole, names)}")

    def _probe(self, name: str) -> ProbePeer:
        try:
            line = LineRef.parse(name.removeprefix("line:"))
        except ValueError as error:
            raise NoSuchPeer(f"{name}: {error}") from None
        if line not in self.nets:
            known = nearest(str(line), map(str, self.nets))
            raise NoSuchPeer(f"{name}: nothing is connected to {line}{known}")
        if line not in self._probes:
            self._probes[line] = ProbePeer(self, self.nets[line])
        return self._probes[line]

    def hang_leaf(self, name: str, *, strike: str, contact: str, closed: LoopState = LoopState.CLOSED) -> LeafPeer:
        """Hang a door leaf between a strike and a contact. Raises NoSuchPeer."""
        relay, loop = self.find(f"relay:{strike}"), self.find(f"input:{contact}")
        assert isinstance(relay, StrikePeer)
        assert isinstance(loop, LoopPeer)
        leaf = LeafPeer(self, name, relay, loop, closed=closed)
        self.peers[name] = leaf
        return leaf

    def fault(self, name: str, kind: str) -> None:
        """Make a peer misbehave; `none` ends all its faults. Raises NoSuchPeer, OutOfRange."""
        peer = self.find(name)
        if kind == "none":
            peer.clear()
        else:
            peer.fault(kind)

    def clear(self, name: str, kind: str | None = None) -> None:
        """End one fault of a peer, or all. Raises NoSuchPeer, OutOfRange."""
        self.find(name).clear(kind)

    def states(self) -> dict[str, object]:
        """What every peer does now, as plain data."""
        return {peer.title: peer.state() for peer in [*self.peers.values(), *self._uarts.values()]}

    def listen(self, change: Change) -> Callable[[], None]:
        """Tell `change(name, t_s, value)` everything that a trace of a peer records; the result ends it."""
        endings: list[Callable[[], None]] = []
        for peer in [*self.peers.values(), *self._uarts.values()]:
            for part, owner in [("", peer), *peer.parts.items()]:
                for tail, trace in owner.traces.items():
                    name = ".".join(word for word in (peer.title, part, tail) if word)
                    endings.append(trace.listen(partial(self._tell, change, name)))

        def end() -> None:
            while endings:
                endings.pop()()

        return end

    def _tell(self, change: Change, name: str, t_ns: int, value: bool | str) -> None:
        change(name, (t_ns - self.origin_ns) / 1e9, value)

    # power

    def power(self, on: bool) -> None:
        """The supply of the board. Off: chips forget, driven lines go to their pull, serial ports hang up."""
        if on == self.powered:
            return
        self.powered = on
        with self.copper.together():
            for gpio in self._gpios.values():
                gpio.power(on)
            for i2c in self._i2cs.values():
                i2c.powered = on
        for peer in self.everybody():
            peer.power_changed()

    def close(self) -> None:
        """End every gesture and hang up every port, so that nothing of this world is left on its loop."""
        for peer in self.everybody():
            peer.close()
        for gpio in self._gpios.values():
            gpio.halt()
