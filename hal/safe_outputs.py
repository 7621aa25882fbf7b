"""Puts every output of a board at rest, without the rest of the device: for when control has died.

A killed process gives its lines back, but a processor may leave them as they were driven, and an expander keeps its
latch. Lines of the processor come first, relays before the rest: they need nothing that could hang.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hal.board import (
    AudioInNode,
    BicolourLedNode,
    Board,
    DigitalOutputNode,
    IoPortNode,
    LedNode,
    Mcp23017Node,
    Node,
    RelayNode,
    RgbLedNode,
    WiegandOutNode,
    WiegandReaderNode,
)
from hal.board.sensing import IlluminationNode, IrCutNode
from hal.clock import Clock
from hal.drivers.mcp23017 import Mcp23017
from hal.errors import HalError
from hal.types import LineRef
from hal.wires import Gpio, Wires


@dataclass(frozen=True, slots=True)
class Rest:
    """The level of one output while nobody drives it."""

    node: str
    line: LineRef
    level: bool


def outputs_of(node: Node) -> tuple[tuple[LineRef | None, ...], bool]:
    """The lines that a node drives, and their level at rest."""
    match node:
        case RelayNode() | DigitalOutputNode() | LedNode() | IlluminationNode():
            return (node.line,), node.active == "low"
        case BicolourLedNode():
            return (node.red, node.green), node.active == "low"
        case RgbLedNode():
            return (node.red, node.green, node.blue), node.active == "low"
        case WiegandOutNode():
            return (node.d0, node.d1), node.active == "low"
        case WiegandReaderNode():
            return (node.led_red, node.led_green, node.beeper), node.led_active == "low"
        case IrCutNode():
            return (node.before, node.away, node.line), node.active == "low"
        case IoPortNode():
            return (node.output,), False  # high closes the circuit
        case AudioInNode():
            return (node.select, node.power), False  # low is the first of two
    return (), False


def at_rest(board: Board) -> tuple[Rest, ...]:
    """Every output of a board at rest: lines of the processor before those of expanders, relays before all."""

    def every() -> Iterator[Rest]:
        for name, node in board.nodes.items():
            lines, level = outputs_of(node)
            yield from (Rest(name, line, level) for line in lines if line is not None)

    def turn(rest: Rest) -> tuple[bool, bool]:
        return rest.line.bus not in board.buses, board.nodes[rest.node].kind != "relay"

    return tuple(sorted(every(), key=turn))


async def make_safe(board: Board, wires: Wires, clock: Clock) -> tuple[HalError, ...]:
    """Drive every output to its rest and let go of it; returns what went wrong, after all else was done."""
    faults: list[HalError] = []
    expanders: dict[str, list[Rest]] = {}
    for rest in at_rest(board):
        if rest.line.bus not in board.buses:
            expanders.setdefault(rest.line.bus, []).append(rest)
            continue
        try:
            await _drive(await wires.gpio(rest.line.bus), (rest,))
        except HalError as error:
            faults.append(error)
    for name, rests in expanders.items():
        node = board.nodes[name]
        assert isinstance(node, Mcp23017Node), "other nodes offer no line"
        try:
            chip = await Mcp23017.open(name, await wires.i2c(node.bus), node.address, clock)
            try:
                await _drive(chip, rests)
                await chip.flush()
            finally:
                chip.close()
        except HalError as error:
            faults.append(error)
    return tuple(faults)


async def _drive(gpio: Gpio, rests: Sequence[Rest]) -> None:
    lines = await gpio.outputs("safe", [rest.line.offset for rest in rests], initial=[rest.level for rest in rests])
    lines.close()
