"""Listens to a device through the event stream of the library that a home automation uses, until its input ends.

home_events.py HOST PORT NAME PASSWORD   ->  {"signals": ["playing"], "entities": [["Port", "0", "0"], ...]}
                                             then a line for each change: ["Port", "2", "1"]
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx
from axis import rtsp  # type: ignore[import-not-found]
from axis.device import AxisDevice  # type: ignore[import-not-found]
from axis.models.configuration import Configuration  # type: ignore[import-not-found]
from axis.models.event import EventOperation  # type: ignore[import-not-found]


async def main(host: str, port: str, name: str, password: str) -> None:
    """Listen."""
    rtsp.RTSP_PORT = int(port)  # the library knows 554 alone
    signals: list[str] = []
    entities: list[list[str]] = []
    quiet = asyncio.Event()

    def told(event: Any) -> None:
        words = [event.topic_base.split("/")[-1], event.id, event.state]
        if event.operation is EventOperation.INITIALIZED:
            entities.append(words)
            quiet.set()
        elif quiet.is_set():
            print(json.dumps(words), flush=True)

    async with httpx.AsyncClient(timeout=120) as session:
        device = AxisDevice(Configuration(session, host, username=name, password=password))
        device.event.subscribe(told)
        device.stream.connection_status_callback.append(lambda signal: signals.append(str(signal)))
        device.enable_events()
        device.stream.start()
        count = -1
        while len(entities) != count or not entities:  # all that come at once
            count = len(entities)
            quiet.clear()
            await asyncio.wait_for(quiet.wait(), 120) if not entities else await asyncio.sleep(0.5)
        quiet.set()
        print(json.dumps({"signals": signals, "entities": entities}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        device.stream.stop()
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
