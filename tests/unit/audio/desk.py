"""A mixer on the real speaker driver and a card in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware.audio import Mixer
from hal.drivers.audio_out import AudioOut
from hal.drivers.sound import Gain
from hal.errors import BusError
from hal.sim.time import VirtualClock, virtual_run
from hal.wires import PcmMixer
from tests.unit.audio.card import Card

RATE_HZ = 48_000
Floats = npt.NDArray[np.float32]


class Desk:
    """What a test of the mixer touches."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.mixer = Mixer("speaker1")
        self.card = Card(clock)
        self.speaker = self._speaker(self.card)
        self._running: asyncio.Task[None] | None = None

    @staticmethod
    def _speaker(card: Card, volume: PcmMixer | None = None) -> AudioOut:
        gain = Gain("speaker1", RATE_HZ, (-40.0, 12.0), 0.0, volume)
        return AudioOut("speaker1", card, rate_hz=RATE_HZ, channels=1, gain=gain)

    def plug(self, volume: PcmMixer | None = None) -> None:
        """A new card, perhaps with a volume of its own, on which the mixer runs."""
        self.card = Card(self.clock)
        self.speaker = self._speaker(self.card, volume)
        self.run()

    def run(self) -> None:
        """Let the mixer play on the card."""
        self._running = self.begin(self.mixer.run(self.speaker))

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let somebody do something meanwhile; the test waits for it."""
        return self.clock.loop.create_task(work)

    async def ends(self) -> None:
        """Stop the mixer, or see that its card has gone."""
        assert self._running is not None
        self._running.cancel()
        try:
            await self._running
        except (asyncio.CancelledError, BusError):
            self._running = None
        await self.speaker.close()


def at_the_desk(test: Callable[[Desk], Awaitable[None]]) -> None:
    """Run a test in virtual time, with the mixer running."""

    async def main(clock: VirtualClock) -> None:
        desk = Desk(clock)
        desk.run()
        await clock.sleep(0)
        try:
            await test(desk)
        finally:
            await desk.ends()

    virtual_run(main)


def steady(value: float, s: float) -> Floats:
    """A constant signal: its level is seen in every sample."""
    return np.full(round(s * RATE_HZ), value, np.float32)
