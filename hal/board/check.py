"""The board as a whole: every place exists, and nothing is soldered to the same place twice.

A check raises `Complaint` at the key that is wrong and names the other owner where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hal.board.complain import Complaint, path_text, unknown
from hal.board.models import (
    Ads1115Node,
    Bus,
    ButtonNode,
    CameraNode,
    CardModuleNode,
    CsiBus,
    DigitalInputNode,
    GpioBus,
    I2cBus,
    Mcp23017Node,
    Node,
    OsdpPortNode,
    OsdpReaderNode,
    RelayNode,
    UartBus,
    VideoBus,
)
from hal.board.sensing import Lis3dhNode, Opt3001Node
from hal.board.sound import AudioInNode, AudioOutNode
from hal.types import LineRef, Pull

Key = tuple[str, str, str]


def check_whole(buses: Mapping[str, Bus], nodes: Mapping[str, Node]) -> None:
    """All checks that need more than one table. Raises Complaint."""
    _names(buses, nodes)
    _lines(buses, nodes)
    _channels(nodes)
    _addresses(buses, nodes)
    _serial(buses, nodes)
    _sound(nodes)
    _cameras(buses, nodes)
    _aliases(nodes)
    _devices(buses)


def _names(buses: Mapping[str, Bus], nodes: Mapping[str, Node]) -> None:
    for name in nodes:
        if name in buses:
            raise Complaint(("nodes", name), f"the name is already that of buses.{name}")


def _takers(buses: Mapping[str, Bus], nodes: Mapping[str, Node]) -> Iterator[tuple[Key, LineRef]]:
    """Every key that takes a line; buses first, because they cannot move."""
    for name, bus in buses.items():
        for line in bus.lines:
            yield ("buses", name, "lines"), line
    for name, node in nodes.items():
        for field, line in node.lines():
            yield ("nodes", name, field), line


def _lines(buses: Mapping[str, Bus], nodes: Mapping[str, Node]) -> None:
    sizes = {name: bus.size for name, bus in buses.items() if isinstance(bus, GpioBus)}
    chips = set(sizes)
    sizes |= {name: node.offers for name, node in nodes.items() if isinstance(node, Mcp23017Node)}
    owners: dict[LineRef, Key] = {}
    for key, line in _takers(buses, nodes):
        if line.bus not in sizes:
            offering = "chip or expander" if key[0] == "nodes" else "chip"
            raise Complaint(key, f"{unknown(offering, line.bus, sorted(sizes))} (got '{line}')")
        if line.bus not in chips and (reason := _not_on_an_expander(key, nodes)):
            raise Complaint(key, f"must be a line of a GPIO chip: {reason} (got '{line}')")
        if line.offset >= sizes[line.bus]:
            raise Complaint(key, f"{line.bus} has lines 0 to {sizes[line.bus] - 1} (got '{line}')")
        if line in owners:
            raise Complaint(key, f"line '{line}' is already {path_text(owners[line])}")
        owners[line] = key


def _not_on_an_expander(key: Key, nodes: Mapping[str, Node]) -> str | None:
    """Why the line of this key cannot be one of an expander; None when it can."""
    section, name, field = key
    if section == "buses":
        return "the bus takes it from the processor"
    node = nodes[name]
    if isinstance(node, Mcp23017Node):
        return "an expander has no lines before it is set up"
    if isinstance(node, AudioInNode):
        return "an expander belongs to the process of the doors, sound to another"
    if field in ("d0", "d1"):
        return "an expander is too slow for data lines"
    pulled_down = node.pull is Pull.DOWN if isinstance(node, ButtonNode | DigitalInputNode) else False
    if isinstance(node, RelayNode) and field == "readback":
        pulled_down = node.readback_active == "high"
    return "an expander cannot pull a line down" if pulled_down else None


def _channels(nodes: Mapping[str, Node]) -> None:
    sizes = {name: node.offers for name, node in nodes.items() if isinstance(node, Ads1115Node)}
    owners: dict[LineRef, Key] = {}
    for name, node in nodes.items():
        for field, channel in node.converter_channels():
            key = ("nodes", name, field)
            if channel.bus not in sizes:
                raise Complaint(key, f"{unknown('converter', channel.bus, sorted(sizes))} (got '{channel}')")
            if channel.offset >= sizes[channel.bus]:
                raise Complaint(key, f"{channel.bus} has channels 0 to {sizes[channel.bus] - 1} (got '{channel}')")
            if channel in owners:
                raise Complaint(key, f"channel '{channel}' is already {path_text(owners[channel])}")
            owners[channel] = key


def _addresses(buses: Mapping[str, Bus], nodes: Mapping[str, Node]) -> None:
    controllers = sorted(name for name, bus in buses.items() if isinstance(bus, I2cBus))
    owners: dict[tuple[str, int], str] = {}
    for name, node in nodes.items():
        if not isinstance(node, Ads1115Node | Mcp23017Node | Lis3dhNode | Opt3001Node):
            continue
        if node.bus not in controllers:
            raise Complaint(("nodes", name, "bus"), unknown("I2C bus", node.bus, controllers))
        place = (node.bus, node.address)
        if place in owners:
            taken = f"address 0x{node.address:02x} of {node.bus} is already nodes.{owners[place]}"
            raise Complaint(("nodes", name, "address"), taken)
        owners[place] = name


def _serial(buses: Mapping[str, Bus], nodes: Mapping[str, Node]) -> None:
    """A serial bus has one master: our readers hang on it and we ask, or a panel asks and we alone answer.

    A card module shares its port with nobody.
    """
    ports = sorted(name for name, bus in buses.items() if isinstance(bus, UartBus))
    users: dict[str, tuple[str, Node]] = {}
    for name, node in nodes.items():
        if not isinstance(node, OsdpReaderNode | OsdpPortNode | CardModuleNode):
            continue
        key = ("nodes", name, "bus")
        if node.bus not in ports:
            raise Complaint(key, unknown("serial bus", node.bus, ports))
        user, other = users.setdefault(node.bus, (name, node))
        if user == name:
            continue
        for cls, what in ((OsdpPortNode, "panel"), (CardModuleNode, "card module")):
            if isinstance(node, cls) or isinstance(other, cls):
                raise Complaint(
                    key, f"{node.bus} is already that of nodes.{user}: a bus with a {what} has nothing else"
                )


def _sound(nodes: Mapping[str, Node]) -> None:
    """A card may play and record, each for one node."""
    owners: dict[tuple[str, str], str] = {}
    for name, node in nodes.items():
        if isinstance(node, AudioInNode | AudioOutNode):
            owner = owners.setdefault((node.kind, node.device), name)
            if owner != name:
                raise Complaint(("nodes", name, "device"), f"{node.device!r} is already nodes.{owner}")


def _cameras(buses: Mapping[str, Bus], nodes: Mapping[str, Node]) -> None:
    """A camera has its bus for itself."""
    places = sorted(name for name, bus in buses.items() if isinstance(bus, CsiBus | VideoBus))
    owners: dict[str, str] = {}
    for name, node in nodes.items():
        if not isinstance(node, CameraNode):
            continue
        key = ("nodes", name, "bus")
        if node.bus not in places:
            raise Complaint(key, unknown("camera bus", node.bus, places))
        owner = owners.setdefault(node.bus, name)
        if owner != name:
            raise Complaint(key, f"{node.bus} is already that of nodes.{owner}")


def _aliases(nodes: Mapping[str, Node]) -> None:
    owners: dict[tuple[str, str], str] = {(node.kind, name): name for name, node in nodes.items()}
    for name, node in nodes.items():
        if node.alias is None or node.alias == name:
            continue
        owner = owners.setdefault((node.kind, node.alias), name)
        if owner != name:
            raise Complaint(("nodes", name, "alias"), f"{node.kind} {node.alias!r} is already nodes.{owner}")


def _devices(buses: Mapping[str, Bus]) -> None:
    owners: dict[str, str] = {}
    for name, bus in buses.items():
        owner = owners.setdefault(bus.path, name)
        if owner != name:
            field = "chip" if isinstance(bus, GpioBus) else "port" if isinstance(bus, CsiBus) else "device"
            raise Complaint(("buses", name, field), f"{bus.path!r} is already buses.{owner}")
