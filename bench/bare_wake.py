"""What it costs to wake up so many times a second and do nothing: an asyncio loop with one timer.

A floor for `fan_out.py`: every role of a device waits in such a loop.

    python -m bench.bare_wake FPS
"""

from __future__ import annotations

import asyncio
import sys


async def wake(fps: int) -> None:
    """Wake up at an even rate until cancelled."""
    loop = asyncio.get_running_loop()
    due_s = loop.time()

    def again() -> None:
        nonlocal due_s
        due_s += 1 / fps
        loop.call_at(due_s, again)

    again()
    print("ready", flush=True)
    await loop.create_future()


if __name__ == "__main__":
    asyncio.run(wake(int(sys.argv[1])))
