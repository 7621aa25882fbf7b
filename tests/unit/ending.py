"""What is done at the end of a task that is cancelled, as a role's is by a signal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def while_ending(closing: Awaitable[None]) -> None:
    """Await it in a task that is being cancelled. Raises what it raises, but for a cancellation."""
    begun = asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await closing

    task = asyncio.ensure_future(work())
    await begun.wait()
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        await task
