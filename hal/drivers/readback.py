"""Does the contact follow the command? A second line that closes with the contact tells (hardening row 13).

The contact gets a settle time to move; then a contradiction is reported once, and its end once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from hal.clock import Clock, Timer
from hal.errors import BusError
from hal.ports import OutputTrouble
from hal.types import Edge, Pull
from hal.wires import Gpio, InputLines

log = logging.getLogger("hal.drivers")

SETTLE_S = 0.1  # a relay's contact moves within 20 ms; the rest is for a slow auxiliary contact
REREAD_S = 1.0


@dataclass(frozen=True, slots=True)
class Readback:
    """Where a contact can be read back, and the level at which it counts as on."""

    gpio: Gpio
    offset: int
    active_high: bool = True


class ContactCheck:
    """Compares a contact with what `commanded` says, after every command and every edge of the contact."""

    def __init__(
        self, name: str, lines: InputLines, active_high: bool, clock: Clock, commanded: Callable[[], bool]
    ) -> None:
        self._name = name
        self._lines = lines
        self._active_high = active_high
        self._clock = clock
        self._commanded = commanded
        self._handler: Callable[[OutputTrouble], None] | None = None
        self._told_stuck = False
        self._timer: Timer | None = None
        lines.watch(self._edge)
        self.command_changed()

    @classmethod
    async def open(cls, name: str, readback: Readback, clock: Clock, commanded: Callable[[], bool]) -> ContactCheck:
        """Request the readback line, pulled to the level that means off. Raises LineInUse, BusError."""
        pull = Pull.DOWN if readback.active_high else Pull.UP
        lines = await readback.gpio.inputs(f"{name}.readback", [readback.offset], pull=pull)
        return cls(name, lines, readback.active_high, clock, commanded)

    def watch(self, handler: Callable[[OutputTrouble], None] | None) -> None:
        """Report contradictions; one that already stands is reported to a new handler after the settle time."""
        self._handler = handler
        if handler is not None:
            self._told_stuck = False
            self.command_changed()

    def command_changed(self) -> None:
        """Give the contact its settle time from now, then look."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_later(SETTLE_S, self._look)

    def close(self) -> None:
        """Give the line back."""
        self._handler = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lines.watch(None)
        self._lines.close()

    def _edge(self, _edge: Edge) -> None:
        # Not restarted by further edges, or a chattering contact would never be looked at.
        if self._timer is None:
            self._timer = self._clock.call_later(SETTLE_S, self._look)

    def _look(self) -> None:
        self._timer = None
        commanded = self._commanded()
        try:
            contact = self._lines.levels()[0] == self._active_high
        except BusError as error:
            log.warning("%s: readback cannot be read: %s", self._name, error)
            self._timer = self._clock.call_later(REREAD_S, self._look)
            return
        stuck = contact != commanded
        if stuck != self._told_stuck and self._handler is not None:
            self._told_stuck = stuck
            self._handler(OutputTrouble(self._clock.now_ns(), stuck, commanded))
