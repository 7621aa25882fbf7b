"""A sound card in virtual time.

What plays has a buffer of its own, plays a period every 10 ms and remembers what came out; what records hands over
what a test says.
"""

from __future__ import annotations

import asyncio

import numpy as np
import numpy.typing as npt

from hal.clock import Timer
from hal.errors import BusError
from hal.sim.time import VirtualClock
from hal.sounds import PcmBlock
from hal.wires import LostHandler, PcmHandler

PERIOD = 480
PERIOD_S = 0.010
PERIOD_NS = 10_000_000
# As `hal.buses.alsa`: four periods in the card and two before it.
DEPTH = 6


class Card:
    """Wire `PcmOut`. `out` holds what has left the card, `out_s` when its first sample did."""

    period_frames = PERIOD

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._queue: list[bytes] = []
        self._moved = asyncio.Event()
        self._playing = False
        self._out: list[bytes] = []
        self.out_s: float | None = None
        self.underruns = 0
        self.gone = ""
        self._timer: Timer | None = None

    async def write(self, samples: bytes) -> None:
        while len(self._queue) >= DEPTH and not self.gone:
            self._moved.clear()
            await self._moved.wait()
        if self.gone:
            raise BusError("card", self.gone)
        self._queue.append(samples)
        if not self._playing:
            self._playing = True
            self._timer = self._clock.call_later(PERIOD_S, self._tick)

    async def drain(self) -> None:
        while self._queue and not self.gone:
            self._moved.clear()
            await self._moved.wait()
        if self.gone:
            raise BusError("card", self.gone)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def unplug(self) -> None:
        """The card goes, in the middle of whatever it does."""
        self.gone = "the card is gone"
        self._moved.set()

    def _tick(self) -> None:
        if not self._queue:
            self._playing = False
            return
        if self.out_s is None:
            self.out_s = self._clock.now_ns() / 1e9 - PERIOD_S
        self._out.append(self._queue.pop(0))
        self._moved.set()
        self._timer = self._clock.call_later(PERIOD_S, self._tick)

    @property
    def out(self) -> npt.NDArray[np.float64]:
        """Everything that has left the card, full scale 1."""
        return np.frombuffer(b"".join(self._out), "<i2") / 32768


class Membrane:
    """Wire `PcmIn`."""

    period_frames = PERIOD

    def __init__(self, channels: int = 1) -> None:
        self._channels = channels
        self._handler: PcmHandler | None = None
        self._lost: LostHandler | None = None
        self._t_ns = 0

    def receive(self, handler: PcmHandler | None) -> None:
        self._handler = handler

    def on_lost(self, handler: LostHandler | None) -> None:
        self._lost = handler

    async def close(self) -> None:
        self._handler = None

    def hear(self, *values: int, lost: int = 0) -> None:
        """A block of this value in each frame, one value a channel."""
        self._t_ns += PERIOD_NS * (1 + lost)
        samples = np.tile(np.array(values, "<i2"), PERIOD).tobytes()
        if self._handler is not None:
            self._handler(PcmBlock(self._t_ns, samples, lost))

    def unplug(self) -> None:
        """The card goes."""
        assert self._lost is not None
        self._lost(BusError("card", "the card is gone"))
