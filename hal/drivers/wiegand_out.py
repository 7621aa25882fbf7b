"""Two data lines to somebody's controller: frames in order, silence between them, broken ones sent again.

The wire below measures every pulse and breaks a frame off that went out of bounds; here is decided what follows.
Source: SIA AC-01-1996.10; manual 001, Reader, Wiegand.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hal.clock import Clock
from hal.errors import BusError, DeviceError
from hal.pulse import LONGEST_INTERVAL_NS, check_frame, check_timing
from hal.types import PulseTrain, SentFrame, WiegandOutStatus, WiegandTiming
from hal.wires import PulseOut

# On a busy machine without real-time priority 4 frames in 10 break: ten tries leave 1 in 10,000.
TRIES = 10
# Nobody presses keys that fast: something is wrong above when so many frames wait.
MOST_WAITING = 64


class WiegandOutput:
    """Port `WiegandOut`. Frames go out one after the other, in the order in which they were asked for."""

    def __init__(self, name: str, pulses: PulseOut, clock: Clock) -> None:
        self._name = name
        self._pulses = pulses
        self._clock = clock
        self._timing = WiegandTiming()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._free_ns = clock.now_ns()
        self._counts = WiegandOutStatus(realtime=False)

    @property
    def name(self) -> str:
        return self._name

    @property
    def timing(self) -> WiegandTiming:
        return self._timing

    def set_timing(self, timing: WiegandTiming) -> None:
        """Raises OutOfRange with the value and its valid range; then the timing stays as it was."""
        check_timing(self._name, timing)
        self._timing = timing

    @property
    def status(self) -> WiegandOutStatus:
        return replace(self._counts, realtime=self._pulses.realtime, reason=self._pulses.reason)

    async def run(self) -> None:
        """Keep the wire's sender alive; ends only by cancellation."""
        await self._pulses.run()

    async def send(self, bits: str) -> SentFrame:
        """Send a frame; a broken one again, `TRIES` times at most. Raises OutOfRange, DeviceError."""
        check_frame(self._name, bits)
        if self._waiting >= MOST_WAITING:
            raise DeviceError(self._name, f"{MOST_WAITING} frames wait already; this one is not sent")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._send(bits)
        finally:
            self._waiting -= 1

    async def _send(self, bits: str) -> SentFrame:
        timing, train = self._timing, None
        for attempt in range(1, TRIES + 1):
            train = await self._try(bits, timing)
            if not train.broken:
                self._counts = replace(self._counts, frames=self._counts.frames + 1)
                return SentFrame(
                    t_ns=train.t_ns,
                    bits=bits,
                    pulses_ns=train.pulses_ns,
                    intervals_ns=train.intervals_ns,
                    attempts=attempt,
                )
            self._counts = replace(self._counts, broken=self._counts.broken + 1)
        assert train is not None
        self._failed()
        raise DeviceError(self._name, f"a frame was broken off {TRIES} times, at last after {train.broken}")

    async def _try(self, bits: str, timing: WiegandTiming) -> PulseTrain:
        """One try, after the silence that ends the frame before it."""
        await self._clock.sleep(max(0, self._free_ns - self._clock.now_ns()) / 1e9)
        # Should this be cancelled or fail half-way, the frame may still be on the lines for as long as a frame can be.
        self._free_ns = self._clock.now_ns() + len(bits) * LONGEST_INTERVAL_NS + timing.frame_gap_us * 1000
        try:
            train = await self._pulses.send(bits, timing)
        except BusError as error:
            # Sending again might deliver it twice: a PIN with a digit too many.
            self._failed()
            raise DeviceError(self._name, f"a frame may not have been sent: {error}") from error
        self._free_ns = max(train.ends_ns, self._clock.now_ns()) + timing.frame_gap_us * 1000
        return train

    def _failed(self) -> None:
        self._counts = replace(self._counts, failed=self._counts.failed + 1)

    def close(self) -> None:
        """Bring the lines to rest and give them back; closing twice is harmless."""
        self._pulses.close()
