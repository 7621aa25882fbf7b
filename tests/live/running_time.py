"""Time that passes only while this process runs: what it lasts to be stopped, or to wait for a processor, is left out.

Whoever is quick in a test stays quick by this clock, on a machine that takes its processors away for seconds too; a
deadline that is broken is broken all the same, only later.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hal.clock import SystemClock, Timer

TICK_S = 0.005
# A tick that comes later than this was held up.
LONGEST_TICK_NS = 10_000_000


class Due:
    """Something that will happen, unless cancelled."""

    def __init__(self, fn: Callable[[], None]) -> None:
        self.fn: Callable[[], None] | None = fn

    def cancel(self) -> None:
        """Make it not happen."""
        self.fn = None


class RunningClock(SystemClock):
    """`hal.clock.Clock` that ticks within `ticking`; exact to a tick, and never ahead of real time."""

    def __init__(self) -> None:
        super().__init__()
        self._now_ns = super().now_ns()
        self._order = itertools.count()
        self._due: list[tuple[int, int, Due]] = []

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep(self, s: float) -> None:
        over = asyncio.Event()
        timer = self.call_later(s, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        return self.call_at(self._now_ns + round(delay_s * 1e9), fn, *args)

    def call_at(self, t_ns: int, fn: Callable[..., None], *args: object) -> Timer:
        due = Due(lambda: fn(*args))
        heapq.heappush(self._due, (t_ns, next(self._order), due))
        return due

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[RunningClock]:
        """Let time pass, for the length of a block."""
        ticks = asyncio.ensure_future(self._tick())
        try:
            yield self
        finally:
            ticks.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticks

    async def _tick(self) -> None:
        seen_ns = super().now_ns()
        while True:
            await super().sleep(TICK_S)
            before_ns, seen_ns = seen_ns, super().now_ns()
            self._now_ns += min(seen_ns - before_ns, LONGEST_TICK_NS)
            while self._due and self._due[0][0] <= self._now_ns:
                fn = heapq.heappop(self._due)[2].fn
                if fn is not None:
                    fn()
