"""The only reader of clocks: monotonic time for durations, UTC for calendars, and sleeping.

`SystemClock` is real time. The virtual clock of tests (`hal.sim.time`) jumps instead of sleeping;
`outside()` tells it when something runs that it cannot see (a thread, a child, a foreign socket).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import Protocol

# A wall clock that shows an earlier date than this build has not been set (no battery, no NTP yet).
BUILT = datetime(2026, 1, 1, tzinfo=UTC)


class Timer(Protocol):
    """Something that will happen, unless cancelled."""

    def cancel(self) -> None:
        """Make it not happen; harmless when it already did."""


class Clock(Protocol):
    """Time as every room but this one sees it."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds; never jumps, comparable with the kernel's edge times."""

    def utc(self) -> datetime:
        """Wall time, aware, UTC; may jump either way."""

    def trusted(self) -> bool:
        """Whether `utc` may be used for a decision (hardening row 16)."""

    async def sleep(self, s: float) -> None:
        """Suspend the caller for `s` seconds; 0 lets others run once."""

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        """Call `fn` on the loop after `delay_s` seconds."""

    def call_at(self, t_ns: int, fn: Callable[..., None], *args: object) -> Timer:
        """Call `fn` on the loop at monotonic `t_ns` (at once when that has passed)."""

    def outside(self) -> AbstractContextManager[None]:
        """Hold virtual time still while work runs that the loop cannot see."""


def always_plausible() -> bool:
    """Default trust: any date this firmware could really run at."""
    return True


@asynccontextmanager
async def within(s: float) -> AsyncIterator[asyncio.Timeout]:
    """Give what is in the block `s` seconds, also where the caller is being cancelled. Raises TimeoutError.

    For whoever ends in order: from `asyncio.timeout` such a caller gets a CancelledError instead, before Python 3.11.3
    (CPython's issue 102780; Debian 12 has 3.11.2).
    """
    task, limit = asyncio.current_task(), asyncio.timeout(s)
    assert task is not None
    cancelled = task.cancelling()
    try:
        async with limit:
            yield limit
    except asyncio.CancelledError as error:
        if not limit.expired() or task.cancelling() > cancelled:
            raise
        raise TimeoutError from error


def block_until(t_ns: int) -> None:
    """Suspend the whole process until monotonic `t_ns`: for a process without a loop, never on one."""
    left_ns = t_ns - time.monotonic_ns()
    if left_ns > 0:
        time.sleep(left_ns / 1e9)


class SystemClock:
    """Real time of this machine, on the running asyncio loop.

    `trust` is asked after the date was found plausible; a board passes a check of its time source.
    """

    def __init__(self, trust: Callable[[], bool] = always_plausible) -> None:
        self._trust = trust

    # Not by a method of ours: it is asked several times for every frame.
    now_ns = staticmethod(time.monotonic_ns)

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def trusted(self) -> bool:
        return self.utc() >= BUILT and self._trust()

    async def sleep(self, s: float) -> None:
        await asyncio.sleep(s)

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, delay_s), fn, *args)

    def call_at(self, t_ns: int, fn: Callable[..., None], *args: object) -> Timer:
        return self.call_later((t_ns - self.now_ns()) / 1e9, fn, *args)

    def outside(self) -> AbstractContextManager[None]:
        return nullcontext()
