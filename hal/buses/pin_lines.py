"""Groups of lines on any gpiozero factory that knows single pins only (lgpio, the mock pins).

Pins are asked for one by one; their changes hop to the loop as one immutable value each and are put in order
of the factory's ticks. Such a group cannot notice lost edges: `Edge.seq` counts those that arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from gpiozero import GPIOPinInUse
from gpiozero.pins.mock import MockPin

from hal.buses.pins import InputWish, OutputWish, Pin, PinFactory, Releasable, check_offsets, check_wish, place
from hal.clock import Clock
from hal.errors import BusError, LineInUse
from hal.types import Drive, Edge, Pull
from hal.wires import EdgeHandler

T = TypeVar("T")

_PULLS = {Pull.UP: "up", Pull.DOWN: "down"}


@contextmanager
def _wire_errors(where: str) -> Iterator[None]:
    try:
        yield
    except BusError:
        raise
    except GPIOPinInUse as error:
        raise LineInUse(where, str(error)) from error
    except Exception as error:
        # Every pin library raises a class of its own; lgpio's is a bare Exception.
        raise BusError(where, str(error) or type(error).__name__) from error


def _unpulled(pin: Pin) -> str:
    """gpiozero's word for no pull: where a resistor is soldered to the line, only that one can be named."""
    return pin.info.pull or "floating"


class _Owner:
    """Who a pin is reserved for; two owners never share a pin."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def _conflicts_with(self, other: object) -> bool:
        return other is not self


class _Pins:
    """The reserved pins of one group."""

    def __init__(self, factory: PinFactory, bus: str, offsets: Sequence[int], owner: str) -> None:
        self.offsets = check_offsets(bus, offsets)
        self.where = place(bus, offsets)
        self.pins: tuple[Pin, ...] = ()
        self._bus = bus
        self._factory = factory
        self._owner = _Owner(owner)
        self._reserved: list[int] = []
        try:
            for offset in self.offsets:
                with _wire_errors(f"{bus}:{offset}"):
                    factory.reserve_pins(self._owner, offset)
                    self._reserved.append(offset)
                    self.pins += (factory.pin(offset),)
        except BusError:
            self.give_back(move=False)
            raise

    def each(self, do: Callable[[int, Pin], T]) -> tuple[T, ...]:
        """Do something with every pin; what its library raises becomes a BusError with the line's name."""
        done = []
        for index, pin in enumerate(self.pins):
            with _wire_errors(f"{self._bus}:{self.offsets[index]}"):
                done.append(do(index, pin))
        return tuple(done)

    def give_back(self, *, move: bool) -> None:
        """End the reservations. A pin that cannot be let go as it is, is closed only if it may `move`."""
        for pin in self.pins:
            if isinstance(pin, Releasable):
                pin.release()
            elif move:
                pin.close()
        self.pins = ()
        self._factory.release_pins(self._owner, *self._reserved)
        self._reserved.clear()


@dataclass(frozen=True, slots=True)
class _Change:
    ticks: Any
    line: int
    level: bool


class _Tap:
    """The callback of one pin; called on whatever thread its factory uses."""

    def __init__(self, group: PinInputs, line: int) -> None:
        self._group = group
        self._line = line

    def changed(self, ticks: Any, state: Any) -> None:
        self._group.hop(_Change(ticks, self._line, bool(state)))


