"""Pulses on simulated lines: in virtual time move by move, in real time by the process that sends on hardware too.

The real process drives a log instead of a chip; what the log says is played into the world with the times that were
measured, broken frames and all. It cannot be used where time is virtual: there the same judge (`hal.pulse`)
accompanies moves made on the loop, and every width is exact.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Protocol

from hal.buses.pulse_child import PulseChild
from hal.buses.pulse_lines import LogReader, new_log
from hal.buses.pulse_process import Work
from hal.clock import Clock
from hal.pulse import PulseMeter, spoilers
from hal.sim.time import VirtualClock
from hal.types import PulseTrain, WiegandTiming
from hal.wires import OutputLines, PulseOut


class PlayedLines(OutputLines, Protocol):
    """Output lines of a simulated world, which take moves with their times."""

    def play(self, moves: Sequence[tuple[int, tuple[bool, ...]]]) -> None:
        """Make moves of a moment ago, each stamped with its own time. Raises BusError."""


async def open_pulses(owner: str, lines: PlayedLines, clock: Clock, *, active_high: bool) -> PulseOut:
    """Pulses on lines that rest already. Raises BusError, then the lines are given back."""
    if isinstance(clock, VirtualClock):
        return SteppedPulses(lines, clock, active_high=active_high)
    played = PlayedPulses(owner, lines, clock, active_high=active_high)
    try:
        await played.open()
    except BaseException:
        played.close()
        raise
    return played


class SteppedPulses:
    """Pulses in virtual time; implements PulseOut."""

    def __init__(self, lines: OutputLines, clock: Clock, *, active_high: bool) -> None:
        self._lines = lines
        self._clock = clock
        self._on, self._off = active_high, not active_high
        self._closed = False

    @property
    def realtime(self) -> bool:
        return True

    @property
    def reason(self) -> str:
        return ""

    async def send(self, bits: str, timing: WiegandTiming) -> PulseTrain:
        """Try once to send a frame. Raises BusError."""
        meter = PulseMeter(timing, self._clock.now_ns())
        try:
            for bit in bits:
                if not await self._pulse(meter, int(bit), timing):
                    break
            train = meter.train()
            for _ in range(spoilers(meter.sent, len(bits)) if meter.broken else 0):
                await self._pulse(meter, 0, timing)
        finally:
            if not self._closed:
                self._lines.set(self._off, self._off)
        return train

    async def _pulse(self, meter: PulseMeter, bit: int, timing: WiegandTiming) -> bool:
        await self._clock.sleep(max(0, meter.due_ns - self._clock.now_ns()) / 1e9)
        began_ns = self._clock.now_ns()
        if not meter.may_begin(began_ns):
            return False
        self._lines.set(self._on if bit == 0 else self._off, self._on if bit == 1 else self._off)
        await self._clock.sleep(timing.pulse_us / 1e6)
        self._lines.set(self._off, self._off)
        ended_ns = self._clock.now_ns()
        return meter.ended((began_ns, began_ns), (ended_ns, ended_ns))

    async def run(self) -> None:
        """There is nothing to keep alive."""
        await asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Bring both lines to rest, then give them back; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._lines.set(self._off, self._off)
            self._lines.close()


class PlayedPulses:
    """Pulses of the real process, played into the world after each try; implements PulseOut."""

    def __init__(self, owner: str, lines: PlayedLines, clock: Clock, *, active_high: bool) -> None:
        self._lines = lines
        self._on, self._off = active_high, not active_high
        self._fd = new_log()
        self._log = LogReader(self._fd)
        work = Work(socket=-1, parent=-1, owner=owner, log=self._fd)
        self._child = PulseChild(work, clock, rest=self._rest, keep=(self._fd,))
        self._closed = False

    @property
    def realtime(self) -> bool:
        return self._child.realtime

    @property
    def reason(self) -> str:
        return self._child.reason

    @property
    def pid(self) -> int | None:
        """The process that sends now."""
        return self._child.pid

    async def open(self) -> None:
        """Start the process."""
        await self._child.open()

    async def run(self) -> None:
        """Keep the process alive; ends only by cancellation."""
        await self._child.run()

    async def send(self, bits: str, timing: WiegandTiming) -> PulseTrain:
        """Try once to send a frame. Raises BusError; what went out until then is seen by the world as well."""
        try:
            return await self._child.send(bits, timing)
        finally:
            self._play()

    def _play(self) -> None:
        if self._closed:
            return
        on, off = self._on, self._off
        self._lines.play([(t_ns, (on if d0 else off, on if d1 else off)) for t_ns, d0, d1 in self._log.fresh()])

    async def _rest(self) -> None:
        self._play()
        self._lines.set(self._off, self._off)

    def close(self) -> None:
        """Have the process end, then give the lines back at rest; closing twice is harmless."""
        if self._closed:
            return
        self._child.close()
        try:
            self._play()
            self._lines.set(self._off, self._off)
            self._lines.close()
        finally:
            self._closed = True
            self._log.close()
            os.close(self._fd)
