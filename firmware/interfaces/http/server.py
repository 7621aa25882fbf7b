"""An HTTP server on the loop it is called in: binds, serves, stops within a bound.

Uses uvicorn's protocols but not its server, which takes over signals, prints, and exits the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from email.utils import format_datetime
from typing import cast

from starlette.types import ASGIApp
from uvicorn._types import ASGI3Application
from uvicorn.config import Config

from firmware.core.errors import Unavailable
from firmware.interfaces.http.limits import Deadlines, Limits
from firmware.interfaces.http.protocol import Shared, StrictHttp, StrictWebSocket
from hal.clock import Clock

BACKLOG = 256
POLL_S = 0.02
ABORT_S = 0.5

log = logging.getLogger("lintel.http")


class Server:
    """Serves one ASGI application on one address; `open`, then `serve` until cancelled."""

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
        self._listener: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, with the port the system chose when 0 was asked."""
        assert self._listener is not None
        host, port, *_ = self._listener.sockets[0].getsockname()
        return str(host), int(port)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._shared.gauge.total

    async def open(self) -> tuple[str, int]:
        """Start to listen; returns the address. Raises Unavailable naming the address and the reason."""
        if not self._config.loaded:
            self._config.load()
        try:
            bound = self._bind()
            try:
                self._listener = await asyncio.get_running_loop().create_server(
                    lambda: StrictHttp(self._config, self._shared, {}), sock=bound, backlog=BACKLOG
                )
            except OSError:
                bound.close()
                raise
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)
            raise Unavailable("http", f"cannot listen on {shown(self._host, self._port)}: {why}") from None
        return self.address

    def _bind(self) -> socket.socket:
        """A bound socket; its send buffer, inherited by connections, is small so that a slow reader shows early."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        infos = socket.getaddrinfo(self._host, self._port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        bound = socket.socket(infos[0][0], socket.SOCK_STREAM)
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
        assert self._listener is not None, "open comes first"
        try:
            while True:
                self._set_date()
                self._shared.reap()
                await self._clock.sleep(min(1.0, self._shared.deadlines.write_stall_s / 2))
        finally:
            await self.close()

    def _set_date(self) -> None:
        # A device that does not know the time says none (RFC 9110, 6.6.1).
        date = format_datetime(self._clock.utc(), usegmt=True) if self._clock.trusted() else ""
        self._shared.default_headers[:] = [(b"date", date.encode())] if date else []

    async def close(self) -> None:
        """Stop serving; harmless when it already did."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        self._closing()
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
