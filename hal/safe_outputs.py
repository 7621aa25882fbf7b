"""Puts every output of a board at rest, without the rest of the device: for when control has died.

A killed process gives its lines back, but a processor may leave them as they were driven, and an expander keeps its
latch. Lines of the processor come first, relays before the rest: they need nothing that could hang.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hal.board import Board, Mcp23017Node, Node, WiegandReaderNode
from hal.board.ways import Way, ways
from hal.clock import Clock
from hal.drivers.mcp23017 import Mcp23017
from hal.errors import HalError, LineInUse
from hal.types import LineRef
from hal.wires import Gpio, Wires


@dataclass(frozen=True, slots=True)
class Rest:
    """The level of one output while nobody drives it."""

    node: str
    line: LineRef
    level: bool


def outputs_of(node: Node) -> tuple[tuple[LineRef, ...], bool]:
    """The lines that a node drives, and their level at rest; high where the board file says that low is active."""
    field = "led_active" if isinstance(node, WiegandReaderNode) else "active"
    lines = tuple(line for _, line, way in ways(node) if way is Way.OUT)
    return lines, getattr(node, field, "high") == "low"


def at_rest(board: Board) -> tuple[Rest, ...]:
    """Every output of a board at rest: lines of the processor before those of expanders, relays before all."""

    def every() -> Iterator[Rest]:
        for name, node in board.nodes.items():
            lines, level = outputs_of(node)
            yield from (Rest(name, line, level) for line in lines)

    def turn(rest: Rest) -> tuple[bool, bool]:
        return rest.line.bus not in board.buses, board.nodes[rest.node].kind != "relay"

    return tuple(sorted(every(), key=turn))


async def make_safe(board: Board, wires: Wires, clock: Clock) -> tuple[HalError, ...]:
    """Drive every output to its rest and let go of it; returns what went wrong, after all else was done.

    Where somebody has lines of the processor, the device is alive: its expanders, which cannot refuse, are left alone.
    """
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
    alive = any(isinstance(fault, LineInUse) for fault in faults)
    for name, rests in expanders.items() if not alive else ():
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
