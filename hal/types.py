"""Values that cross the HAL: edges, colours, patterns, card bits, loop states.

Everything here is frozen. Instants are monotonic nanoseconds (`t_ns`), durations carry their
unit in the name, and levels are electrical (`True` is high) until a driver applies polarity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum


class Pull(StrEnum):
    """Bias of an input line."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


class EdgeKind(StrEnum):
    """Edges an input group reports."""

    RISING = "rising"
    FALLING = "falling"
    BOTH = "both"


class Drive(StrEnum):
    """How an output line drives its net."""

    PUSH_PULL = "push_pull"
    OPEN_DRAIN = "open_drain"


@dataclass(frozen=True, slots=True)
class Edge:
    """A level change of one line of a requested group.

    `t_ns` is the kernel's monotonic time of the change, `line` the position of the line in the
    request (0 is the first), `seq` the group's own count starting at 1: a gap means lost edges.
    """

    t_ns: int
    line: int
    level: bool
    seq: int


@dataclass(frozen=True, slots=True)
class LineRef:
    """A place to solder to: the bus that offers the line and the line's offset on it."""

    bus: str
    offset: int

    def __str__(self) -> str:
        return f"{self.bus}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> LineRef:
        """Read `gpio0:17`. Raises ValueError with the expected form."""
        match = re.fullmatch(r"([a-z][a-z0-9_]*):(\d{1,4})", text)
        if match is None:
            raise ValueError(f"{text!r} is not a line; write BUS:NUMBER, such as gpio0:17")
        return cls(match[1], int(match[2]))


class Colour(StrEnum):
    """Colours a light can be asked for; a light lists those it can show."""

    OFF = "off"
    RED = "red"
    GREEN = "green"
    AMBER = "amber"
    BLUE = "blue"
    WHITE = "white"


@dataclass(frozen=True, slots=True)
class Step:
    """One colour of a pattern, shown for `for_ms` milliseconds."""

    colour: Colour
    for_ms: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a light does: steps in order, repeated for ever; one step alone is steady."""

    steps: tuple[Step, ...]

    @classmethod
    def steady(cls, colour: Colour) -> Pattern:
        """Show one colour until told otherwise."""
        return cls((Step(colour, 0),))

    @classmethod
    def flash(cls, *colours: Colour, on_ms: int) -> Pattern:
        """Show the colours in turn, each for `on_ms`; a single colour alternates with off."""
        shown = colours if len(colours) > 1 else (*colours, Colour.OFF)
        return cls(tuple(Step(colour, on_ms) for colour in shown))

    def __str__(self) -> str:
        if len(self.steps) == 1:
            return self.steps[0].colour.value
        return " ".join(f"{step.colour.value} {step.for_ms} ms" for step in self.steps)


OFF = Pattern.steady(Colour.OFF)


class LoopState(StrEnum):
    """Circuit of an input loop; cut and short are seen only with end-of-line resistors."""

    OPEN = "open"
    CLOSED = "closed"
    CUT = "cut"
    SHORT = "short"


class Direction(StrEnum):
    """Which way a configurable terminal works."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class CardBits:
    """A frame of card data as a reader sent it; `bits` is text of 0 and 1, first on the wire first."""

    t_ns: int
    reader: str
    bits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPlace:
    """A block of a chip whose sectors are locked by keys: its number, and the key (6 bytes) as key A or B."""

    block: int
    key: bytes = field(repr=False)
    key_b: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """Pages of a chip without keys: the first, and how many."""

    page: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """A file of an application (3-byte id) on a chip with a file system, and the key (16 bytes) that opens it."""

    application: int
    file: int
    key_number: int
    key: bytes = field(repr=False)


SecurePlace = BlockPlace | PagePlace | FilePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureRead:
    """What a reader of chips reads besides the serial number: data called `name`, of one chip type, at one place."""

    name: str
    chip: str
    place: SecurePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class CardChip:
    """A card as a reader of chips sees it: chip type, serial number, and the data of each read that worked."""

    t_ns: int
    reader: str
    chip: str
    csn: bytes
    data: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a reader's keypad: a digit, `*` or `#`."""

    t_ns: int
    reader: str
    key: str


class ReaderTrouble(StrEnum):
    """Why a reader threw away what it heard (docs: hardening rows 8 and 9)."""

    SHORT = "frame too short"
    LONG = "frame too long"
    OVERLAP = "both lines low at once"
    TIMING = "timing outside the interface standard"
    LOST = "edges lost"
    STUCK = "line stuck low"
    GARBLED = "check of the frame does not fit"


