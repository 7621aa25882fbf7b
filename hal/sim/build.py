"""From a board's nodes to the peers at their far ends; one function for each `compatible`.

Every line gets the pull the board's makers would have soldered: its resting level, so that a line that
nobody drives does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hal.board.models import (
    Ads1115Node,
    BicolourLedNode,
    ButtonNode,
    CameraNode,
    CardModuleNode,
    DigitalInputNode,
    DigitalOutputNode,
    IoPortNode,
    LedNode,
    Mcp23017Node,
    Node,
    OsdpPortNode,
    OsdpReaderNode,
    RelayNode,
    RgbLedNode,
    SupervisedInputNode,
    WiegandOutNode,
    WiegandReaderNode,
)
from hal.board.sensing import IlluminationNode, IrCutNode, Lis3dhNode, Opt3001Node
from hal.board.sound import AudioInNode, AudioOutNode
from hal.errors import BoardError
from hal.sim.chips import Ads1115, Lis3dh, Mcp23017, Opt3001
from hal.sim.nets import Net, Strength
from hal.sim.peers.base import Peer
from hal.sim.peers.button import ButtonPeer
from hal.sim.peers.card_module import CardModulePeer
from hal.sim.peers.controller import ControllerPeer
from hal.sim.peers.light import LightPeer, ToldLamp
from hal.sim.peers.loop import ContactPeer, ResistorLoopPeer
from hal.sim.peers.optics import CutFilterPeer, IlluminationPeer
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.peers.osdp_reader import OsdpReaderPeer
from hal.sim.peers.reader import ReaderPeer
from hal.sim.peers.sound import MicrophonePeer, SpeakerPeer
from hal.sim.peers.switch import StrikePeer, SwitchPeer, ToldLoad
from hal.sim.peers.terminal import TerminalPeer
from hal.sim.scene.peer import CameraPeer
from hal.types import Colour, LineRef, Pull

if TYPE_CHECKING:
    from hal.sim.world import World

SOLDERED = "board"
LINES_OF_EXPANDER = 16
CHANNELS_OF_CONVERTER = 4


def build_peers(world: World) -> dict[str, Peer]:
    """A peer for every node. Raises BoardError for a `compatible` nobody simulates."""
    peers: dict[str, Peer] = {}
    for name, node in world.board.nodes.items():
        build = BUILDERS.get(type(node))
        if build is None:
            raise BoardError(f"nodes.{name}", f"{node.compatible!r} has no simulation")
        peers[name] = build(world, name, node)
    light_the_scene(peers)
    return peers


def pulled(world: World, line: LineRef, high: bool | None) -> Net:
    """The net of a line, with the board's pull on it."""
    net = world.net(line)
    if high is not None:
        net.drive(SOLDERED, high, strength=Strength.BOARD_PULL)
    return net


def resting(world: World, line: LineRef, active: str) -> Net:
    """The net of an output that rests at the level where it does nothing."""
    return pulled(world, line, active == "low")


def biased(world: World, line: LineRef, pull: Pull) -> Net:
    """The net of an input with the pull its node asks for."""
    return pulled(world, line, None if pull is Pull.NONE else pull is Pull.UP)


def button(world: World, name: str, node: Node) -> Peer:
    """A finger on a button."""
    assert isinstance(node, ButtonNode)
    net = biased(world, node.line, node.pull)
    return ButtonPeer(world, name, net, active_high=node.active == "high", alias=node.alias)


def light(world: World, name: str, node: Node) -> Peer:
    """An eye on a lamp."""
    if isinstance(node, LedNode):
        lines = {node.colour: node.line}
    elif isinstance(node, BicolourLedNode):
        lines = {Colour.RED: node.red, Colour.GREEN: node.green}
    else:
        assert isinstance(node, RgbLedNode)
        lines = {Colour.RED: node.red, Colour.GREEN: node.green, Colour.BLUE: node.blue}
    nets = {colour: resting(world, line, node.active) for colour, line in lines.items()}
    return LightPeer(world, name, nets, active_high=node.active == "high", alias=node.alias)


