"""The seam of the GPIO wire: what is asked of a group of lines, and the part of gpiozero it rests on.

gpiozero carries no types; the Protocols here state what its factories and pins do, so that our
factory, lgpio and the mock pins are checked against one description (gpiozero 2.0.1, pins/__init__.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from hal.errors import BusError
from hal.types import Drive, EdgeKind, Pull
from hal.wires import InputLines, OutputLines

# gpiozero hands a change over as (ticks, state); ticks are opaque, only the factory can subtract them.
ChangeHandler = Callable[[Any, Any], None]

LONGEST_DEBOUNCE_US = 2**32 - 1


@dataclass(frozen=True, slots=True)
class InputWish:
    """How a group of inputs is set up; `debounce_us` 0 is none."""

    pull: Pull = Pull.NONE
    edges: EdgeKind | None = EdgeKind.BOTH
    debounce_us: int = 0


@dataclass(frozen=True, slots=True)
class OutputWish:
    """How a group of outputs is set up; `initial` has one level for each line."""

    initial: tuple[bool, ...]
    drive: Drive = Drive.PUSH_PULL


class PinInfo(Protocol):
    """Where a pin is; `pull` is the resistor soldered to it: `up`, `down` or empty."""

    pull: str


class Pin(Protocol):
    """One gpiozero pin. `state` is electrical, `bounce` in seconds or None."""

    info: PinInfo
    state: Any
    function: str
    pull: str
    bounce: float | None
    edges: str
    when_changed: ChangeHandler | None

    def output_with_state(self, state: bool) -> None:
        """Make it an output at that level."""

    def input_with_pull(self, pull: str) -> None:
        """Make it an input with `up`, `down` or `floating`."""

    def close(self) -> None:
        """Give it up; most factories turn it into a floating input."""


@runtime_checkable
class Releasable(Protocol):
    """A pin that can be given back without moving it."""

    def release(self) -> None:
        """Give the line back as it is."""


class PinFactory(Protocol):
    """A gpiozero pin factory."""

    def pin(self, name: Any) -> Pin:
        """The pin of that name or number; the same object every time."""

    def reserve_pins(self, requester: object, *names: Any) -> None:
        """Keep pins for a requester; raises GPIOPinInUse."""

    def release_pins(self, reserver: object, *names: Any) -> None:
        """End a reservation."""

    def ticks(self) -> Any:
        """Now, in the factory's own measure."""

    def ticks_diff(self, later: Any, earlier: Any) -> float:
        """Seconds between two ticks."""

    def close(self) -> None:
        """Give all pins up."""


class Group(InputLines, OutputLines, Protocol):
    """A requested group; which half of it works depends on the wish."""


@runtime_checkable
class GroupFactory(Protocol):
    """A factory that requests lines as one group (ours)."""

    def request(self, offsets: Sequence[int], wish: InputWish | OutputWish, *, owner: str) -> Group:
        """Request the lines at once. Raises LineInUse, BusError."""


def place(bus: str, offsets: Sequence[int]) -> str:
    """The text that names a group in errors: `gpio0:23,24`."""
    return f"{bus}:{','.join(str(offset) for offset in offsets)}"


def check_offsets(bus: str, offsets: Sequence[int]) -> tuple[int, ...]:
    """The offsets as they may be requested. Raises BusError for none, a negative or a repeated one."""
    wanted = tuple(offsets)
    if not wanted:
        raise BusError(bus, "a group needs at least one line")
    for offset in wanted:
        if offset < 0:
            raise BusError(f"{bus}:{offset}", "line numbers start at 0")
        if wanted.count(offset) > 1:
            raise BusError(f"{bus}:{offset}", "the same line twice in one group")
    return wanted


def check_wish(bus: str, offsets: Sequence[int], wish: InputWish | OutputWish) -> None:
    """Raises BusError for a debounce time outside 0..4294967295 us or a wrong number of first levels."""
    if isinstance(wish, InputWish):
        if not 0 <= wish.debounce_us <= LONGEST_DEBOUNCE_US:
            raise BusError(
                place(bus, offsets), f"debounce of {wish.debounce_us} us; valid: 0 to {LONGEST_DEBOUNCE_US} us"
            )
    elif len(wish.initial) != len(offsets):
        raise BusError(place(bus, offsets), f"{len(offsets)} lines, but {len(wish.initial)} first levels")
