"""One remote system log: a bounded queue, and a connection that comes back by itself. Nobody ever waits for it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable

from firmware.core.errors import StationError
from firmware.core.tls import Tls
from firmware.core.vocabulary.logs import LogLine, Severity
from firmware.interfaces.logs.settings import Protocol, SyslogServer
from firmware.interfaces.logs.syslog import framed, message
from firmware.interfaces.outgoing.reach import Peer, Target, Unreachable, find
from hal.clock import Clock

QUEUE = 1000
CONNECT_S = 10.0
WRITE_S = 10.0
RETRY_S = 1.0
RETRY_MAX_S = 60.0
BUFFER_BYTES = 64 * 1024

Tell = Callable[[bool, str, int], None]


class Lost(Exception):
    """The server cannot be reached; says why in words."""


class Sender:
    """Sends lines to one server; `tell` hears whether they go out, why not, and how many were dropped."""

    def __init__(self, server: SyslogServer, host: str, clock: Clock, tls: Tls | None, tell: Tell) -> None:
        self.server = server
        self._host = host
        self._clock = clock
        self._tls = tls
        self._tell = tell
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._dropped = 0
        self._lowest = Severity[server.severity.name]

    def put(self, line: LogLine) -> None:
        """Send a line some time, when the server wants such; the oldest are dropped when too many wait."""
        if line.log not in self.server.logs or line.severity > self._lowest:
            return
        if len(self._queue) >= QUEUE:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append(self._packed(line))
        self._wake.set()

    def _packed(self, line: LogLine) -> bytes:
        server = self.server
        return framed(message(line, server.format, self._host), server.protocol, server.format)

    async def run(self) -> None:
        """Connect, send, connect again, until cancelled."""
        retry_s = RETRY_S
        while True:
            await self._wake.wait()
            try:
                channel = await self._connect()
                self._tell(True, "", self._dropped)
                retry_s = RETRY_S
                try:
                    await self._pump(channel)
                finally:
                    await channel.close()
            except Lost as error:
                self._tell(False, str(error), self._dropped)
                await self._clock.sleep(retry_s)
                retry_s = min(RETRY_MAX_S, retry_s * 2)

    async def test(self, line: LogLine) -> str:
        """Send one line over a connection of its own; empty when it went out, else why not."""
        try:
            channel = await self._connect()
            try:
                await channel.send(self._packed(line))
            finally:
                await channel.close()
        except Lost as error:
            return str(error)
        return ""

    async def _pump(self, channel: Datagrams | Stream) -> None:
        while True:
            while self._queue:
                await channel.send(self._queue[0])
                self._queue.popleft()
            self._wake.clear()
            await channel.wait(self._wake)

    async def _connect(self) -> Datagrams | Stream:
        server = self.server
        peer = Peer(what="log server", local=server.local, private=True)
        try:
            async with asyncio.timeout(CONNECT_S):
                target = await find(server.host, server.at, peer)
                if server.protocol is Protocol.UDP:
                    return Datagrams(target)
                return await Stream.to(target, self._context(), server.host)
        except TimeoutError:
            raise Lost(f"no answer within {CONNECT_S:g} s") from None
        except Unreachable as error:
            raise Lost(str(error)) from error
        except ssl.SSLCertVerificationError as error:
            raise Lost(f"its certificate is not trusted: {error.verify_message}") from error
        except OSError as error:
            raise Lost(error.strerror or str(error)) from error

    def _context(self) -> ssl.SSLContext | None:
        if self.server.protocol is not Protocol.TLS:
            return None
        if self._tls is None:
            raise Lost("there are no certificates")
        try:
            return self._tls.client(self.server.authority)
        except StationError as error:
            raise Lost(error.message) from error


class Datagrams:
    """The way of UDP: nobody says whether anything arrives."""

    def __init__(self, target: Target) -> None:
        family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((target.address, target.port))

    async def send(self, data: bytes) -> None:
        """One datagram. Raises Lost."""
        try:
            self._socket.send(data)
        except BlockingIOError:
            return  # the kernel has no room: a datagram may always be lost
        except OSError as error:
            raise Lost(error.strerror or str(error)) from error

    async def wait(self, wake: asyncio.Event) -> None:
        """Until there is more to send."""
        await wake.wait()

    async def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


class Stream:
    """The way of TCP and TLS; what the server sends is read and thrown away, to see when it closes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=BUFFER_BYTES)

    @classmethod
    async def to(cls, target: Target, context: ssl.SSLContext | None, name: str) -> Stream:
        """Connect; over TLS the certificate must be that of `name`. Raises OSError."""
        shown = name if context is not None else None
        return cls(*await asyncio.open_connection(target.address, target.port, ssl=context, server_hostname=shown))

    async def send(self, data: bytes) -> None:
        """Write, and wait while the server does not take it. Raises Lost."""
        try:
            self._writer.write(data)
            async with asyncio.timeout(WRITE_S):
                await self._writer.drain()
        except TimeoutError:
            raise Lost(f"it takes nothing for {WRITE_S:g} s") from None
        except OSError as error:
            raise Lost(error.strerror or str(error)) from error

    async def wait(self, wake: asyncio.Event) -> None:
        """Until there is more to send. Raises Lost when the server closes."""
        async with asyncio.TaskGroup() as group:
            more = group.create_task(wake.wait())
            ended = group.create_task(self._ended())
            await asyncio.wait((more, ended), return_when=asyncio.FIRST_COMPLETED)
            lost = ended.done()
            more.cancel()
            ended.cancel()
        if lost:
            raise Lost("it closed the connection")

    async def _ended(self) -> None:
        try:
            while await self._reader.read(4096):
                pass
        except OSError:
            return  # that, too, is an end

    async def close(self) -> None:
        """Close at once: nothing that matters is left to say."""
        self._writer.close()
        self._writer.transport.abort()
