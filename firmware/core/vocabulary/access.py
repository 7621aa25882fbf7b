"""Words of the access room: readers, credentials, entries, doors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import Pulse, State, topic
from hal.types import Colour, Pattern


class By(StrEnum):
    """Who decided; CHECK marks what an administrator presented from afar, whoever decided."""

    ENTRIES = "entries"
    CONTROLLER = "controller"
    CHECK = "check"


@topic("access/card")
@dataclass(frozen=True, slots=True, kw_only=True)
class CardRead(Pulse):
    """A card was read; `credential` is `FORMAT:FACILITY:NUMBER` of the preferred format, `fitting` all that fit.

    Unreadable data has no credential and says so in `reason`. `bits` is first on the wire first. `chip` is the
    chip type and `uid` the card's serial number in hex, from a reader that tells them; `by` CHECK is no real card.
    """

    reader: str
    door: str
    bits: str
    credential: str | None
    fitting: tuple[str, ...] = ()
    reason: str = ""
    chip: str = ""
    uid: str = ""
    by: By = By.ENTRIES


@topic("access/pin")
@dataclass(frozen=True, slots=True, kw_only=True)
class PinEntered(Pulse):
    """A PIN was finished at a keypad; its digits are never part of a fact."""

    reader: str
    door: str
    digits: int
    by: By = By.ENTRIES


@topic("access/qr")
@dataclass(frozen=True, slots=True, kw_only=True)
class QrPresented(Pulse):
    """A QR text was shown at a reader; the text is never part of a fact."""

    reader: str
    door: str
    by: By = By.ENTRIES


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
    BLOCKED = "entry is blocked"
    MODE = "not enough at this reader"
    NO_PIN = "PIN is missing"
    WRONG_PIN = "wrong PIN"
    DOUBLE_USE = "used elsewhere a moment ago"
    NO_DATA = "required card data is missing"
    CONTROLLER = "the controller denies"
    CONTROLLER_AWAY = "the controller does not answer"
    BUSY = "too much waits for the controller"


@topic("access/granted")
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessGranted(Pulse):
    """An entry may pass the door now; `by` says who decided or asked: see `By`.

    The door controller's answer has no entry and the holder `controller`.
    """

    door: str
    reader: str
    credential: str
    entry: str
    holder: str
    by: By = By.ENTRIES


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
    by: By = By.ENTRIES


@topic("access/forwarded")
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessForwarded(Pulse):
    """A credential went to the door controller over a wire without an answer: it works its own strike."""

    door: str
    reader: str
    credential: str
    by: By = By.CONTROLLER


@topic("access/pin/wanted")
@dataclass(frozen=True, slots=True, kw_only=True)
class PinWanted(Pulse):
    """A card was read that opens with a PIN only; the reader waits `within_s` seconds for it."""

    reader: str
    door: str
    within_s: float


@topic("access/dial")
@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedDialled(Pulse):
    """Digits were typed and the call key pressed: somebody is to be called (manual 001, Use the keypad)."""

    reader: str
    number: str


class Guess(StrEnum):
    """What is being guessed at a reader."""

    PIN = "PIN"
    CARD = "card"
    QR = "QR text"


@topic("access/throttle")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderThrottle(State):
    """Failures in a row at a reader (hardening rows 10 and 11).

    While `closed`, PINs are refused unread, or unknown cards are. `pause_s` is how long it was closed for,
    0 while it is not.
    """

    keys: ClassVar[tuple[str, ...]] = ("reader", "guess")
    reader: str
    guess: Guess
    failures: int
    closed: bool
    pause_s: float


class Oddity(StrEnum):
    """What no honest holder does (hardening rows 8 and 11)."""

    WALKING = "many unknown cards one after the other"
    GUESSING = "many unknown PINs one after the other"
    REPEATED = "the same frame again at once"
    FLOOD = "more cards than hands can hold"
    TWO_PLACES = "one card at two readers at once"


@topic("access/suspicious")
@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicious(Pulse):
    """Something at a reader that no honest holder does; `entry` where one is known, `detail` for people."""

    reader: str
    door: str
    oddity: Oddity
    detail: str = ""
    entry: str = ""


@topic("door/exit")
@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRequested(Pulse):
    """The request-to-exit input of a door became active."""

    door: str


@topic("door/exit/simulated")
@dataclass(frozen=True, slots=True, kw_only=True)
class ExitSimulated(Pulse):
    """`by` pressed the exit button of a door without being there; what it asks for then has this cause."""

    door: str
    by: str


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
class ExitParams:
    """Whose exit button."""

    door: DoorName


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicateParams:
    """Show a colour on a reader's light for `for_s` seconds, or while `door` is released, then what it did before."""

    reader: DoorName
    colour: Colour
    for_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    door: DoorName | None = None
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
