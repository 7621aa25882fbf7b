"""A WebSocket (RFC 6455) over a pair of asyncio streams, bounded in size and time, for either end; by wsproto.

One text is one message; its bytes are counted while it comes, so that no far end can fill the memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from hal.clock import within

PIECE = 16 * 1024
# A far end that takes nothing for this long is gone.
STALLED_S = 20.0
CLOSING_S = 2.0
TOO_BIG = 1009
POLICY = 1008
NORMAL = 1000


class Broken(Exception):
    """The connection cannot go on; says why in words. `status` is that of an HTTP refusal, 0 for anything else."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class WebSocket:
    """One end. `receive` and `send` may be called by two tasks at once; `heard` counts pieces that came."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: ConnectionType, longest: int
    ) -> None:
        """`longest` is the most characters of one message that is received."""
        self._reader = reader
        self._writer = writer
        self._protocol = WSConnection(kind)
        self._longest = longest
        self._texts: deque[str] = deque()
        self._parts: list[str] = []
        self._size = 0
        self._ended = False
        self._writing = asyncio.Lock()
        self.heard = 0

    async def open(self, host: str, target: str, headers: Sequence[tuple[str, str]], subprotocol: str) -> None:
        """Client: ask for the connection. Raises Broken when the server does not agree."""
        extra = [(name.encode(), value.encode()) for name, value in headers]
        await self._write(Request(host=host, target=target, extra_headers=extra, subprotocols=[subprotocol]))
        event = await self._first()
        if isinstance(event, RejectConnection):
            raise Broken(f"it refuses with status {event.status_code}", event.status_code)
        if not isinstance(event, AcceptConnection):
            raise Broken("it does not speak WebSocket")
        if event.subprotocol != subprotocol:
            raise Broken(f"it does not speak {subprotocol}")

    async def asked(self) -> Request:
        """Server: the client's request; answer with `accept` or `reject`. Raises Broken."""
        event = await self._first()
        if not isinstance(event, Request):
            raise Broken("it does not ask for a WebSocket")
        return event

    async def accept(self, subprotocol: str) -> None:
        """Server: agree. Raises Broken."""
        await self._write(AcceptConnection(subprotocol=subprotocol))

    async def reject(self, status: int) -> None:
        """Server: refuse. Raises Broken."""
        await self._write(RejectConnection(status_code=status, headers=[(b"content-length", b"0")]))

    async def _first(self) -> Event:
        while True:
            data = await self._read()
            try:
                self._protocol.receive_data(data or None)
                event = next(iter(self._protocol.events()), None)
            except RemoteProtocolError as error:
                raise Broken(f"it does not speak WebSocket ({error})") from error
            if event is not None:
                return event
            if not data:
                raise Broken("it hung up before the connection stood")

    async def receive(self) -> str | None:
        """The next message, None when the far end closed. Raises Broken."""
        try:
            await self._take()  # what came together with the answer to `open`
            while not self._texts:
                if self._ended:
                    return None
                self._protocol.receive_data(await self._read() or None)
                self.heard += 1
                await self._take()
        except RemoteProtocolError as error:
            raise Broken(f"it breaks the WebSocket protocol ({error})") from error
        return self._texts.popleft()

    async def _take(self) -> None:
        for event in self._protocol.events():
            await self._happened(event)

    async def _happened(self, event: Event) -> None:
        match event:
            case TextMessage():
                self._size += len(event.data)
                if self._size > self._longest:
                    await self.close(TOO_BIG, "message too big")
                    raise Broken(f"it sent a message of more than {self._longest} characters")
                self._parts.append(event.data)
                if event.message_finished:
                    self._texts.append("".join(self._parts))
                    self._parts.clear()
                    self._size = 0
            case BytesMessage():
                raise Broken("it sent bytes, not text")
            case Ping():
                await self._write(event.response())
            case CloseConnection():
                self._ended = True
                if self._protocol.state is ConnectionState.REMOTE_CLOSING:
                    await self._write(event.response())

    async def send(self, text: str) -> None:
        """Send one message. Raises Broken."""
        await self._write(TextMessage(data=text))

    async def ping(self) -> None:
        """Make the far end say something. Raises Broken."""
        await self._write(Ping())

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye, if that is still possible, and hang up."""
        try:
            async with within(CLOSING_S):
                await self._write(CloseConnection(code=code, reason=reason))
        except (Broken, TimeoutError):
            pass  # the far end is gone already, which is what was wanted
        self._ended = True
        self._writer.close()

    def hang_up(self) -> None:
        """End the connection at once."""
        self._ended = True
        self._writer.transport.abort()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(PIECE)
        except OSError as error:
            raise Broken(f"the connection broke ({error.strerror or error})") from error

    async def _write(self, event: Event) -> None:
        async with self._writing:
            try:
                async with within(STALLED_S):
                    self._writer.write(self._protocol.send(event))
                    await self._writer.drain()
            except TimeoutError:
                raise Broken(f"it has read nothing for {STALLED_S:g} s") from None
            except (OSError, LocalProtocolError, RuntimeError) as error:
                raise Broken("the connection broke") from error
