"""Both ends of a WebSocket in memory, for virtual time: what one end writes the other reads at once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from wsproto import ConnectionType

from firmware.interfaces.cloud.contract import ANSWER_BYTES, MESSAGE_BYTES, SUBPROTOCOL
from firmware.interfaces.cloud.socket import WebSocket


class Wire:
    """A stream writer whose bytes arrive at a reader; `jam` lets nothing drain, `cut` ends the wire."""

    def __init__(self, far: asyncio.StreamReader) -> None:
        self._far = far
        self.is_open = True
        self.jam: asyncio.Event | None = None
        self.transport = self

    def write(self, data: bytes) -> None:
        if self.is_open:
            self._far.feed_data(data)

    async def drain(self) -> None:
        if self.jam is not None:
            await self.jam.wait()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._far.feed_eof()

    abort = close


class Ends:
    """A device's end that is open, and the dispatcher's."""

    def __init__(self) -> None:
        here, there = asyncio.StreamReader(), asyncio.StreamReader()
        self.out, self.back = Wire(there), Wire(here)
        self.device = WebSocket(here, cast(Any, self.out), ConnectionType.CLIENT, MESSAGE_BYTES)
        self.dispatcher = WebSocket(there, cast(Any, self.back), ConnectionType.SERVER, ANSWER_BYTES)

    async def open(self) -> Ends:
        async def answer() -> None:
            await self.dispatcher.asked()
            await self.dispatcher.accept(SUBPROTOCOL)

        async with asyncio.TaskGroup() as group:
            group.create_task(answer())
            await self.device.open("cloud.example", "/device", [("authorization", "Bearer key")], SUBPROTOCOL)
        return self
