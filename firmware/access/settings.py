"""Parameters of the access room: the groups `access` (entry list, readers, schedules) and `doors`.

The groups are made for the board at hand, so that a reader that is not there and a hold time above the relay's limit
are refused before anything is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
    field_validator,
)

from firmware.access.schedule import Schedule
from firmware.core.cards.formats import FORMATS, CardFormat
from firmware.core.params import Group, param, part_over
from hal.errors import nearest
from hal.ports import Hardware
from hal.types import Colour

HOLDERS = 50
HOLDERS_MAX = 100_000
# Manual 001, door schedule of the relay: the product's own rule holds the door for 7 s.
HOLD_S = 7.0

ReaderKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ScheduleName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class UntrustedClock(StrEnum):
    """What happens to a time-limited entry while the time of day is not known (hardening row 16)."""

    DENY = "deny"
    GRANT = "grant"


class ReaderMode(StrEnum):
    """What a reader asks for. In each mode an entry with card and PIN opens with both only."""

    ANY = "card or PIN"
    CARD = "card"
    PIN = "PIN"
    CARD_AND_PIN = "card and PIN"


class DoubleUse(StrEnum):
    """What happens to a card at one reader that was at another a moment ago (hardening row 8)."""

    FLAG = "flag"
    DENY = "deny"


def _known_format(name: str) -> str:
    if name not in FORMATS:
        raise ValueError(f"no card format {name!r}{nearest(name, FORMATS)}")
    return name


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("a format is listed twice")
    return names


FormatNames = Annotated[tuple[Annotated[str, AfterValidator(_known_format)], ...], AfterValidator(_each_once)]


class AccessParams(Group):
    """The entry list and the readers."""

    group: ClassVar[str] = "access"

    use_entry_list: bool = param(True, "Decide with the entry list; off, every credential is denied.")
    holders: int = param(HOLDERS, "How many entries the list may have.", ge=1, le=HOLDERS_MAX)
    untrusted_clock: UntrustedClock = param(
        UntrustedClock.DENY, "What a time-limited entry may while the time of day is not known."
    )
    unique_names: bool = param(False, "Refuse a second entry with the same first name.")
    use_controller: bool = param(False, "Ask the connected door controller about what the entry list does not know.")
    pin_length: int | None = param(
        None,
        "Digits of a PIN; none: any, always ended with #; 0: no PINs, each key goes to the controller in use.",
        ge=0,
        le=32,
    )
    pin_timeout_s: float = param(
        10.0,
        "Seconds without a key after which unfinished keys are forgotten, and a card waits for its PIN.",
        ge=3,
        le=50,
    )
    mode: ReaderMode = param(ReaderMode.ANY, "What readers ask for.")
    reader_modes: dict[ReaderKey, ReaderMode] = param(dict, "Modes of single readers, by name.", max_length=32)
    double_use: DoubleUse = param(DoubleUse.FLAG, "What happens to a card that was at another reader a moment ago.")
    double_use_s: float = param(
        1.0, "Seconds a holder needs from one reader to another; 0: not looked at.", ge=0, le=60
    )
    card_formats: FormatNames = param(tuple(FORMATS), "Card formats that are understood, the preferred one first.")
    idle_colour: Colour = param(Colour.OFF, "What a reader's light shows when nothing happens.")
    schedules: dict[ScheduleName, Schedule] = param(dict, "Weekly schedules by name, for entries.", max_length=100)

    def mode_of(self, reader: str) -> ReaderMode:
        """What a reader asks for, by its node name."""
        return self.reader_modes.get(reader, self.mode)

    def formats(self) -> tuple[CardFormat, ...]:
        """The layouts of `card_formats`, in order."""
        return tuple(FORMATS[name] for name in self.card_formats)


def access_group(hardware: Hardware) -> type[AccessParams]:
    """The group for a board's readers: their modes are kept by node, whichever name people use."""
    return _access_group(tuple((hardware.alias(node), node) for node in hardware.readers))


@cache
def _access_group(readers: tuple[tuple[str, str], ...]) -> type[AccessParams]:
    nodes = {name: node for alias, node in readers for name in (alias, node)}

    def by_node(modes: dict[str, ReaderMode]) -> dict[str, ReaderMode]:
        found: dict[str, ReaderMode] = {}
        for name, mode in modes.items():
            if name not in nodes:
                raise ValueError(f"no reader {name!r} on this board{nearest(name, nodes)}")
            if nodes[name] in found:
                raise ValueError(f"reader {name!r} is named twice")
            found[nodes[name]] = mode
        return found

    validators: dict[str, Any] = {"_readers_of_the_board": field_validator("reader_modes")(by_node)}
    return create_model("BoardAccessGroup", __base__=AccessParams, __validators__=validators)


class Repeat(StrEnum):
    """What a release does to a door that is released already."""

    EXTEND = "extend"
    IGNORE = "ignore"


class DoorSettings(BaseModel):
    """What people set of one door; all times in seconds.

    `grace_s` is how long after a release the leaf may still open without being forced; `held_open_s` how long
    it may stay open; `exit_stuck_s` how long the exit button may be held before it counts as stuck.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hold_s: float = Field(default=HOLD_S, ge=0.1, le=3600)
    repeat: Repeat = Repeat.EXTEND
    grace_s: float = Field(default=1.0, ge=0, le=60)
    held_open_s: float = Field(default=30.0, ge=1, le=3600)
    exit_stuck_s: float = Field(default=60.0, ge=5, le=3600)


class DoorsGroup(Group):
    """Base of the group made for a board; each field is a door's name."""

    group: ClassVar[str] = "doors"

    def of(self, door: str) -> DoorSettings:
        """The settings of one door."""
        settings = getattr(self, door)
        assert isinstance(settings, DoorSettings)
        return settings


def doors_group(limits_s: Mapping[str, float], current: Callable[[str], DoorSettings]) -> type[DoorsGroup]:
    """Make the group for doors and the longest on-time of their relays, in seconds.

    A change that names only some settings of a door keeps the others: `current` answers them.
    """
    fields: dict[str, Any] = {}
    for door, limit_s in limits_s.items():
        kind = Annotated[
            DoorSettings, BeforeValidator(part_over(DoorSettings, door, current)), AfterValidator(_below(limit_s))
        ]
        default = DoorSettings(hold_s=min(HOLD_S, limit_s))
        fields[door] = (kind, param(default, f"Hold time, repetition and alarm times of door {door}."))
    return create_model("BoardDoorsGroup", __base__=DoorsGroup, **fields)


def _below(limit_s: float) -> Callable[[DoorSettings], DoorSettings]:
    def check(settings: DoorSettings) -> DoorSettings:
        if settings.hold_s > limit_s:
            raise ValueError(f"hold_s {settings.hold_s:g} is above the relay's longest on-time of {limit_s:g} s")
        return settings

    return check
