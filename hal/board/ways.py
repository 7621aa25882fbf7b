"""Which way each line of a node goes: whether the processor drives it or reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from hal.board.board import Board
from hal.board.models import Node
from hal.types import LineRef


class Way(StrEnum):
    """The way of a line, seen from the processor."""

    OUT = "out"
    IN = "in"
    BUS = "bus"  # a peripheral of the processor has it


# The fields of each kind of node whose lines the processor drives; it reads the others.
DRIVEN: Mapping[str, frozenset[str]] = {
    "audio-in": frozenset({"select", "power"}),
    "bicolour-led": frozenset({"red", "green"}),
    "digital-output": frozenset({"line"}),
    "illumination": frozenset({"line"}),
    "io-port": frozenset({"output"}),
    "ir-cut": frozenset({"before", "away", "line"}),
    "led": frozenset({"line"}),
    "relay": frozenset({"line"}),
    "rgb-led": frozenset({"red", "green", "blue"}),
    "wiegand-out": frozenset({"d0", "d1"}),
    "wiegand-reader": frozenset({"led_red", "led_green", "beeper"}),
}


def ways(node: Node) -> Iterator[tuple[str, LineRef, Way]]:
    """Every line of a node: the field that names it, the line, and its way."""
    driven = DRIVEN.get(node.compatible, frozenset())
    for field, line in node.lines():
        yield field, line, Way.OUT if field in driven else Way.IN


def ways_of(board: Board) -> dict[LineRef, tuple[str, str, Way]]:
    """Every line that something of a board takes: the node or bus, its field (`lines` for a bus), and its way."""
    found = {line: (name, "lines", Way.BUS) for name, bus in board.buses.items() for line in bus.lines}
    for name, node in board.nodes.items():
        found |= {line: (name, field, way) for field, line, way in ways(node)}
    return found
