"""Board files: every kind of bus and node with its settings; and of each shipped board who sits on which header pin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from hal.board import Board, board_names, load_board
from hal.board.models import BUSES, NODES, Product
from hal.board.ways import Way, ways_of
from hal.types import LineRef
from tools.reference.words import anchor, kind, page, said, shown, table

# The 40-pin header of a Raspberry Pi: GPIO number, or what else is there.
HEADER = (
    "3.3 V", "5 V", 2, "5 V", 3, "ground", 4, 14, "ground", 15, 17, 18, 27, "ground", 22, 23, "3.3 V", 24, 10, "ground",
    9, 25, 11, 8, "ground", 7, "identity", "identity", 5, "ground", 6, 12, 13, "ground", 19, 16, 26, 20, "ground", 21,
)  # fmt: skip
PINS = {gpio: pin for pin, gpio in enumerate(HEADER, 1) if isinstance(gpio, int)}


def nodes_page() -> str:
    """The page of what a board file may hold."""
    intro = (
        "A board file (docs/boards.md) has `[product]`, `[buses]`, `[nodes]`, and `[rooms.*]` with product data. "
        "A line is written `BUS:NUMBER`, a converter's channel `ADC:NUMBER`. Every node may have an `alias`."
    )
    return page("Board files: buses and nodes", intro, _models())


def _models() -> Iterator[str]:
    yield f"## `[product]`\n\n{said(Product)}"
    yield _settings(Product, ())
    yield "## Buses: `kind = ...`"
    for name, bus in BUSES.items():
        yield f"{anchor(name)}\n\n{said(bus)}"
        yield _settings(bus, ("kind",))
    yield "## Nodes: `compatible = ...`"
    for name, node in sorted(NODES.items()):
        yield f"{anchor(name)}\n\n{said(node)}"
        yield _settings(node, ("compatible", "alias"), node.line_fields, node.channel_fields)


def _settings(
    model: type[BaseModel], leave: tuple[str, ...], lines: tuple[str, ...] = (), channels: tuple[str, ...] = ()
) -> str:
    told = model.model_json_schema()
    rows = []
    for name, own in told["properties"].items():
        if name in leave:
            continue
        text = "line" if name in lines else "channel" if name in channels else kind(own, told.get("$defs", {}))
        rows.append(
            (f"`{name}`", text, "must be there" if name in told.get("required", ()) else shown(own.get("default")))
        )
    return table(("setting", "may be", "left out"), rows) if rows else "No settings."


def pins_page(name: str) -> str:
    """The page of a board's pins."""
    board = load_board(name)
    intro = (
        f"Who sits where on `boards/{name}.toml`, {board.product.name} ({board.product.model}). *out* is driven by "
        "the processor, *in* is read by it, *bus* belongs to one of its peripherals. After a reset, until the firmware "
        "takes its lines, the processor pulls GPIO 0 to 8 up and GPIO 9 to 27 down."
    )
    return page(f"Pins: {board.product.name}", intro, _pins(board))


def _pins(board: Board) -> Iterator[str]:
    taken = {line: _who(board, *found) for line, found in ways_of(board).items()}
    yield "## Header"
    cells = [
        f"{_gpio(each)} {taken.get(LineRef('gpio0', each), '') if isinstance(each, int) else ''}".strip()
        for each in HEADER
    ]
    rows = [(cells[at], str(at + 1), str(at + 2), cells[at + 1]) for at in range(0, len(cells), 2)]
    yield table(("", "pin", "pin", ""), rows)
    others = sorted((line for line in taken if line.bus != "gpio0"), key=lambda line: (line.bus, line.offset))
    if others:
        yield "## Lines of port expanders\n\n" + table(("line", ""), [(f"`{line}`", taken[line]) for line in others])
    channels = [
        (f"`{channel}`", f"{node.alias or name} ({name})")
        for name, node in board.nodes.items()
        for _, channel in node.converter_channels()
    ]
    if channels:
        yield "## Channels of converters\n\n" + table(("channel", ""), sorted(channels))
    chips = [
        (f"`{name}`", node.compatible, f"{getattr(node, 'bus', '')}, 0x{address:02x}")
        for name, node in board.nodes.items()
        if isinstance(address := getattr(node, "address", None), int)
    ]
    if chips:
        yield "## Chips on I2C\n\n" + table(("node", "chip", "bus, address"), chips)


def _gpio(each: Any) -> str:
    return f"**GPIO {each}**" if isinstance(each, int) else each


def _who(board: Board, name: str, field: str, way: Way) -> str:
    if way is Way.BUS:
        return f"{name} ({way})"
    alias = board.nodes[name].alias
    return f"{alias or name}: {field.replace('_', ' ')} ({way})"


def pins_pages() -> dict[str, str]:
    """The pages of all boards."""
    return {f"pins/{name}.md": pins_page(name) for name in board_names()}
