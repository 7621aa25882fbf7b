"""The IR-cut filter: a coil on a bridge that is pulsed one way or the other, or a line that holds it away.

Whatever happens, the coil of a bridge carries current only for its pulse, and both sides are never on together; a
filter on one line goes back before the sensor when the line is let go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hal.clock import Clock, Timer
from hal.drivers.digital import DigitalOutput
from hal.errors import BusError
from hal.wires import Gpio, OutputLines

log = logging.getLogger("hal.drivers")

# A coil that has just been pulsed may cool, and a filter that is still moving is not turned round.
REST_S = 0.5
RETRY_S = 1.0

TroubleHandler = Callable[[BusError], None]


class HeldFilter:
    """Port `CutFilter` on one line that is on while the filter is out of the way."""

    def __init__(self, output: DigitalOutput) -> None:
        self._output = output
        self._before: bool | None = None

    @property
    def name(self) -> str:
        return self._output.name

    def move(self, before: bool) -> None:
        if before:
            self._output.off()
        else:
            self._output.on()
        self._before = before

    def is_before(self) -> bool | None:
        return self._before

    def on_trouble(self, handler: TroubleHandler | None) -> None:
        """A line that is held has no trouble later."""

    def close(self) -> None:
        """Let the line go: the filter is before the sensor."""
        self._output.close()


class PulsedFilter:
    """Port `CutFilter` on the two lines of a bridge."""

    def __init__(self, name: str, lines: OutputLines, clock: Clock, *, active_high: bool, pulse_s: float) -> None:
        self._name = name
        self._lines = lines
        self._clock = clock
        self._active_high = active_high
        self._pulse_s = pulse_s
        self._before: bool | None = None
        self._wish: bool | None = None
        self._timer: Timer | None = None
        self._trouble: TroubleHandler | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, name: str, gpio: Gpio, before: int, away: int, clock: Clock, *, active_high: bool = True, pulse_s: float
    ) -> PulsedFilter:
        """Request both lines at rest; the filter stays where it is. Raises LineInUse, BusError."""
        lines = await gpio.outputs(name, [before, away], initial=[not active_high] * 2)
        return cls(name, lines, clock, active_high=active_high, pulse_s=pulse_s)

    @property
    def name(self) -> str:
        return self._name

    def move(self, before: bool) -> None:
        """Pulse it there, or as soon as the pulse before is over and rested. Raises BusError."""
        if self._closed:
            raise BusError(self._name, "moved after it was closed")
        self._wish = before
        if self._timer is None:
            self._pulse()

    def is_before(self) -> bool | None:
        return self._before if self._wish is None else self._wish

    def on_trouble(self, handler: TroubleHandler | None) -> None:
        self._trouble = handler

    def close(self) -> None:
        """End a pulse that is under way, then give the lines back; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._drive(False, False)
        except BusError as error:
            log.error("%s: its coil could not be switched off when closing: %s", self._name, error)
        finally:
            self._lines.close()

    def _drive(self, before: bool, away: bool) -> None:
        self._lines.set(before == self._active_high, away == self._active_high)

    def _pulse(self) -> None:
        wish = self._wish
        if wish is None:
            return
        try:
            self._drive(wish, not wish)
        except BusError:
            # Nobody knows whether the coil is on now: it is switched off until that has worked.
            self._timer = self._clock.call_later(self._pulse_s, self._end)
            self._before = None
            raise
        self._before, self._wish = wish, None
        self._timer = self._clock.call_later(self._pulse_s, self._end)

    def _end(self) -> None:
        self._timer = None
        try:
            self._drive(False, False)
        except BusError as error:
            self._timer = self._clock.call_later(RETRY_S, self._end)
            self._tell(BusError(self._name, f"its coil cannot be switched off: {error.message}"))
            return
        self._timer = self._clock.call_later(REST_S, self._rested)

    def _rested(self) -> None:
        self._timer = None
        try:
            self._pulse()
        except BusError as error:
            self._tell(error)

    def _tell(self, error: BusError) -> None:
        log.error("%s", error)
        if self._trouble is not None:
            self._trouble(error)
