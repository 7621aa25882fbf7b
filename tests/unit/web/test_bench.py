"""The bench as open pages watch it: one stream for all, over a real socket, and each page for itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from firmware.interfaces.web.bench import Bench
from hal.clock import Clock, SystemClock

Changes = asyncio.Queue[tuple[str, bool]]


@asynccontextmanager
async def watched(path: Path, clock: Clock) -> AsyncIterator[tuple[Bench, Changes, list[bytes]]]:
    """A board process that tells what is put into the queue, the bench that follows it, and what that one asked."""
    changes: Changes = asyncio.Queue()
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        try:
            while True:
                name, value = await changes.get()
                writer.write(json.dumps({"answer": {"name": name, "value": value}}).encode() + b"\n")
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    bench = Bench(path, clock)
    following = asyncio.ensure_future(bench.run())
    try:
        yield bench, changes, asked
    finally:
        following.cancel()
        await asyncio.wait((following,))
        server.close()


async def until(clock: Clock, check: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not check():
            await clock.sleep(0.005)


def test_a_page_that_cannot_show_a_change_does_not_end_what_the_others_see(tmp_path: Path) -> None:
    seen: list[tuple[str, bool | str]] = []

    def broken(name: str, value: bool | str) -> None:
        raise KeyError(f"this page knows no {name}")

    clock = SystemClock()

    async def body() -> None:
        async with watched(tmp_path / "bench", clock) as (bench, changes, asked):
            bench.watch(broken)
            bench.watch(lambda name, value: seen.append((name, value)))
            changes.put_nowait(("relay:door", True))
            await until(clock, lambda: seen)
            changes.put_nowait(("relay:door", False))
            await until(clock, lambda: len(seen) == 2)
            assert asked == [b'["watch"]\n'], "one stream, which went on"

    asyncio.run(body())
    assert seen == [("relay:door", True), ("relay:door", False)]
