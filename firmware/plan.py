"""Reads the board for the device image of the web interface: which things people see and touch, by which names."""

from __future__ import annotations

from collections.abc import Iterator

from firmware.interfaces.web.plan import Kind, Plan, Thing
from hal.board import Board

KINDS = {
    "button": Kind.BUTTON,
    "relay": Kind.RELAY,
    "port": Kind.PORT,
    "reader": Kind.READER,
    "camera": Kind.CAMERA,
    "speaker": Kind.SPEAKER,
    "microphone": Kind.MICROPHONE,
    "illumination": Kind.LAMP,
}


def plan_of(board: Board) -> Plan:
    """The plan of a board."""
    doors = board.rooms.get("access", {}).get("doors", {})
    return Plan(things=(*_lights(board), *_nodes(board, doors)), doors=tuple(doors))


def _lights(board: Board) -> Iterator[Thing]:
    for name, light in board.rooms.get("device", {}).get("lights", {}).items():
        node = board.nodes[light["node"]]
        yield Thing(kind=Kind.LIGHT, name=name, title=name, peer=f"led:{node.alias or light['node']}")


def _nodes(board: Board, doors: dict[str, dict[str, object]]) -> Iterator[Thing]:
    belongs = {
        str(node): (door, role)
        for door, wiring in doors.items()
        for role in ("relay", "contact", "rex")
        if (node := wiring.get(role))
    }
    buttons = {button["node"]: name for name, button in board.rooms.get("device", {}).get("buttons", {}).items()}
    serves = {str(node): door for door, wiring in doors.items() for node in _names(wiring.get("readers"))}
    for name, node in board.nodes.items():
        alias = node.alias or name
        door, role = belongs.get(name, ("", ""))
        kind = {"contact": Kind.CONTACT, "rex": Kind.EXIT}.get(role) or KINDS.get(node.kind)
        if kind is not None:
            keypad = kind is Kind.READER
            yield Thing(
                kind=kind,
                name=buttons.get(name, name),
                title=alias,
                peer=f"{node.kind}:{alias}",
                door=door or serves.get(name, ""),
                keypad=keypad,
            )


def _names(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()
