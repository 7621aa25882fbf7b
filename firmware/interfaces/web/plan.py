"""What the device image is drawn from: the things of the board that people see and touch, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a thing is."""

    BUTTON = "button"
    LIGHT = "light"
    RELAY = "relay"
    PORT = "port"
    CONTACT = "contact"
    EXIT = "exit"
    READER = "reader"
    CAMERA = "camera"
    SPEAKER = "speaker"
    MICROPHONE = "microphone"
    LAMP = "lamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing: its name in facts and actions, what people call it, and the door it belongs to, if any.

    `name` is the node's, for a light that of its table. `peer` is what the bench knows it by.
    """

    kind: Kind
    name: str
    title: str
    peer: str
    door: str = ""
    keypad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is drawn, in the order of the board file; `doors` by name."""

    things: tuple[Thing, ...] = ()
    doors: tuple[str, ...] = ()

    def of(self, *kinds: Kind) -> tuple[Thing, ...]:
        """The things of these kinds."""
        return tuple(thing for thing in self.things if thing.kind in kinds)
