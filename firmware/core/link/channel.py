"""How bytes get from one role to another: a Unix stream, or memory inside one process.

All carry the same frames. Sending waits while the far end does not read: whoever may not wait queues.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1 << 16
_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid


class Channel(Protocol):
    """A connected pair's one end."""

    async def send(self, data: bytes) -> None:
        """Pass bytes on; waits while the far end is slow. Raises ConnectionError when it is gone."""

    async def receive(self) -> bytes:
        """Some bytes; empty when the far end is gone."""

    async def hand_on(self, take: Callable[[bytes], None]) -> None:
        """Call `take` with what comes until the far end is gone. Raises what `take` raises."""

    def close(self) -> None:
        """End the connection, for both ends; closing twice is harmless."""


Connect = Callable[[], Awaitable[Channel]]


class StreamChannel:
    """A connected Unix stream, read when somebody asks for bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=CHUNK_BYTES)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        try:
            return await self._reader.read(CHUNK_BYTES)
        except ConnectionError:
            return b""

    async def hand_on(self, take: Callable[[bytes], None]) -> None:
        while data := await self.receive():
            take(data)

    def close(self) -> None:
        # What the far end does not take now it will never take: closing gently would wait for it.
        self._writer.transport.abort()

    def peer_uid(self) -> int:
        """The user of the process at the far end, as the kernel knows it (SO_PEERCRED)."""
        raw = self._writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(raw)[1])


async def connect_unix(path: Path) -> Channel:
    """Connect to a hub's socket. Raises OSError."""
    return StreamChannel(*await asyncio.open_unix_connection(str(path), limit=CHUNK_BYTES))


class PushChannel(asyncio.Protocol):
    """A connected Unix stream that calls whoever wants its bytes as they come.

    Pictures come thirty times a second: no task is woken for them, and nothing is copied on the way. What nobody wants
    yet waits in the kernel.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._take: Callable[[bytes], None] | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=CHUNK_BYTES)
        transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if not self._ended.done():
            self._ended.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        assert self._take is not None
        try:
            self._take(data)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the end
            if not self._ended.done():
                self._ended.set_exception(error)
            self.close()

    async def send(self, data: bytes) -> None:
        assert self._transport is not None
        await self._writable.wait()
        if self._transport.is_closing():
            raise ConnectionResetError("the far end is gone")
        self._transport.write(data)

    async def receive(self) -> bytes:
        got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def once(data: bytes) -> None:
            assert self._transport is not None
            self._transport.pause_reading()
            got.set_result(data)

        self._want(once)
        await asyncio.wait((got, self._ended), return_when=asyncio.FIRST_COMPLETED)
        return got.result() if got.done() else b""

    async def hand_on(self, take: Callable[[bytes], None]) -> None:
        self._want(take)
        await self._ended

    def _want(self, take: Callable[[bytes], None]) -> None:
        assert self._transport is not None
        self._take = take
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def push_unix(path: Path) -> PushChannel:
    """Connect to a hub's socket, to be called with what comes. Raises OSError."""
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_unix_connection(PushChannel, str(path))
    return channel


class _Pipe:
    """One direction in memory, with room for `limit` bytes; one sender, one receiver."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._closed = False

    async def put(self, data: bytes) -> None:
        while len(self._data) >= self._limit and not self._closed:
            self._writable.clear()
            await self._writable.wait()
        if self._closed:
            raise ConnectionResetError("the far end is gone")
        self._data += data
        self._readable.set()

    async def take(self) -> bytes:
        while not self._data and not self._closed:
            self._readable.clear()
            await self._readable.wait()
        data = bytes(self._data[:CHUNK_BYTES])
        del self._data[:CHUNK_BYTES]
        self._writable.set()
        return data

    def close(self) -> None:
        self._closed = True
        self._readable.set()
        self._writable.set()


class MemoryChannel:
    """One end of a pair inside this process."""

    def __init__(self, inwards: _Pipe, outwards: _Pipe) -> None:
        self._inwards = inwards
        self._outwards = outwards

    async def send(self, data: bytes) -> None:
        await self._outwards.put(data)

    async def receive(self) -> bytes:
        return await self._inwards.take()

    async def hand_on(self, take: Callable[[bytes], None]) -> None:
        while data := await self.receive():
            take(data)

    def close(self) -> None:
        self._inwards.close()
        self._outwards.close()


def memory_pair(limit: int = CHUNK_BYTES) -> tuple[MemoryChannel, MemoryChannel]:
    """Two connected ends, each direction with room for `limit` bytes."""
    there, back = _Pipe(limit), _Pipe(limit)
    return MemoryChannel(there, back), MemoryChannel(back, there)
