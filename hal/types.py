"""Values that cross the HAL: edges, colours, patterns, card bits, loop states.

Everything here is frozen. Instants are monotonic nanoseconds (`t_ns`), durations carry their
unit in the name, and levels are electrical (`True` is high) until a driver applies polarity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class ReaderFault:
    """A frame that was counted and discarded, with the number of bits heard."""

    t_ns: int
    reader: str
    trouble: ReaderTrouble
    bits: int


ReaderFact = CardBits | Key | ReaderFault


@dataclass(frozen=True, slots=True)
class ChipIdentity:
    """Who the hardware is: `serial` is 12 upper-case hex digits, `chip_id` the processor's own number."""

    serial: str
    chip_id: str
