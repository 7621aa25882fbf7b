"""A whole board as everybody else sees it: product, buses, nodes, and product data for the services."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hal.board.models import Bus, Node, Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A checked board. `rooms` is product data per service room: tables that the owner of the room checks."""

    name: str
    product: Product
    buses: Mapping[str, Bus]
    nodes: Mapping[str, Node]
    rooms: Mapping[str, Mapping[str, Any]]

    @property
    def capabilities(self) -> frozenset[str]:
        """The kinds of thing that are soldered to this board."""
        return frozenset(node.kind for node in self.nodes.values())

    @property
    def aliases(self) -> dict[str, str]:
        """Node name -> alias, for nodes that have one."""
        return {name: node.alias for name, node in self.nodes.items() if node.alias is not None}

    def data(self) -> dict[str, Any]:
        """The board as plain data; parsing it gives an equal board."""
        return {
            "product": self.product.model_dump() | {"require": list(self.product.require)},
            "buses": {name: bus.model_dump(mode="json") for name, bus in self.buses.items()},
            "nodes": {name: node.model_dump(mode="json") for name, node in self.nodes.items()},
            "rooms": {name: copy.deepcopy(dict(room)) for name, room in self.rooms.items()},
        }
