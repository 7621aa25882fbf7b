"""Service `rtsp`: listens for RTSP where the device was started with, or on the port of its parameters."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, ClassVar

from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.rtsp import RtspState
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.rtsp.settings import RtspSettings

if TYPE_CHECKING:
    from firmware.interfaces.rtsp.connection import Connection
    from firmware.interfaces.rtsp.house import House
    from firmware.interfaces.rtsp.limits import Patience

BACKLOG = 64
SEND_BUFFER_BYTES = 64 * 1024

log = logging.getLogger("lintel.rtsp")


class RtspService:
    """Serves event streams at `host`:`port` (0: any free one) while the parameter `rtsp.enabled` is on."""

    name: ClassVar[str] = "rtsp"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, host: str, port: int, *, patience: Patience | None = None) -> None:
        self._core = core
        self._host = host
        self._port = port
        self._patience = patience
        self._house: House | None = None
        self._listener: asyncio.Server | None = None
        self._wanted: int | None = None
        self._trouble = ""
        self._tasks: asyncio.TaskGroup | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    @property
    def address(self) -> str:
        """Where it listens; empty when it does not."""
        from firmware.interfaces.http.server import shown

        if self._listener is None or not self._listener.sockets:
            return ""
        host, port, *_ = self._listener.sockets[0].getsockname()
        return shown(str(host), int(port))

    async def start(self) -> None:
        """Bind the address. One that cannot be had is said in the state; the device works without RTSP."""
        from firmware.interfaces.rtsp.house import House

        params = self._core.params
        if RtspSettings.group not in params:
            params.declare(RtspSettings)
        await params.load(RtspSettings)
        self._house = House(self._core, patience=self._patience)
        await self._obey()

    async def run(self) -> None:
        """Serve, and follow the settings, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks = group
                with self._core.bus.subscribe(ParamsChanged) as changes:
                    await self._obey()  # what changed before somebody listened
                    if self._listener is not None:
                        await self._listener.start_serving()
                    async for notice in changes:
                        if getattr(notice.event, "group", "") == RtspSettings.group:
                            await self._obey()
        finally:
            self._tasks = None

    async def stop(self) -> None:
        """Stop serving."""
        self._shut()
        self._core.bus.forget(RtspState)

    async def _obey(self) -> None:
        """Open, move or shut as the settings say; where the new port cannot be had the former stays."""
        settings = self._core.params.get(RtspSettings)
        self._trouble = ""
        if not settings.enabled:
            self._shut()
        elif self._wanted != (port := self._port if settings.port is None else settings.port):
            try:
                listener = await self._listen(port)
            except Unavailable as error:
                log.error("%s", error)
                self._trouble = error.message
            else:
                if self._listener is not None:
                    self._listener.close()  # who is connected stays
                self._listener, self._wanted = listener, port
        self._core.bus.publish(RtspState(rtsp=self.address, warning=self._trouble or settings.warning()))

    async def _listen(self, port: int) -> asyncio.Server:
        from firmware.interfaces.http.server import shown

        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            infos = socket.getaddrinfo(self._host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            bound = socket.socket(infos[0][0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
            try:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                # Inherited by connections: a client that takes nothing shows early.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
                bound.bind(infos[0][4])
                bound.setblocking(False)
                loop = asyncio.get_running_loop()
                serving = self._tasks is not None
                return await loop.create_server(self._connection, sock=bound, backlog=BACKLOG, start_serving=serving)
            except OSError:
                bound.close()
                raise
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)
            raise Unavailable("rtsp", f"cannot listen on {shown(self._host, port)}: {why}") from None

    def _connection(self) -> Connection:
        from firmware.interfaces.rtsp.connection import Connection

        assert self._house is not None, "start comes first"
        return Connection(self._house, self._begin)

    def _begin(self, connection: Connection) -> None:
        if self._tasks is None:  # it came while the service ends
            connection.shut()
            return
        task = self._connections[connection] = self._tasks.create_task(connection.run(), name="RTSP connection")
        task.add_done_callback(lambda _: self._connections.pop(connection, None))

    def _shut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener, self._wanted = None, None
        for connection in tuple(self._connections):
            connection.shut()
