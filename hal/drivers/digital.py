"""Digital output, relay and digital input: the only place where their polarity is applied.

An output is requested in its off level, so nothing moves when the firmware starts, and is switched
off before its line is given back. A relay limits its own on-time, whoever holds it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Self

from hal.clock import Clock, Timer
from hal.drivers.debounce import DebouncedLine
from hal.drivers.readback import ContactCheck, Readback
from hal.errors import BusError, OutOfRange
from hal.ports import LoopChange, OutputChange, OutputTrouble
from hal.types import LoopState, Pull
from hal.wires import Gpio, InputLines, OutputLines

__all__ = ["DigitalInput", "DigitalOutput", "Readback", "Relay"]

log = logging.getLogger("hal.drivers")

COMMAND = "command"
LONGEST_ON_TIME = "longest on-time"
CLOSING = "closing"

MAX_ON_RANGE_S = (0.1, 3600.0)
CUT_OFF_RETRY_S = 1.0


class DigitalOutput:
    """Port `Output` on one line; off when opened."""

    def __init__(self, name: str, lines: OutputLines, clock: Clock, *, active_high: bool) -> None:
        self._name = name
        self._lines = lines
        self._clock = clock
        self._active_high = active_high
        self._on = False
        self._doubtful = False  # switching on failed, and so did taking it back: the line may be on
        self._closed = False
        self._handler: Callable[[OutputChange], None] | None = None

    @classmethod
    async def open(cls, name: str, gpio: Gpio, offset: int, clock: Clock, *, active_high: bool = True) -> DigitalOutput:
        """Request the line with its off level in the same step. Raises LineInUse, BusError."""
        lines = await gpio.outputs(name, [offset], initial=[not active_high])
        return cls(name, lines, clock, active_high=active_high)

    @property
    def name(self) -> str:
        return self._name

    def on(self) -> None:
        """Switch on; nothing happens when it is on already. Raises BusError."""
        if self._closed:
            raise BusError(self._name, "switched on after it was closed")
        self._switch(True, COMMAND)

    def off(self) -> None:
        """Switch off; nothing happens when it is off already. Raises BusError."""
        if not self._closed:
            self._switch(False, COMMAND)

    def is_on(self) -> bool:
        return self._on

    def watch(self, handler: Callable[[OutputChange], None] | None) -> None:
        self._handler = handler

    def close(self) -> None:
        """Switch off, then give the line back; closing twice is harmless."""
        if self._closed:
            return
        try:
            self._switch(False, CLOSING)
        except BusError as error:
            log.error("%s: could not be switched off when closing: %s", self._name, error)
        finally:
            self._closed = True
            self._release()

    def _switch(self, on: bool, reason: str) -> None:
        if on == self._on and not self._doubtful:
            return
        t_ns = self._clock.now_ns()
        try:
            self._lines.set(on == self._active_high)
        except BusError:
            if on and not self._on:
                self._take_back()
            raise
        changed, self._on, self._doubtful = on != self._on, on, False
        if not changed:
            return
        self._moved(t_ns)
        if self._handler is not None:
            self._handler(OutputChange(t_ns, on, reason))

    def _take_back(self) -> None:
        """Nobody knows whether a line moved that refused to be driven: off, or driven off by the next `off()`."""
        try:
            self._lines.set(not self._active_high)
            self._doubtful = False
        except BusError:
            self._doubtful = True

    def _moved(self, t_ns: int) -> None:
        """The line was moved at `t_ns`; called before anybody is told."""

    def _release(self) -> None:
        self._lines.close()


class Relay(DigitalOutput):
    """Port `Relay`: never on for longer than `max_on_s` without a break.

    The limit runs from the edge that switched on. A further `on()` while on moves nothing and does not start it
    again: whoever extends a release can do so up to the limit, and never beyond.
    """

    def __init__(self, name: str, lines: OutputLines, clock: Clock, *, active_high: bool, max_on_s: float) -> None:
        super().__init__(name, lines, clock, active_high=active_high)
        self._max_on_s = max_on_s
        self._limit: Timer | None = None
        self._cut_off_failed = False
        self._check: ContactCheck | None = None
        self._trouble: Callable[[OutputTrouble], None] | None = None

    @classmethod
    async def open(
        cls,
        name: str,
        gpio: Gpio,
        offset: int,
        clock: Clock,
        *,
        active_high: bool = True,
        max_on_s: float = 60.0,
        readback: Readback | None = None,
    ) -> Self:
        """Request the line off, and its readback. `max_on_s` 0.1 to 3600. Raises OutOfRange, LineInUse, BusError."""
        shortest, longest = MAX_ON_RANGE_S
        if not shortest <= max_on_s <= longest:
            raise OutOfRange(name, f"longest on-time {max_on_s} s is not between {shortest} and {longest} s")
        lines = await gpio.outputs(name, [offset], initial=[not active_high])
        relay = cls(name, lines, clock, active_high=active_high, max_on_s=max_on_s)
        if readback is not None:
            try:
                relay._check = await ContactCheck.open(name, readback, clock, relay.is_on)
            except BaseException:
                relay.close()
                raise
        return relay

    @property
    def max_on_s(self) -> float:
        return self._max_on_s

    def on_trouble(self, handler: Callable[[OutputTrouble], None] | None) -> None:
        self._trouble = handler
        if self._check is not None:
            self._check.watch(handler)

    def _moved(self, t_ns: int) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self._on:
            self._limit = self._clock.call_at(t_ns + round(self._max_on_s * 1e9), self._cut_off)
        if self._cut_off_failed:
            self._cut_off_failed = False
            self._tell(stuck=False)
        if self._check is not None:
            self._check.command_changed()

    def _take_back(self) -> None:
        super()._take_back()
        if self._doubtful and self._limit is None:
            self._limit = self._clock.call_later(CUT_OFF_RETRY_S, self._cut_off)

    def _cut_off(self) -> None:
        self._limit = None
        try:
            self._switch(False, LONGEST_ON_TIME)
        except BusError as error:
            self._limit = self._clock.call_later(CUT_OFF_RETRY_S, self._cut_off)
            if not self._cut_off_failed:
                self._cut_off_failed = True
                log.error("%s: cannot be switched off after its longest on-time: %s", self._name, error)
                self._tell(stuck=True)

    def _tell(self, *, stuck: bool) -> None:
        if self._trouble is not None:
            self._trouble(OutputTrouble(self._clock.now_ns(), stuck, False))

    def _release(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self._check is not None:
            self._check.close()
        super()._release()


class DigitalInput:
    """Port `Loop` on one line, not supervised: open or closed, after debounce."""

    def __init__(self, name: str, lines: InputLines, clock: Clock, *, closed_high: bool, debounce_s: float) -> None:
        self._name = name
        self._closed_high = closed_high
        self._handler: Callable[[LoopChange], None] | None = None
        self._line = DebouncedLine(lines, clock, debounce_s, self._settled)

    @classmethod
    async def open(
        cls,
        name: str,
        gpio: Gpio,
        offset: int,
        clock: Clock,
        *,
        closed_high: bool = False,
        pull: Pull = Pull.UP,
        debounce_s: float = 0.010,
    ) -> DigitalInput:
        """Request the line; `closed_high` is its level when the circuit is closed. Raises LineInUse, BusError."""
        lines = await gpio.inputs(name, [offset], pull=pull)
        return cls(name, lines, clock, closed_high=closed_high, debounce_s=debounce_s)

    @property
    def name(self) -> str:
        return self._name

    @property
    def supervised(self) -> bool:
        return False

    def state(self) -> LoopState:
        return self._circuit(self._line.level)

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        self._handler = handler

    def close(self) -> None:
        """Give the line back."""
        self._handler = None
        self._line.close()

    def _circuit(self, level: bool) -> LoopState:
        return LoopState.CLOSED if level == self._closed_high else LoopState.OPEN

    def _settled(self, t_ns: int, level: bool) -> None:
        if self._handler is not None:
            self._handler(LoopChange(t_ns, self._circuit(level)))
