"""Words of the entry list: entries as they are wished for, shown, changed, carried in and out, and presented."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from firmware.core.vocabulary.access import Reason

# A file that is carried in travels in one JSON body, and those have at most 1 MiB.
LONGEST_FILE = 900_000

EntryId = Annotated[str, Field(min_length=1, max_length=64)]
NameText = Annotated[str, Field(min_length=1, max_length=64)]
CardText = Annotated[str, Field(max_length=600)]
PinText = Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]
QrText = Annotated[str, Field(min_length=1, max_length=600)]
Uses = Annotated[int, Field(ge=1, le=1_000_000)]


class EntryKind(StrEnum):
    """What a holder presents."""

    CARD = "card"
    PIN = "pin"
    CARD_AND_PIN = "card and pin"
    QR = "qr"


class EntryEvent(StrEnum):
    """What follows when the entry's credential is presented; `denied` makes it a blocked one."""

    GRANTED = "granted"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAdd:
    """A new entry: `card` (`FORMAT:FACILITY:NUMBER`, `UID:HEX` or bits), `pin`, both (only together), or `qr`.

    `name` is the first name or all of it. `uses` is the number of times, `valid_from`/`valid_to` are aware
    instants, `doors` empty means all, `schedule` names a schedule of the access parameters.
    """

    name: NameText
    last_name: Annotated[str, Field(max_length=64)] = ""
    card: CardText | None = None
    pin: PinText | None = field(default=None, repr=False)
    qr: QrText | None = field(default=None, repr=False)
    uses: Uses | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    schedule: str | None = None
    doors: tuple[str, ...] = ()
    event: EntryEvent = EntryEvent.GRANTED


class Limit(StrEnum):
    """What of an entry can be taken away."""

    LAST_NAME = "last_name"
    CARD = "card"
    PIN = "pin"
    QR = "qr"
    USES = "uses"
    VALID_FROM = "valid_from"
    VALID_TO = "valid_to"
    SCHEDULE = "schedule"
    DOORS = "doors"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """A change of one entry: what is named becomes so, what is in `clear` is taken away, all else stays."""

    id: EntryId
    name: NameText | None = None
    last_name: Annotated[str, Field(max_length=64)] | None = None
    card: CardText | None = None
    pin: PinText | None = field(default=None, repr=False)
    qr: QrText | None = field(default=None, repr=False)
    uses: Uses | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    schedule: str | None = None
    doors: tuple[str, ...] | None = None
    event: EntryEvent | None = None
    clear: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRef:
    """One entry by id."""

    id: EntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """An entry as shown: a PIN or a QR text is never shown."""

    id: str
    name: str
    kind: EntryKind
    card: str | None
    uses_left: int | None
    valid_from: datetime | None
    valid_to: datetime | None
    schedule: str | None
    doors: tuple[str, ...]
    last_name: str = ""
    event: EntryEvent = EntryEvent.GRANTED


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


class FileFormat(StrEnum):
    """How a carried list is written."""

    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryExport:
    """Carry the list out, by name; a long one in pieces of `limit` entries, each a file of its own."""

    format: FileFormat = FileFormat.CSV
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=2000)] = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFile:
    """A carried list; PINs and QR texts are not in it. `next` is the offset of the next piece, None at the end."""

    format: FileFormat
    text: str
    total: int
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryImport:
    """Carry entries in, all or none: a known id is changed, everything else is added. `dry_run` only looks."""

    text: Annotated[str, Field(max_length=LONGEST_FILE)] = field(repr=False)
    format: FileFormat = FileFormat.CSV
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryImported:
    """What an import did, or would do."""

    added: int
    changed: int
    unchanged: int
    dry_run: bool


ReaderName = Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentParams:
    """Present a credential as at a reader: exactly one of `card`, `uid` (hex), `pin` and `qr`.

    `reader` is a name or alias; empty means the first reader with a door.
    """

    reader: ReaderName = ""
    card: CardText | None = None
    uid: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}[: -]?){1,32}$")] | None = None
    pin: PinText | None = field(default=None, repr=False)
    qr: QrText | None = field(default=None, repr=False)


class Outcome(StrEnum):
    """What became of a presented credential."""

    GRANTED = "granted"
    DENIED = "denied"
    PIN_WANTED = "PIN wanted"
    FORWARDED = "forwarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentAnswer:
    """What the reader answered; after PIN_WANTED present the PIN."""

    outcome: Outcome
    reader: str
    reason: Reason | None = None
    entry: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestParams:
    """Ask for the latest card of a reader (empty: of any); `reverse` turns the byte order of the UID round."""

    reader: ReaderName = ""
    reverse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestCard:
    """The card read last, for enrolment: `card` is what `entries.add` takes, `fitting` the other ways to read it.

    `uid` is the serial number in hex, or the card's bits as bytes where the reader tells no serial number and they
    are whole bytes; `entry` and `holder` are empty for a card nobody has.
    """

    reader: str
    at: datetime
    card: str
    fitting: tuple[str, ...]
    bits: str
    uid: str
    reversed: bool
    chip: str
    entry: str
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DialParams:
    """The call key was pressed: the digits typed at a reader (empty: at the only keypad) are a speed-dial number."""

    reader: ReaderName = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """The number that was dialled; empty when nothing was typed, or when it was a PIN."""

    number: str
