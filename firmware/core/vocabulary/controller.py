"""Words of the controller room: what an entry list does not know is asked of somebody's door controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import Pulse, State, topic
from hal.types import LinkPhase


class Verdict(StrEnum):
    """What became of a credential that was forwarded.

    SENT: handed over a wire that has no answer; the controller works its own strike and shows its answer by
    light and beeper. LOST: the controller is away; the parameters have decided what that means (`granted`).
    """

    GRANTED = "granted"
    DENIED = "denied"
    SENT = "sent"
    LOST = "lost"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardParams:
    """Ask the connected door controller about a credential: a card's bits, a PIN, both, or one key as pressed.

    `fitting` are the readings of the card, `FORMAT:FACILITY:NUMBER`, the preferred first.
    """

    reader: Annotated[str, Field(max_length=64)]
    door: Annotated[str, Field(max_length=64)]
    bits: Annotated[str, Field(pattern=r"^[01]{0,512}$")] = ""
    fitting: tuple[str, ...] = ()
    pin: Annotated[str, Field(pattern=r"^[0-9]{0,32}$")] = field(default="", repr=False)
    key: Annotated[str, Field(pattern=r"^[0-9*#]?$")] = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAnswer:
    """What the controller said; `granted` also decides for LOST, `reason` is for people."""

    verdict: Verdict
    granted: bool = False
    reason: str = ""


class ControllerProtocol(StrEnum):
    """How the door controller is connected (manual 001, Reader protocol type)."""

    OFF = "off"
    WIEGAND = "wiegand"
    OSDP = "osdp"
    HTTP = "http"


class ControllerPhase(StrEnum):
    """Where the connection to the door controller is."""

    OFF = "off"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"


@topic("controller/state")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerState(State):
    """The door controller now: connected or lost with its reason, `since` when.

    Over Wiegand CONNECTED means that frames go out: two wires cannot tell whether somebody listens.
    """

    protocol: ControllerProtocol
    phase: ControllerPhase
    reason: str = ""
    since: datetime


@topic("controller/link")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerLink(State):
    """The OSDP link to somebody's panel; `keyed` when we hold a key, `install_until` while a first one may be set."""

    port: str
    phase: LinkPhase
    reason: str = ""
    secure: bool = False
    keyed: bool = False
    address: int = 0
    baud: int = 0
    retries: int = 0
    check_errors: int = 0
    refusals: int = 0
    install_until: datetime | None = None


class ControllerRisk(StrEnum):
    """What makes the connection to a door controller unsafe, or not work as it is set."""

    INSECURE_OSDP = "insecure_osdp"
    UNVERIFIED = "unverified"
    PLAIN_HTTP = "plain_http"
    LOCAL_ADDRESS = "local_address"
    GRANT_WHEN_LOST = "grant_when_lost"
    INPUT = "input"


@topic("controller/risk")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerWarning(State):
    """A switch that somebody has set to the unsafe side, shown and journalled while it stands."""

    keys: ClassVar[tuple[str, ...]] = ("risk",)
    risk: ControllerRisk
    detail: str


@topic("controller/answer")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerAnswered(Pulse):
    """What became of a forwarded credential; keys and PINs are counted, never shown.

    `took_ms` is from the question to the answer; `keys` the number of digits or keys that went along.
    """

    reader: str
    door: str
    protocol: ControllerProtocol
    verdict: Verdict
    granted: bool
    reason: str
    bits: int
    keys: int
    took_ms: int


@topic("controller/text")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerText(Pulse):
    """Somebody's panel wants a text shown at the reader for `for_s` seconds (0: until the next)."""

    text: str
    for_s: float


@topic("controller/output")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerOutput(State):
    """Somebody's panel has switched an output of its reader; rules may make something of it."""

    keys: ClassVar[tuple[str, ...]] = ("number",)
    number: int
    on: bool


@topic("controller/key")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerKey(Pulse):
    """A key of the OSDP link was taken, refused or forgotten; the key itself is never part of a fact."""

    change: str
    reason: str = ""


@topic("controller/peer")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerPeer(State):
    """What the network role knows of the controller behind a URL; withdrawn with the role."""

    reachable: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallParams:
    """Let the panel set our first key over the published install key, for `for_s` seconds."""

    for_s: Annotated[float, Field(ge=10, le=600)] = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AskParams:
    """A question for the controller behind a URL, from control to network; answered within `within_s`."""

    question: ForwardParams
    within_s: Annotated[float, Field(gt=0, le=60)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAnswer:
    """What the controller behind a URL said: granted or denied, or `lost` because it said nothing usable."""

    lost: bool
    granted: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerReader:
    """A reader that the controller knows; its id is what the parameter `reader_id` takes."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerReaders:
    """Every reader that the controller offers us."""

    readers: tuple[ControllerReader, ...]