def strike(world: World, name: str, node: Node) -> Peer:
    """A strike on a relay."""
    assert isinstance(node, RelayNode)
    return StrikePeer(
        world,
        name,
        resting(world, node.line, node.active),
        active_high=node.active == "high",
        readback=None if node.readback is None else resting(world, node.readback, node.readback_active),
        readback_high=node.readback_active == "high",
        alias=node.alias,
    )


def load(world: World, name: str, node: Node) -> Peer:
    """A load on an output."""
    assert isinstance(node, DigitalOutputNode)
    net = resting(world, node.line, node.active)
    return SwitchPeer(world, name, net, active_high=node.active == "high", alias=node.alias)


def contact(world: World, name: str, node: Node) -> Peer:
    """A plain contact."""
    assert isinstance(node, DigitalInputNode)
    net = biased(world, node.line, node.pull)
    return ContactPeer(world, name, net, closed_high=node.active == "high", alias=node.alias)


def loop(world: World, name: str, node: Node) -> Peer:
    """A contact behind resistors."""
    assert isinstance(node, SupervisedInputNode)
    return ResistorLoopPeer(
        world,
        name,
        world.voltage(node.adc),
        eol_ohm=node.eol_ohm,
        pullup_ohm=node.pullup_ohm,
        supply_v=node.supply_v,
        alias=node.alias,
    )


def terminal(world: World, name: str, node: Node) -> Peer:
    """A terminal with something wired to it."""
    assert isinstance(node, IoPortNode)
    return TerminalPeer(
        world,
        name,
        output=None if node.output is None else pulled(world, node.output, False),
        input_net=None if node.input is None else pulled(world, node.input, True),
        voltage=None if node.adc is None else world.voltage(node.adc),
        eol_ohm=node.eol_ohm,
        pullup_ohm=node.pullup_ohm,
        supply_v=node.supply_v,
        alias=node.alias,
    )


def converter(world: World, name: str, node: Node) -> Peer:
    """A converter that measures the loops at its channels."""
    assert isinstance(node, Ads1115Node)
    inputs = [world.voltage(LineRef(name, channel)) for channel in range(CHANNELS_OF_CONVERTER)]
    return Ads1115(world, name, inputs, alias=node.alias)


def expander(world: World, name: str, node: Node) -> Peer:
    """An expander that drives and reads its lines."""
    assert isinstance(node, Mcp23017Node)
    nets = [world.net(LineRef(name, line)) for line in range(LINES_OF_EXPANDER)]
    interrupt = None if node.interrupt is None else pulled(world, node.interrupt, True)
    return Mcp23017(world, name, nets, interrupt, alias=node.alias)


def reader(world: World, name: str, node: Node) -> Peer:
    """A reader with what its node says it has."""
    assert isinstance(node, WiegandReaderNode)
    active_high = node.led_active == "high"
    colours = {Colour.RED: node.led_red, Colour.GREEN: node.led_green}
    lines = {colour: resting(world, line, node.led_active) for colour, line in colours.items() if line is not None}
    beeper = None if node.beeper is None else resting(world, node.beeper, node.led_active)
    return ReaderPeer(
        world,
        name,
        pulled(world, node.d0, True),
        pulled(world, node.d1, True),
        led=LightPeer(world, f"{name}.led", lines, active_high=active_high) if lines else None,
        beeper=None if beeper is None else SwitchPeer(world, f"{name}.beeper", beeper, active_high=active_high),
        keypad=node.keypad,
        alias=node.alias,
    )


def controller(world: World, name: str, node: Node) -> Peer:
    """A controller that listens to our data lines; the transistors rest, as the processor's pull at reset has them."""
    assert isinstance(node, WiegandOutNode)
    return ControllerPeer(
        world,
        name,
        resting(world, node.d0, node.active),
        resting(world, node.d1, node.active),
        active_high=node.active == "high",
        alias=node.alias,
    )


def card_module(world: World, name: str, node: Node) -> Peer:
    """A reader of chips on its serial port."""
    assert isinstance(node, CardModuleNode)
    return CardModulePeer(world, name, world.uart(node.bus), keypad=node.keypad, alias=node.alias)


