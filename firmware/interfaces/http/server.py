"""An HTTP server on the loop it is called in: binds, serves, stops within a bound. With TLS on a second address.

Uses uvicorn's protocols but not its server, which takes over signals, prints, and exits the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Callable
from enum import StrEnum
from typing import cast

from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application
from uvicorn.config import Config

from firmware.core.errors import Unavailable
from firmware.interfaces.http.limits import Deadlines, Limits
from firmware.interfaces.http.protocol import Shared, StrictHttp, StrictWebSocket
from firmware.interfaces.http.secure import Handshake
from hal.clock import Clock

BACKLOG = 256
POLL_S = 0.02
ABORT_S = 0.5
# How many times closing connections are looked at within the time that their clients have. One that takes nothing more
# is noticed up to one look late and ended up to one look late: after 30 s at most instead of 20, one seat of 256.
LOOKS = 4

log = logging.getLogger("lintel.http")


class Door(StrEnum):
    """The two ways in."""

    HTTP = "http"
    HTTPS = "https"


class Server:
    """Serves one ASGI application on one address, or one for each door; `open`, then `serve` until cancelled.

    All doors share the limits: connections are counted together.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        clock: Clock,
        *,
        deadlines: Deadlines | None = None,
        limits: Limits | None = None,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        """`closing` is called when the server begins to stop, so that endless answers can end."""
        self._host = host
        self._port = port
        self._clock = clock
        self._limits = limits if limits is not None else Limits()
        self._shared = Shared(clock, deadlines if deadlines is not None else Deadlines(), self._limits)
        self._config = Config(
            app=cast(ASGI3Application, app),
            http=StrictHttp,
            ws=StrictWebSocket,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws_max_size=self._limits.message_bytes,
            ws_per_message_deflate=False,
        )
        # What clients do wrong is not worth a line each; what the application does wrong is an error.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._closing = closing
        self._listeners: dict[Door, asyncio.Server] = {}
        self._closed = False

    @property
    def address(self) -> tuple[str, int]:
        """Where HTTP is, or else HTTPS, with the port the system chose when 0 was asked."""
        assert self._listeners
        return self.address_of(Door.HTTP if Door.HTTP in self._listeners else Door.HTTPS)

    def address_of(self, door: Door) -> tuple[str, int]:
        """Where a door is. Raises KeyError when it is shut."""
        host, port, *_ = self._listeners[door].sockets[0].getsockname()
        return str(host), int(port)

    @property
    def doors(self) -> tuple[Door, ...]:
        """The doors that are open."""
        return tuple(self._listeners)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._shared.gauge.total

    async def open(self) -> tuple[str, int]:
        """Open the HTTP door; returns its address. Raises Unavailable naming the address and the reason."""
        return await self.listen(Door.HTTP, self._host, self._port)

    async def listen(
        self, door: Door, host: str, port: int, context: Callable[[], ssl.SSLContext] | None = None
    ) -> tuple[str, int]:
        """Open a door, or move it: the former address answers until the new one does.

        `context` is asked for at every connection over TLS. Raises Unavailable naming the address and the reason; then
        nothing has changed.
        """
        if not self._config.loaded:
            self._config.load()

        def plain() -> StrictHttp:
            return StrictHttp(self._config, self._shared, {})

        make = plain if context is None else lambda: Handshake(self._shared, context, plain)
        try:
            bound = self._bind(host, port)
            try:
                listener = await asyncio.get_running_loop().create_server(make, sock=bound, backlog=BACKLOG)
            except OSError:
                bound.close()
                raise
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)
            raise Unavailable(door.value, f"cannot listen on {shown(host, port)}: {why}") from None
        self.shut(door)
        self._listeners[door] = listener
        return self.address_of(door)

    def shut(self, door: Door) -> None:
        """Take no more connections at a door; those that are there go on."""
        if (listener := self._listeners.pop(door, None)) is not None:
            listener.close()

    def _bind(self, host: str, port: int) -> socket.socket:
        """A bound socket; its send buffer, inherited by connections, is small so that a slow reader shows early."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # With its protocol named: asyncio turns Nagle's delay off only for what it knows to be TCP.
        bound = socket.socket(infos[0][0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.socket_buffer_bytes)
            bound.bind(infos[0][4])
            bound.setblocking(False)
        except OSError:
            bound.close()
            raise
        return bound

    async def serve(self) -> None:
        """Serve until cancelled, then stop: no new connections, `shutdown_s` for what runs, then an end."""
        assert self._listeners, "open comes first"
        try:
            while True:
                await self._shared.somebody()  # of an empty house nothing has to be looked at
                self._shared.reap()
                await self._clock.sleep(self._shared.deadlines.write_stall_s / LOOKS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop serving; harmless when it already did."""
        if self._closed:
            return
        self._closed = True
        for door in tuple(self._listeners):
            self.shut(door)
        self._closing()
        for handshake in tuple(self._shared.handshakes):
            handshake.cancel()
        for connection in tuple(self._shared.connections):
            connection.shutdown()
        await self._emptied(self._shared.deadlines.shutdown_s)
        for transport in tuple(self._shared.transports):
            transport.abort()
        await self._emptied(ABORT_S)
        for task in tuple(self._shared.tasks):
            task.cancel()
        if not await self._emptied(ABORT_S):
            log.error("%d requests do not end", len(self._shared.tasks))

    async def _emptied(self, within_s: float) -> bool:
        """Wait until no request and no connection is left."""
        patience = round(within_s / POLL_S)
        while (self._shared.tasks or self._shared.connections) and patience > 0:
            patience -= 1
            await self._clock.sleep(POLL_S)
        return not self._shared.tasks and not self._shared.connections


def shown(host: str, port: int) -> str:
    """An address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
