"""The time of a connection before TLS is agreed on: counted and bounded like any other, then handed to HTTP.

The handshake is asyncio's; it has a deadline of its own, and what fails in it costs nothing but its connection.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import cast

from firmware.interfaces.http.limits import place_of
from firmware.interfaces.http.protocol import Shared, StrictHttp

log = logging.getLogger("lintel.http")


class Early(asyncio.Protocol):
    """Takes what comes right behind the handshake, before HTTP is told of its connection."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.lost = False

    def data_received(self, data: bytes) -> None:
        """Keep it; it is at most what one reading of the socket gave."""
        self.data.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self.lost = True


class Handshake(asyncio.Protocol):
    """A connection on its way to TLS; `make` makes the HTTP connection it becomes."""

    def __init__(self, shared: Shared, context: Callable[[], ssl.SSLContext], make: Callable[[], StrictHttp]) -> None:
        self._shared = shared
        self._context = context
        self._make = make
        self._address = ""
        self._counted = False
        self._transport: asyncio.Transport | None = None
        self.place = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, and begin."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self.place = place_of(self._address)
        if not self._shared.gauge.enter(self._address):
            self._transport.abort()
            return
        self._counted = True
        self._shared.gauge.waits(self)
        self._transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._agree(self._transport), name="TLS handshake")
        self._shared.handshakes.add(task)
        task.add_done_callback(self._shared.handshakes.discard)

    def give_way(self) -> None:
        """End at once, for somebody else's sake."""
        self._uncount()
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended before TLS began."""
        self._uncount()

    def _uncount(self) -> None:
        self._shared.gauge.works(self)
        if self._counted:
            self._counted = False
            self._shared.gauge.leave(self._address)

    async def _agree(self, transport: asyncio.Transport) -> None:
        early = Early()
        deadlines = self._shared.deadlines
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport,
                early,
                self._context(),
                server_side=True,
                ssl_handshake_timeout=deadlines.headers_s,
                ssl_shutdown_timeout=deadlines.shutdown_s,
            )
        except OSError as error:  # an SSLError is one too, and a deadline that has passed
            log.debug("no TLS with %s: %s", self._address, error)
            self._uncount()
            transport.abort()
            return
        except BaseException:
            self._uncount()
            transport.abort()
            raise
        self._uncount()
        if secure is None or early.lost:
            transport.abort()
            return
        http = self._make()
        secure.set_protocol(http)
        http.connection_made(secure)
        for data in early.data:
            http.data_received(data)