def serial_reader(world: World, name: str, node: Node) -> Peer:
    """A reader on a serial bus."""
    assert isinstance(node, OsdpReaderNode)
    return OsdpReaderPeer(
        world,
        name,
        world.uart(node.bus),
        led=ToldLamp(world, f"{name}.led") if node.led else None,
        beeper=ToldLoad(world, f"{name}.beeper") if node.beeper else None,
        keypad=node.keypad,
        alias=node.alias,
    )


def panel(world: World, name: str, node: Node) -> Peer:
    """Somebody's panel, not yet plugged in."""
    assert isinstance(node, OsdpPortNode)
    return OsdpPanelPeer(world, name, world.uart(node.bus), alias=node.alias)


def speaker(world: World, name: str, node: Node) -> Peer:
    """A speaker on its sound card."""
    assert isinstance(node, AudioOutNode)
    return SpeakerPeer(world, name, alias=node.alias)


def microphone(world: World, name: str, node: Node) -> Peer:
    """A microphone on its sound card, with the switch and the lines around it."""
    assert isinstance(node, AudioInNode)
    disable = None
    if node.disable is not None:
        net = biased(world, node.disable, node.disable_pull)
        disable = ButtonPeer(world, f"{name}.disable", net, active_high=node.disable_active == "high")
    lines = {
        part: SwitchPeer(world, f"{name}.{part}", pulled(world, line, False), active_high=True)
        for part, line in (("select", node.select), ("power", node.power))
        if line is not None
    }
    return MicrophonePeer(
        world, name, disable=disable, select=lines.get("select"), power=lines.get("power"), alias=node.alias
    )


def camera(world: World, name: str, node: Node) -> Peer:
    """A camera and what it looks at."""
    assert isinstance(node, CameraNode)
    return CameraPeer(world, name, node.bus, world.daylight, alias=node.alias)


def accelerometer(world: World, name: str, node: Node) -> Peer:
    """A sensor of shocks, and a housing that can be hit."""
    assert isinstance(node, Lis3dhNode)
    return Lis3dh(world, name, None if node.interrupt is None else world.net(node.interrupt), alias=node.alias)


def light_sensor(world: World, name: str, node: Node) -> Peer:
    """A sensor in the light of the world."""
    assert isinstance(node, Opt3001Node)
    return Opt3001(world, name, world.daylight, alias=node.alias)


def cut_filter(world: World, name: str, node: Node) -> Peer:
    """A filter with its coil."""
    assert isinstance(node, IrCutNode)
    away = node.line if node.away is None else node.away
    assert away is not None
    return CutFilterPeer(
        world,
        name,
        None if node.before is None else resting(world, node.before, node.active),
        resting(world, away, node.active),
        active_high=node.active == "high",
        alias=node.alias,
    )


def illumination(world: World, name: str, node: Node) -> Peer:
    """The board's own light."""
    assert isinstance(node, IlluminationNode)
    net = resting(world, node.line, node.active)
    return IlluminationPeer(world, name, net, active_high=node.active == "high", alias=node.alias)


def light_the_scene(peers: dict[str, Peer]) -> None:
    """What stands around the lens is before every camera of the board."""
    cameras = [peer for peer in peers.values() if isinstance(peer, CameraPeer)]
    for peer in peers.values():
        if isinstance(peer, IlluminationPeer | CutFilterPeer):
            for camera in cameras:
                camera.stands_behind(peer)


BUILDERS: dict[type[Node], Callable[[World, str, Node], Peer]] = {
    Ads1115Node: converter,
    AudioInNode: microphone,
    AudioOutNode: speaker,
    BicolourLedNode: light,
    ButtonNode: button,
    CameraNode: camera,
    CardModuleNode: card_module,
    DigitalInputNode: contact,
    DigitalOutputNode: load,
    IlluminationNode: illumination,
    IoPortNode: terminal,
    IrCutNode: cut_filter,
    LedNode: light,
    Lis3dhNode: accelerometer,
    Mcp23017Node: expander,
    Opt3001Node: light_sensor,
    OsdpPortNode: panel,
    OsdpReaderNode: serial_reader,
    RelayNode: strike,
    RgbLedNode: light,
    SupervisedInputNode: loop,
    WiegandOutNode: controller,
    WiegandReaderNode: reader,
}
