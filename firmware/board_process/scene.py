"""What stands around a product besides its connectors: a leaf in every door, shut, between strike and contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hal.sim.world import World
from hal.types import LoopState


def furnish(world: World) -> None:
    """Hang the doors that the product data names."""
    doors: Mapping[str, Mapping[str, Any]] = world.board.rooms.get("access", {}).get("doors", {})
    for name, door in doors.items():
        if "contact" in door:
            closed = LoopState(door.get("contact_closed", "closed"))
            world.hang_leaf(f"leaf-{name}", strike=door["relay"], contact=door["contact"], closed=closed)
