"""A network trace whose adapter goes down while it runs.

Run as `python -m tests.live.unplugged FOLDER` on a stage (`tests.live.two_ends`); prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from firmware.core.errors import Unavailable
from firmware.interfaces.net.capture import recorded
from hal.clock import SystemClock
from tests.live.two_ends import ip


async def traced() -> None:
    """Record a link, and take it down once it is listened to."""
    ip("link", "add", "cable", "type", "veth", "peer", "name", "far")
    ip("link", "set", "cable", "up")
    tracing = asyncio.create_task(recorded("cable", 300, SystemClock()))
    while len(Path("/proc/self/net/packet").read_text().splitlines()) < 2:  # the head, and one that listens
        await asyncio.sleep(0.01)
    ip("link", "set", "cable", "down")
    try:
        await tracing
    except Unavailable as error:
        print(json.dumps({"where": error.where, "message": error.message}), flush=True)


if __name__ == "__main__":
    asyncio.run(traced())
