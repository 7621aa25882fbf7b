"""A board in words: the same text for the same board, line by line, so that it can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from hal.board.board import Board
from hal.board.models import Bus, Node


def describe_board(board: Board) -> str:
    """Product, buses, nodes with everything they are set to, and what the board can do; ends with a newline."""
    return "\n".join([*_product(board), *_buses(board.buses), *_nodes(board.nodes), *_can(board)]) + "\n"


def _product(board: Board) -> Iterator[str]:
    yield f"board {board.name}: {board.product.name} ({board.product.model})"
    if board.product.hardware_revision != 1:
        yield f"  hardware revision {board.product.hardware_revision}"
    if board.product.require:
        yield f"  requires {', '.join(board.product.require)}"


def _buses(buses: Mapping[str, Bus]) -> Iterator[str]:
    yield "buses"
    for name, bus in sorted(buses.items()):
        yield f"  {name}: {bus.kind}{_settings(bus, ('kind',))}"


def _nodes(nodes: Mapping[str, Node]) -> Iterator[str]:
    yield "nodes"
    for name, node in sorted(nodes.items()):
        alias = f" ({node.alias})" if node.alias else ""
        yield f"  {name}{alias}: {node.compatible}{_settings(node, ('compatible', 'alias'))}"


def _can(board: Board) -> Iterator[str]:
    yield f"capabilities: {', '.join(sorted(board.capabilities)) or 'none'}"


def _settings(model: BaseModel, leave: tuple[str, ...]) -> str:
    words = []
    for name, value in sorted(model.model_dump(mode="json").items()):
        if name in leave or value is None or value == []:
            continue
        words.append(f" {name}={_word(name, value)}")
    return "".join(words)


def _word(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return f"0x{value:02x}" if name == "address" else str(value)