@dataclass(frozen=True, slots=True)
class ReaderFault:
    """A frame that was counted and discarded, with the number of bits heard."""

    t_ns: int
    reader: str
    trouble: ReaderTrouble
    bits: int


ReaderFact = CardBits | CardChip | Key | ReaderFault


@dataclass(frozen=True, slots=True)
class ChipIdentity:
    """Who the hardware is: `serial` is 12 upper-case hex digits, `chip_id` the processor's own number."""

    serial: str
    chip_id: str


class LinkPhase(StrEnum):
    """How a reader on a serial bus and its panel stand to each other (manual 001, External reader)."""

    OFF = "off"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    NOT_CONNECTED = "not connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How one end of an OSDP link talks. Source: OSDP 2.2, Annex D (secure channel).

    `address` 0-126, `baud` 9600 to 230400. `keys` are secure channel base keys of 16 bytes, tried in order (the
    key in use, then one that a rotation left behind). With a key there is never clear text. Without one the link
    is refused, unless `plain` allows clear text with a peer that was never seen with a secure channel.
    """

    address: int = 0
    baud: int = 9600
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """A serial reader's link now; `reason` says in words why it is not connected, or is empty.

    `secure` is whether a secure channel stands, `key` the position in `LinkSettings.keys` of the one in use.
    `can_secure` is what the peer said of itself. Counts are since the port was opened; `round_trip_us` is the
    latest answer's time from the end of the question, 0 while there is none.
    """

    t_ns: int
    phase: LinkPhase = LinkPhase.OFF
    reason: str = ""
    secure: bool = False
    key: int | None = None
    can_secure: bool | None = None
    retries: int = 0
    check_errors: int = 0
    refusals: int = 0
    round_trip_us: int = 0
    address: int = 0
    baud: int = 0
    vendor: str = ""
    model: str = ""
    serial: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCondition:
    """What a serial reader says of its housing, power and terminals; True is tampered, failed, active."""

    t_ns: int
    tamper: bool = False
    power_failed: bool = False
    inputs: tuple[bool, ...] = ()
    outputs: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPeer:
    """A reader that answered during discovery."""

    address: int
    baud: int
    vendor: str
    model: str
    serial: str
    can_secure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFrame:
    """One frame seen on a serial bus, keys masked: `sent` by us, `data` whole, `text` decoded."""

    t_ns: int
    bus: str
    sent: bool
    data: bytes
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelLight:
    """Somebody's panel wants light number `light` to show `pattern` from now on (timers are already applied)."""

    t_ns: int
    light: int
    pattern: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelBuzz:
    """Somebody's panel wants the buzzer on or off from now on (tone and repeats are already applied)."""

    t_ns: int
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelText:
    """Somebody's panel wants a text shown; `for_s` 0 is until the next one."""

    t_ns: int
    text: str
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelOutput:
    """Somebody's panel switches output `number` (timers are already applied)."""

    t_ns: int
    number: int
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelKey:
    """Somebody's panel has set a new key; it must be kept before the panel is told that it was taken."""

    t_ns: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPlace:
    """Somebody's panel has moved us to another address or rate."""

    t_ns: int
    address: int
    baud: int


PanelFact = PanelLight | PanelBuzz | PanelText | PanelOutput | PanelPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class WiegandTiming:
    """How pulses are sent: `pulse_us` 20-100, `interval_us` 200-20000 from start to start, `frame_gap_us` of silence.

    Source: SIA AC-01-1996.10; manual 001, reader connector.
    """

    pulse_us: int = 40
    interval_us: int = 2000
    frame_gap_us: int = 25_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFrame:
    """A frame as it was measured while it was sent: width of every pulse and every gap from start to start, in ns.

    `attempts` counts the tries: a frame with a pulse or gap out of bounds is broken off and sent again.
    """

    t_ns: int
    bits: str
    pulses_ns: tuple[int, ...]
    intervals_ns: tuple[int, ...]
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseTrain:
    """One try to send a frame, as measured, in ns: widths, and intervals from start to start.

    `broken` says why it was broken off, or is empty; `ends_ns` is when the lines came to rest.
    """

    t_ns: int
    ends_ns: int
    pulses_ns: tuple[int, ...]
    intervals_ns: tuple[int, ...]
    broken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WiegandOutStatus:
    """How a Wiegand output does since it was opened.

    `realtime` is whether the process that sends comes before all others; if not, `reason` says why. `frames` went
    out whole, `broken` tries were broken off and sent again, `failed` frames never went out.
    """

    realtime: bool
    reason: str = ""
    frames: int = 0
    broken: int = 0
    failed: int = 0
