"""What both engines take and give: settings in, facts out. All times are monotonic nanoseconds.

The owner of the line calls `receive(t_ns, data)` with what arrived and `step(t_ns)` after that, after anything it
asked for, and at `next_ns` at the latest; it sends `Step.send` at once and acts on the facts in their order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hal.osdp.codes import BAUDS, LONGEST_FRAME
from hal.osdp.payload import Payload
from hal.osdp.replies import PdCap, PdId
from hal.types import LinkStatus, PanelFact

MS = 1_000_000
INSTALL_LONGEST_NS = 600_000 * MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSettings:
    """What a panel knows of one reader on its bus.

    `keys` are tried in order. With a key there is never clear text; without one, `plain` allows it, unless the
    reader was seen with a secure channel before (`secure_seen`, the owner's memory). `poll_ns` is the time between
    two polls, 0 polls as fast as the wire allows. `crc` False uses the checksum outside the secure channel.
    """

    address: int = 0
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    plain: bool = False
    secure_seen: bool = False
    crc: bool = True
    poll_ns: int = 10 * MS


class ComSetPolicy(StrEnum):
    """When a panel may move us to another address or rate."""

    NEVER = "never"
    SECURE = "inside the secure channel"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeripheralSettings:
    """How we behave as somebody's reader.

    `keys` are tried in order, the next one after a failed proof. Without a key and without `plain` a panel gets our
    identity and nothing else. `strict_slot` refuses a panel that asks for the install key while we hold our own
    (otherwise we answer with ours). `card_life_ns` is how long a card or key waits for a panel that is away.
    """

    address: int = 0
    baud: int = 9600
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    plain: bool = False
    strict_slot: bool = False
    comset: ComSetPolicy = ComSetPolicy.SECURE
    bauds: tuple[int, ...] = BAUDS
    leds: int = 1
    inputs: int = 0
    outputs: int = 0
    text_lines: int = 1
    file_limit: int = 0
    longest: int = LONGEST_FRAME
    card_life_ns: int = 5_000 * MS


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged:
    """Phase, reason or security of the link with `address` changed; `status` is all of it."""

    t_ns: int
    address: int
    status: LinkStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A reader said who it is and what it can do."""

    t_ns: int
    address: int
    identity: PdId
    capabilities: PdCap


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A reader reported something by itself: Raw, Keypad, LocalStatusReply, InputStatusReply and their like."""

    t_ns: int
    address: int
    reply: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A submitted command ended. `reply` is the reader's answer, `reason` says in words why not done.

    Every ticket ends exactly once. LOST means that nobody knows whether the reader did it.
    """

    t_ns: int
    address: int
    ticket: int
    outcome: Outcome
    reply: Payload | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureSeen:
    """A reader opened a secure channel with a key of ours: from now on it never gets clear text. Remember it."""

    t_ns: int
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Downgrade:
    """A reader's capabilities were changed on the way, or it denies a secure channel it had before (row 2)."""

    t_ns: int
    address: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeyed:
    """A reader holds `key` now and acknowledged it; `installed` tells a first key from a rotation."""

    t_ns: int
    address: int
    key: bytes = field(repr=False)
    installed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProgress:
    """`done` of `total` bytes of a file are over."""

    t_ns: int
    address: int
    ticket: int
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSeen:
    """A frame on the wire, keys masked, only while `trace` is on."""

    t_ns: int
    address: int
    sent: bool
    data: bytes
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWanted:
    """A panel sets a key: keep it, then call `accept_key` or `refuse_key`. The panel is told to wait meanwhile."""

    t_ns: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A panel has taken the report with this ticket."""

    t_ns: int
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The report with this ticket was given up."""

    t_ns: int
    ticket: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReceived:
    """A panel sent a file, whole."""

    t_ns: int
    kind: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A reader answered during discovery."""

    t_ns: int
    address: int
    identity: PdId
    capabilities: PdCap


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Discovery has asked every address."""

    t_ns: int


ReaderSideFact = (
    LinkChanged
    | Identified
    | Reported
    | Finished
    | SecureSeen
    | Downgrade
    | Rekeyed
    | FileProgress
    | FrameSeen
    | Found
    | Searched
)
PanelSideFact = LinkChanged | PanelFact | KeyWanted | Delivered | Dropped | FileReceived | FrameSeen
Fact = ReaderSideFact | PanelSideFact


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now: bytes to send, facts in their order, and when to call again at the latest."""

    send: bytes = b""
    facts: tuple[Fact, ...] = ()
    next_ns: int | None = None
