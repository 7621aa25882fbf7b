"""Service `heart`: tells the supervisor's watchdog that decisions are made, and nothing else feeds it.

A beat is answered by whoever decides on cards: at every reader, after the decision that is being made, or at once
where nothing waits. However many cards wait for a disk that stalls, each of them counts as life. A loop that is
blocked, a desk that hangs, a process that is stopped: no beat comes back, and the supervisor ends the process, whose
lines go to their safe state. Source: sd_notify(3), WATCHDOG=1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from firmware.notify import feed_watchdog
from hal.clock import Clock

# Beats in the time that the supervisor allows: three may be late.
BEATS = 4


class HeartService:
    """Beats four times in `every_s`, the supervisor's patience in seconds."""

    name: ClassVar[str] = "heart"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, clock: Clock, every_s: float, beat: Callable[[], Awaitable[None]]) -> None:
        """`beat` returns when decisions are being made, or none is due."""
        self._clock = clock
        self._pause_s = every_s / BEATS
        self._beat = beat

    async def start(self) -> None:
        """The first beat comes with the work."""

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await self._beat()
            feed_watchdog()
            await self._clock.sleep(self._pause_s)

    async def stop(self) -> None:
        """A process that ends in order is not watched any more."""
