"""Connections that say nothing, drip a header or drip a body: `python -m tests.live.slow_clients PORT`.

A process of its own, so that whoever is measured beside it does not share an interpreter with it. Says `ready` when
all have been opened once; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

COUNT = 500
BEGIN = (b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-", b"POST /api/v1/session HTTP/1.1\r\nContent-Length: 500\r\n")
DRIP_S = 2.0
AGAIN_S = 3.0


class Slow:
    """All of them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._opened = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(COUNT):
                group.create_task(self._hold(number))

    async def _hold(self, number: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self._once(number)
            await asyncio.sleep(AGAIN_S)

    async def _once(self, number: int) -> None:
        source = (f"127.6.{number // 25}.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=source)
        self._opened += 1
        if self._opened == COUNT:
            print("ready", flush=True)
        try:
            writer.write(BEGIN[number % 3])
            while not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRIP_S):
                        await reader.read(100)
                writer.write(b"a")
        finally:
            writer.transport.abort()


async def main(port: int) -> None:
    """Hold them until whoever started this goes away."""
    slow = asyncio.ensure_future(Slow(port).run())
    await asyncio.to_thread(sys.stdin.read)
    slow.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
