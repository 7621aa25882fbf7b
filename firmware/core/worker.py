"""One thread for work that may take minutes (an upgrade, a clip): the loop and the stores never wait for it."""

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

    def __init__(self, clock: Clock, name: str) -> None:
        """`name` is whose work it is."""
        self._clock = clock
        self._name = name
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Be ready; starting twice is harmless."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)

    def close(self, *, finish: bool = False) -> None:
        """Take no more jobs. With `finish` those that wait are done, else forgotten; nobody waits for either.

        A running one ends by itself, or with the process: its owner knows how to go on.
        """
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=not finish)
            self._pool = None

    async def run(self, job: Callable[[], T]) -> T:
        """Do it and return what it returns. Raises what it raises, Unavailable when closed."""
        return await asyncio.shield(self._submit(job))

    def post(self, job: Callable[[], None]) -> None:
        """Do it some time, after the jobs before; it may not raise. Raises Unavailable when closed."""
        self._submit(job)

    def _submit(self, job: Callable[[], T]) -> asyncio.Future[T]:
        if self._pool is None:
            raise Unavailable(self._name, f"the {self._name} service is not running")
        outside = self._clock.outside()
        outside.__enter__()
        future = asyncio.get_running_loop().run_in_executor(self._pool, job)
        future.add_done_callback(lambda _: outside.__exit__(None, None, None))
        return future