class PinInputs:
    """Inputs on single pins; implements InputLines. The factory's ticks must not wrap (lgpio and mock: never)."""

    def __init__(
        self, factory: PinFactory, clock: Clock, bus: str, offsets: Sequence[int], wish: InputWish, owner: str
    ) -> None:
        """Set the pins up, on a running loop. Raises LineInUse, BusError."""
        check_wish(bus, offsets, wish)
        self._factory = factory
        self._loop = asyncio.get_running_loop()
        self._base_ns, self._base_ticks = clock.now_ns(), factory.ticks()
        self._handler: EdgeHandler | None = None
        self._waiting: list[_Change] = []
        self._count = 0
        self._pins = _Pins(factory, bus, offsets, owner)
        self._taps = tuple(_Tap(self, line) for line, _ in enumerate(self._pins.offsets))
        try:
            self._pins.each(lambda _, pin: self._prepare(pin, wish))
        except BusError:
            self._pins.give_back(move=True)
            raise

    def _prepare(self, pin: Pin, wish: InputWish) -> None:
        pin.input_with_pull(_unpulled(pin) if wish.pull is Pull.NONE else _PULLS[wish.pull])
        if wish.debounce_us:
            if getattr(type(pin), "_set_bounce", None) is MockPin._set_bounce:
                raise BusError(self._pins.where, "the mock pins of gpiozero ignore debouncing")
            pin.bounce = wish.debounce_us / 1e6
        pin.edges = "none" if wish.edges is None else wish.edges.value

    def levels(self) -> tuple[bool, ...]:
        """The level of every line now. Raises BusError."""
        self._check_open()
        return self._pins.each(lambda _, pin: bool(pin.state))

    def watch(self, handler: EdgeHandler | None) -> None:
        """Call `handler` on the loop for every edge from now on; None stops it."""
        self._check_open()
        started, self._handler = self._handler is not None, handler
        if (handler is not None) == started:
            return
        self._waiting.clear()
        self._pins.each(self._unwatch if handler is None else self._watch)

    def _watch(self, line: int, pin: Pin) -> None:
        pin.when_changed = self._taps[line].changed

    def _unwatch(self, _: int, pin: Pin) -> None:
        pin.when_changed = None

    def hop(self, change: _Change) -> None:
        """Carry a change to the loop, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._arrived, change)
        except RuntimeError:
            # The loop was closed while an edge was on its way: there is nobody left to tell.
            if not self._loop.is_closed():
                raise

    def _arrived(self, change: _Change) -> None:
        self._waiting.append(change)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        changes, self._waiting = self._waiting, []
        for t_ns, change in sorted(((self._time(change), change) for change in changes), key=lambda pair: pair[0]):
            if self._handler is None:
                return
            self._count += 1
            self._handler(Edge(t_ns, change.line, change.level, self._count))

    def _time(self, change: _Change) -> int:
        return self._base_ns + round(self._factory.ticks_diff(change.ticks, self._base_ticks) * 1e9)

    def _check_open(self) -> None:
        if not self._pins.pins:
            raise BusError(self._pins.where, "the line was given back")

    @property
    def closed(self) -> bool:
        """Whether the lines were given back."""
        return not self._pins.pins

    def close(self) -> None:
        """Give the lines back."""
        if self._pins.pins:
            self.watch(None)
            self._pins.give_back(move=True)


class PinOutputs:
    """Outputs on single pins; implements OutputLines. Lines are driven one after the other, in order.

    gpiozero knows no open drain; a high line is then a floating input, which is what the kernel does as well.
    """

    def __init__(self, factory: PinFactory, bus: str, offsets: Sequence[int], wish: OutputWish, owner: str) -> None:
        """Set the pins up at their first level. Raises LineInUse, BusError."""
        check_wish(bus, offsets, wish)
        self._open_drain = wish.drive is Drive.OPEN_DRAIN
        self._driven = wish.initial
        self._pins = _Pins(factory, bus, offsets, owner)
        try:
            self._pins.each(lambda line, pin: self._first(pin, wish.initial[line]))
        except BusError:
            self._pins.give_back(move=False)
            raise

    def _first(self, pin: Pin, level: bool) -> None:
        if self._open_drain and level:
            pin.input_with_pull(_unpulled(pin))
        else:
            pin.output_with_state(level)

    def _drive(self, pin: Pin, level: bool, before: bool) -> None:
        if not self._open_drain:
            pin.state = level
        elif level != before:
            self._first(pin, level)

    def set(self, *levels: bool) -> None:
        """Drive all lines. Raises BusError."""
        if not self._pins.pins:
            raise BusError(self._pins.where, "the line was given back")
        if len(levels) != len(self._pins.pins):
            raise BusError(self._pins.where, f"{len(self._pins.pins)} lines, but {len(levels)} levels")
        self._pins.each(lambda line, pin: self._drive(pin, levels[line], self._driven[line]))
        self._driven = levels

    def levels(self) -> tuple[bool, ...]:
        """The levels last driven."""
        return self._driven

    @property
    def closed(self) -> bool:
        """Whether the lines were given back."""
        return not self._pins.pins

    def close(self) -> None:
        """Give the lines back at their level; a pin that cannot be, stays with its factory."""
        self._pins.give_back(move=False)
