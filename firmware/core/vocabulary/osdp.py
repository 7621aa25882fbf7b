"""Words of the osdp room: external readers on RS-485, their keys, and the trace of their bus (manual 001, Reader)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import Pulse, State, topic
from hal.types import LinkPhase

PortName = Annotated[str, Field(min_length=1, max_length=64)]
INSTALL_MAX_S = 600.0
TRACE_MAX_S = 3600.0


@topic("reader/link")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLink(State):
    """An external reader's link: Connected, Connecting, or Not connected with the reason, and how well it goes.

    `secure` is whether a secure channel stands, `secured` whether this reader was ever seen with one (from then on
    it is never talked to in clear text). Counts are since the start of the firmware.
    """

    keys: ClassVar[tuple[str, ...]] = ("reader",)
    reader: str
    alias: str
    phase: LinkPhase
    reason: str
    secure: bool
    secured: bool
    keyed: bool
    address: int
    baud: int
    retries: int = 0
    check_errors: int = 0
    refusals: int = 0
    round_trip_us: int = 0
    vendor: str = ""
    model: str = ""
    serial: str = ""
    version: str = ""


@topic("reader/condition")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderCondition(State):
    """What an external reader says of its housing, power and terminals."""

    keys: ClassVar[tuple[str, ...]] = ("reader",)
    reader: str
    tamper: bool
    power_failed: bool
    inputs: tuple[bool, ...] = ()
    outputs: tuple[bool, ...] = ()


@topic("reader/install")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderInstall(State):
    """Install mode of an external reader: armed by hand, for a limited time, closed by the first key or a restart."""

    keys: ClassVar[tuple[str, ...]] = ("reader",)
    reader: str
    armed: bool
    for_s: float = 0.0


class KeyChange(StrEnum):
    """What became of a reader's key."""

    INSTALLED = "installed"
    ROTATED = "rotated"
    IMPORTED = "imported"
    FORGOTTEN = "forgotten"
    FAILED = "failed"


@topic("reader/key")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderKeyChanged(Pulse):
    """A reader's key was installed, rotated, imported or forgotten, or that failed; never the key itself."""

    reader: str
    change: KeyChange
    detail: str = ""


@topic("reader/downgrade")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderDowngrade(Pulse):
    """A reader that was seen with a secure channel now says it has none: somebody may sit on the wire (row 2)."""

    reader: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRef:
    """One external reader by node name or alias."""

    reader: PortName


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallParams:
    """Arm install mode for `for_s` seconds, at most 600: the reader's first key goes over the published install key."""

    reader: PortName
    for_s: Annotated[float, Field(gt=0, le=INSTALL_MAX_S)] = INSTALL_MAX_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportKeyParams:
    """Use a key that the reader has already: 32 hex digits."""

    reader: PortName
    key: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{32}$")] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderTextParams:
    """Show a text on a reader's display; `for_s` 0 is until the next one."""

    reader: PortName
    text: Annotated[str, Field(pattern=r"^[ -~]{0,32}$")]
    for_s: Annotated[float, Field(ge=0, le=255)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOutputParams:
    """Switch an output of a reader; `for_s` 0 is for good."""

    reader: PortName
    number: Annotated[int, Field(ge=0, le=254)]
    on: bool
    for_s: Annotated[float, Field(ge=0, le=6553.5)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FindParams:
    """Ask addresses and rates who is there; empty means all of them. The reader's link pauses meanwhile."""

    reader: PortName
    addresses: tuple[Annotated[int, Field(ge=0, le=126)], ...] = ()
    bauds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReader:
    """A reader that answered."""

    address: int
    baud: int
    vendor: str
    model: str
    serial: str
    can_secure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReaders:
    """Everybody who answered."""

    readers: tuple[FoundReader, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStart:
    """Record the frames of a reader or of the port to somebody's panel, for `for_s` seconds."""

    port: PortName
    for_s: Annotated[float, Field(gt=0, le=TRACE_MAX_S)] = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRef:
    """A port whose frames are recorded."""

    port: PortName


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuery:
    """Recorded frames after number `after`, oldest first."""

    port: PortName
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """One frame: its number, seconds since the trace began, sent by this device or not, hex with keys masked, text."""

    number: int
    at_s: float
    sent: bool
    hex: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePage:
    """Frames in order; `lost` of those asked for were pushed out of the memory before they were read."""

    recording: bool
    lost: int
    lines: tuple[TraceLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A trace as an osdpcap file: one JSON object a line, keys masked."""

    name: str
    text: str
