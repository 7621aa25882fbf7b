"""Words of the access room: readers, credentials, entries, doors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import Pulse, State, topic
from hal.types import Colour, Pattern


@topic("access/card")
@dataclass(frozen=True, slots=True, kw_only=True)
class CardRead(Pulse):
    """A card was read; `credential` is `FORMAT:FACILITY:NUMBER` of the preferred format, `fitting` all that fit.

    Unreadable data has no credential and says so in `reason`. `bits` is first on the wire first.
    """

    reader: str
    door: str
    bits: str
    credential: str | None
    fitting: tuple[str, ...] = ()
    reason: str = ""


@topic("access/pin")
@dataclass(frozen=True, slots=True, kw_only=True)
class PinEntered(Pulse):
    """A PIN was finished at a keypad; its digits are never part of a fact."""

    reader: str
    door: str
    digits: int


@topic("access/reader/noise")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderNoise(Pulse):
    """A reader threw a frame away (hardening rows 8 and 9)."""

    reader: str
    trouble: str
    bits: int


class Reason(StrEnum):
    """Why a decision fell as it did."""

    GRANTED = "granted"
    UNKNOWN = "unknown credential"
    UNREADABLE = "unreadable card"
    NOT_YET = "not valid yet"
    EXPIRED = "no longer valid"
    USED_UP = "no uses left"
    SCHEDULE = "outside schedule"
    DOOR = "not for this door"
    CLOCK = "time is not known"
    DISABLED = "entry list is off"
    STORAGE = "use could not be recorded"
    THROTTLED = "too many failures"


@topic("access/granted")
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGranted(Pulse):
    """An entry may pass the door now."""

    door: str
    reader: str
    credential: str
    entry: str
    holder: str


@topic("access/denied")
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Pulse):
    """Somebody may not pass; `entry` is empty for an unknown credential."""

    door: str
    reader: str
    credential: str
    reason: Reason
    entry: str = ""
    holder: str = ""


@topic("door/exit")
@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRequested(Pulse):
    """The request-to-exit input of a door became active."""

    door: str


@topic("door/released")
@dataclass(frozen=True, slots=True, kw_only=True)
class DoorReleased(Pulse):
    """The strike of a door was released for `hold_s` seconds; `extended` when it already was."""

    door: str
    hold_s: float
    by: str
    extended: bool = False


class Position(StrEnum):
    """Where the leaf is, as far as the contact tells."""

    CLOSED = "closed"
    OPEN = "open"
    UNKNOWN = "unknown"


@topic("door/state")
@dataclass(frozen=True, slots=True, kw_only=True)
class DoorState(State):
    """A door now: leaf position, strike released, and the alarms that stand."""

    keys: ClassVar[tuple[str, ...]] = ("door",)
    door: str
    position: Position
    released: bool
    forced: bool = False
    held_open: bool = False
    tampered: bool = False


class DoorAlarmKind(StrEnum):
    """What can be wrong with a door."""

    FORCED = "forced"
    HELD_OPEN = "held_open"
    CONTACT = "contact"
    EXIT = "exit"
    STRIKE = "strike"


@topic("door/alarm")
@dataclass(frozen=True, slots=True, kw_only=True)
class DoorAlarm(State):
    """An alarm of a door: forced, held open, contact or request-to-exit loop cut, shorted or stuck, strike stuck."""

    keys: ClassVar[tuple[str, ...]] = ("door", "kind")
    door: str
    kind: DoorAlarmKind
    active: bool
    detail: str = ""


@topic("access/reader")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderState(State):
    """A reader as configured: the door it serves, what it has, frames discarded since start."""

    keys: ClassVar[tuple[str, ...]] = ("reader",)
    reader: str
    alias: str
    door: str
    keypad: bool
    led: str
    discarded: int = 0


@topic("access/entries")
@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesChanged(Pulse):
    """The entry list changed; `entry` is the id, `change` is added, removed or used."""

    entry: str
    change: str


DoorName = Annotated[str, Field(min_length=1, max_length=32)]
HoldS = Annotated[float, Field(gt=0, le=3600)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseParams:
    """Release a door's strike for `hold_s` seconds; None means the door's own hold time."""

    door: DoorName
    hold_s: HoldS | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockParams:
    """End a release now."""

    door: DoorName


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicateParams:
    """Show a colour on a reader's light for `for_s` seconds, then what it showed before."""

    reader: DoorName
    colour: Colour
    for_s: Annotated[float, Field(gt=0, le=3600)]
    flash: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseParams:
    """What a reader's light shows between indications, for a door controller; None is the idle colour again."""

    reader: DoorName
    pattern: Pattern | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeepParams:
    """Switch a reader's beeper on or off, for a door controller."""

    reader: DoorName
    on: bool


class EntryKind(StrEnum):
    """What a holder presents."""

    CARD = "card"
    PIN = "pin"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAdd:
    """A new entry: exactly one of `card` (`FORMAT:FACILITY:NUMBER` or bits) and `pin`; limits are optional.

    `uses` is the number of times, `valid_from`/`valid_to` are aware instants, `doors` empty means all,
    `schedule` names a schedule of the access parameters.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)]
    card: Annotated[str, Field(max_length=600)] | None = None
    pin: Annotated[str, Field(pattern=r"^[0-9]{1,32}$")] | None = field(default=None, repr=False)
    qr: Annotated[str, Field(max_length=600)] | None = field(default=None, repr=False)
    uses: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    schedule: str | None = None
    doors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRef:
    """One entry by id."""

    id: Annotated[str, Field(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """An entry as shown: a PIN is never shown."""

    id: str
    name: str
    kind: EntryKind
    card: str | None
    uses_left: int | None
    valid_from: datetime | None
    valid_to: datetime | None
    schedule: str | None
    doors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """A page of the entry list, by name."""

    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """Entries of a query and how many there are in all."""

    total: int
    entries: tuple[EntryView, ...]
