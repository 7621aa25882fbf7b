"""What a product says of its doors: `[rooms.access]` of the board file.

A door is a strike's relay with, where the product has them, a contact on the leaf, a request-to-exit
loop and readers. Names are node names of the board.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from firmware.core.errors import Invalid
from hal.errors import nearest
from hal.ports import Hardware
from hal.types import LoopState


def _a_circuit(state: LoopState) -> LoopState:
    if state not in (LoopState.OPEN, LoopState.CLOSED):
        raise ValueError("a contact is open or closed")
    return state


Circuit = Annotated[LoopState, AfterValidator(_a_circuit)]
DoorKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class DoorConfig(BaseModel):
    """One door: `contact_closed` is the contact's circuit while the leaf is closed, `rex_active` that of a press."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    relay: str
    contact: str | None = None
    contact_closed: Circuit = LoopState.CLOSED
    rex: str | None = None
    rex_active: Circuit = LoopState.CLOSED
    readers: tuple[str, ...] = ()


class AccessConfig(BaseModel):
    """All doors by name. `keypads` names the readers whose keys count; None means every reader's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    doors: Mapping[DoorKey, DoorConfig] = Field(default_factory=dict)
    keypads: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _each_node_once(self) -> Self:
        owner: dict[str, str] = {}
        for name, door in self.doors.items():
            for node in (door.relay, door.contact, door.rex, *door.readers):
                if node is None:
                    continue
                if node in owner:
                    raise ValueError(f"{node!r} belongs to door {owner[node]!r} and cannot serve {name!r} too")
                owner[node] = name
        return self

    @property
    def relays(self) -> frozenset[str]:
        """The relays that doors own."""
        return frozenset(door.relay for door in self.doors.values())

    def door_of(self, reader: str) -> str:
        """The door a reader serves; empty when it serves none."""
        return next((name for name, door in self.doors.items() if reader in door.readers), "")

    def check(self, hardware: Hardware) -> None:
        """Raises Invalid for a node that is not on this board, with the nearest one that is."""
        for name, door in self.doors.items():
            place = f"rooms.access.doors.{name}"
            _on_board(f"{place}.relay", "relay", [door.relay], hardware.relays)
            _on_board(f"{place}.contact", "input", [door.contact] if door.contact else [], hardware.inputs)
            _on_board(f"{place}.rex", "input", [door.rex] if door.rex else [], hardware.inputs)
            _on_board(f"{place}.readers", "reader", door.readers, hardware.readers)
        _on_board("rooms.access.keypads", "reader", self.keypads or (), hardware.readers)


def _on_board(place: str, kind: str, names: Iterable[str], nodes: Iterable[str]) -> None:
    known = tuple(nodes)
    for name in names:
        if name not in known:
            raise Invalid(place, f"no {kind} {name!r} on this board{nearest(name, known)}")
