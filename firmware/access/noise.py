"""Frames a reader threw away: every one is counted, the first is told at once, a storm once a second."""

from __future__ import annotations

from collections.abc import Callable

from firmware.core.context import Core
from firmware.core.vocabulary.access import ReaderNoise
from hal.clock import Timer
from hal.types import ReaderFault

NOISE_EVERY_S = 1.0


class Noise:
    """The discarded frames of one reader; `told` is called when their number is to be published."""

    def __init__(self, core: Core, reader: str, told: Callable[[], None]) -> None:
        self._core = core
        self._reader = reader
        self._told = told
        self._quiet: Timer | None = None
        self._last: ReaderFault | None = None
        self.discarded = 0

    def heard(self, fault: ReaderFault) -> None:
        """The driver threw a frame away."""
        self._last = fault
        self.lost()

    def lost(self) -> None:
        """Something whole was thrown away here."""
        self.discarded += 1
        self._tell_later()

    def close(self) -> None:
        """Tell nothing more."""
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None

    def _tell_later(self) -> None:
        if self._quiet is None:
            self._tell()
            self._quiet = self._core.clock.call_later(NOISE_EVERY_S, self._second_over, self.discarded)

    def _second_over(self, told: int) -> None:
        self._quiet = None
        if self.discarded > told:
            self._tell_later()

    def _tell(self) -> None:
        fault, self._last = self._last, None
        if fault is not None:
            self._core.bus.publish(ReaderNoise(reader=self._reader, trouble=fault.trouble.value, bits=fault.bits))
        self._told()
