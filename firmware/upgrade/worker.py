"""One thread for the work of upgrades that may take minutes: neither the loop nor the writer of the stores waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from firmware.core.errors import Unavailable
from hal.clock import Clock

T = TypeVar("T")


class Worker:
    """Jobs in order, one at a time; virtual time stands still while one runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Be ready; starting twice is harmless."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="upgrade")

    def close(self) -> None:
        """Take no more jobs; a running one ends by itself, or with the process: the record knows how to go on."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def run(self, job: Callable[[], T]) -> T:
        """Do it and return what it returns. Raises what it raises, Unavailable when closed."""
        if self._pool is None:
            raise Unavailable("upgrade", "the upgrade service is not running")
        outside = self._clock.outside()
        outside.__enter__()
        future = asyncio.get_running_loop().run_in_executor(self._pool, job)
        future.add_done_callback(lambda _: outside.__exit__(None, None, None))
        return await asyncio.shield(future)
