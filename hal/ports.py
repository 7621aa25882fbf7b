"""What a service sees of the hardware: named ports with polarity, limits and states already applied.

A port reports facts to one handler, on the event loop. `watch` replaces the handler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from hal.types import Colour, Direction, LoopState, Pattern, ReaderFact


@dataclass(frozen=True, slots=True)
class InputChange:
    """A button became pressed (active) or released at `t_ns`."""

    t_ns: int
    active: bool


@dataclass(frozen=True, slots=True)
class LoopChange:
    """An input loop changed its state at `t_ns`."""

    t_ns: int
    state: LoopState


@dataclass(frozen=True, slots=True)
class OutputChange:
    """An output was switched at `t_ns`; `reason` is `command`, `longest on-time`, or `closing`."""

    t_ns: int
    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class OutputTrouble:
    """The readback of an output contradicts (`stuck` true) or again follows (false) its command."""

    t_ns: int
    stuck: bool
    commanded: bool


class Port(Protocol):
    """Anything with a node name."""

    @property
    def name(self) -> str:
        """The node's name in the board file."""


class Button(Port, Protocol):
    """A push button; gestures are made above, from these changes."""

    def pressed(self) -> bool:
        """Whether it is held down now."""

    def watch(self, handler: Callable[[InputChange], None] | None) -> None:
        """Report press (active) and release."""


class Loop(Port, Protocol):
    """An input loop, supervised where the board has end-of-line resistors."""

    @property
    def supervised(self) -> bool:
        """Whether cut and short can be told from open and closed."""

    def state(self) -> LoopState:
        """The loop's state now."""

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        """Report every change."""


class Output(Port, Protocol):
    """A digital output."""

    def on(self) -> None:
        """Switch on."""

    def off(self) -> None:
        """Switch off."""

    def is_on(self) -> bool:
        """What it was last told, after any cut-off."""

    def watch(self, handler: Callable[[OutputChange], None] | None) -> None:
        """Report every switch, whoever caused it."""


class Relay(Output, Protocol):
    """An output that moves a strike: never on longer than its limit, off at open and close."""

    @property
    def max_on_s(self) -> float:
        """The longest on-time in seconds; then the driver itself switches off."""

    def on_trouble(self, handler: Callable[[OutputTrouble], None] | None) -> None:
        """Report a contact that does not follow its command (hardening row 13)."""


class Led(Port, Protocol):
    """A light that shows patterns."""

    @property
    def colours(self) -> frozenset[Colour]:
        """What it can show, always with off."""

    def show(self, pattern: Pattern) -> None:
        """Start a pattern now, replacing the one before. Raises OutOfRange for a colour it lacks."""

    def shown(self) -> Pattern:
        """The pattern it was last told."""


class CardReader(Port, Protocol):
    """A reader of cards, perhaps with keypad, light and beeper."""

    @property
    def led(self) -> Led | None:
        """The reader's light."""

    @property
    def beeper(self) -> Output | None:
        """The reader's beeper."""

    def watch(self, handler: Callable[[ReaderFact], None] | None) -> None:
        """Report card bits, keys and discarded frames."""


class Terminal(Port, Protocol):
    """A configurable I/O terminal (manual 001, I/O connector): input loop or open-drain output."""

    @property
    def configurable(self) -> bool:
        """Whether the direction can be changed."""

    @property
    def can_supervise(self) -> bool:
        """Whether end-of-line resistors can be measured."""

    @property
    def direction(self) -> Direction:
        """Which way it works now."""

    async def configure(self, direction: Direction, *, supervised: bool) -> None:
        """Turn the terminal round; an output starts open. Raises OutOfRange when the board cannot."""

    def circuit(self) -> LoopState:
        """The circuit at the terminal now; an output is closed when it is driven."""

    def close_circuit(self, closed: bool) -> None:
        """Drive an output closed (connected to ground) or open. Raises OutOfRange on an input."""

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        """Report every change of the circuit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Every port of a board, by node name; made by `hal.assemble`. `aliases` maps node name -> alias."""

    relays: Mapping[str, Relay]
    outputs: Mapping[str, Output]
    inputs: Mapping[str, Loop]
    buttons: Mapping[str, Button]
    leds: Mapping[str, Led]
    readers: Mapping[str, CardReader]
    terminals: Mapping[str, Terminal]
    aliases: Mapping[str, str]

    def alias(self, node: str) -> str:
        """The name people use for a node: its alias, else the node's own name."""
        return self.aliases.get(node, node)
