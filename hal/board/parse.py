"""Plain data in, checked board out: every table against its model, then the board as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from hal.board.board import Board
from hal.board.check import check_whole
from hal.board.complain import Complaint, Place, shown, unknown, validated
from hal.board.fields import NAME_PATTERN, PATTERNS
from hal.board.models import BUSES, NODES, Bus, Node, Product

SECTIONS = ("buses", "nodes", "product", "rooms")
DEEPEST = 12


def board_of(name: str, data: Mapping[str, Any]) -> Board:
    """The board that merged plain data describes. Raises Complaint."""
    for key in data:
        if key not in SECTIONS:
            raise Complaint((key,), unknown("key", key, (*SECTIONS, "base")))
    if "product" not in data:
        raise Complaint(("product",), "is missing")
    product: Product = validated(Product, _table(data["product"], ("product",)), ("product",))
    buses: dict[str, Bus] = dict(_things(data, "buses", "kind", "bus kind", BUSES))
    nodes: dict[str, Node] = dict(_things(data, "nodes", "compatible", "compatible", NODES))
    rooms = dict(_rooms(data))
    check_whole(buses, nodes)
    return Board(
        name=name,
        product=product,
        buses=MappingProxyType(buses),
        nodes=MappingProxyType(nodes),
        rooms=MappingProxyType(rooms),
    )


def _table(value: object, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Complaint(place, f"should be a table (got {shown(value)})")
    for key in value:
        if not isinstance(key, str):
            raise Complaint(place, f"keys should be text (got {shown(key)})")
    return value


def _named(data: Mapping[str, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in _table(data.get(section, {}), (section,)).items():
        if re.fullmatch(NAME_PATTERN, name) is None:
            raise Complaint((section, name), f"a name should be {PATTERNS[NAME_PATTERN]}")
        yield name, _table(value, (section, name))


def _things(
    data: Mapping[str, Any], section: str, selector: str, words: str, models: Mapping[str, type[BaseModel]]
) -> Iterator[tuple[str, Any]]:
    """The tables of a section, each checked by the model that its `selector` key names."""
    for name, value in _named(data, section):
        place = (section, name, selector)
        if selector not in value:
            raise Complaint(place, "is missing")
        chosen = value[selector]
        model = models.get(chosen) if isinstance(chosen, str) else None
        if model is None:
            raise Complaint(place, unknown(words, chosen, sorted(models)))
        yield name, validated(model, value, (section, name))


def _rooms(data: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in _named(data, "rooms"):
        _only_toml(value, ("rooms", name))
        yield name, MappingProxyType(dict(value))


def _only_toml(value: object, place: Place) -> None:
    """Product data is opaque here, but it is data: TOML kinds, not nested without end. Raises Complaint."""
    if len(place) > DEEPEST:
        raise Complaint(place[:DEEPEST], f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        for key, inner in _table(value, place).items():
            _only_toml(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _only_toml(inner, (*place, number))
    elif not isinstance(value, str | int | float | bool | date | time):
        raise Complaint(place, f"should be TOML data (got {shown(value)})")
