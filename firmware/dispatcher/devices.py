"""The side of the dispatcher that devices call: lets in who knows the owner's key, and carries requests to them."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from wsproto import ConnectionType

from firmware.core.errors import Invalid, Unavailable
from firmware.interfaces.cloud.contract import (
    ANSWER_BYTES,
    DEVICE_HEADER,
    SUBPROTOCOL,
    Cancel,
    Frame,
    Hello,
    Refused,
    Registered,
    Request,
    Response,
    pack,
    unpack,
)
from firmware.interfaces.cloud.socket import POLICY, Broken, WebSocket
from hal.clock import Clock

OPENING_S = 10.0
ANSWER_S = 40.0
CLOSING_S = 2.0
SERIAL = re.compile(r"[0-9A-F]{12}")
# What the devices of one owner may be; far more than a reference serves.
DEVICES = 200

log = logging.getLogger("lintel.dispatcher")


@dataclass(eq=False, slots=True)
class Attached:
    """One connected device."""

    hello: Hello
    address: str
    since: datetime
    link: WebSocket
    waiting: dict[str, asyncio.Future[Response | Refused]] = field(default_factory=dict)

    async def ask(self, request: Request) -> Response | Refused:
        """Put a request to the device's API. Raises Broken, TimeoutError."""
        answer: asyncio.Future[Response | Refused] = asyncio.get_running_loop().create_future()
        self.waiting[request.id] = answer
        try:
            await self.link.send(pack(request))
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            await self.link.send(pack(Cancel(id=request.id)))
            raise
        finally:
            del self.waiting[request.id]

    async def register(self) -> None:
        """Tell the device that it is registered and stays connected. Raises Broken."""
        await self.link.send(pack(Registered()))

    def heard(self, frame: Frame) -> None:
        """Something the device says. Raises Invalid for what is not for a device to say."""
        if not isinstance(frame, Response | Refused):
            raise Invalid("message", f"{type(frame).__name__.lower()} is not for a device to say")
        waiting = self.waiting.get(frame.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def gone(self) -> None:
        """Nobody will answer any more."""
        for waiting in self.waiting.values():
            if not waiting.done():
                waiting.set_exception(Broken("the device is gone"))


class Devices:
    """Listens for devices; `attached` are those that are connected now, by serial number."""

    def __init__(self, clock: Clock, owner_key: str, context: ssl.SSLContext) -> None:
        self._clock = clock
        self._owner_key = owner_key
        self._context = context
        self._attached: dict[str, Attached] = {}
        self._server: asyncio.Server | None = None

    @property
    def attached(self) -> Mapping[str, Attached]:
        """The devices that are connected now."""
        return self._attached

    async def open(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises Unavailable."""
        try:
            self._server = await asyncio.start_server(
                self._called, host, port, ssl=self._context, ssl_handshake_timeout=OPENING_S,
                ssl_shutdown_timeout=CLOSING_S,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(f"{host}:{port}", f"cannot listen ({error.strerror or error})") from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Hang up on every device and listen no more."""
        if self._server is not None:
            self._server.close()
        for device in tuple(self._attached.values()):
            await device.link.close()

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = WebSocket(reader, writer, ConnectionType.SERVER, ANSWER_BYTES)
        address = str(writer.get_extra_info("peername")[0])
        try:
            async with asyncio.timeout(OPENING_S):
                hello = await self._welcome(link)
            if hello is not None:
                await self._serve(Attached(hello, address, self._clock.utc(), link))
        except (Broken, Invalid, TimeoutError) as error:
            log.warning("%s: %s", address, error or "took too long")
        finally:
            link.hang_up()

    async def _welcome(self, link: WebSocket) -> Hello | None:
        """The opening handshake and the device's first word; None when it was refused. Raises Broken, Invalid."""
        asked = await link.asked()
        headers = {name.lower(): value for name, value in asked.extra_headers}
        said = headers.get(b"authorization", b"")
        if not hmac.compare_digest(said, f"Bearer {self._owner_key}".encode()):
            await link.reject(401)
            return None
        if SUBPROTOCOL not in asked.subprotocols:
            await link.reject(400)
            return None
        serial = headers.get(DEVICE_HEADER.encode(), b"").decode("latin-1")
        if SERIAL.fullmatch(serial) is None or (len(self._attached) >= DEVICES and serial not in self._attached):
            await link.reject(400)
            return None
        await link.accept(SUBPROTOCOL)
        text = await link.receive()
        hello = unpack(text) if text is not None else None
        if not isinstance(hello, Hello) or hello.serial != serial:
            raise Broken(f"{serial} did not say who it is")
        return hello

    async def _serve(self, device: Attached) -> None:
        serial = device.hello.serial
        former = self._attached.get(serial)
        self._attached[serial] = device
        if former is not None:
            await former.link.close(POLICY, "a newer connection took its place")
        log.info("%s is connected from %s", serial, device.address)
        try:
            while (text := await device.link.receive()) is not None:
                device.heard(unpack(text))
        finally:
            device.gone()
            if self._attached.get(serial) is device:
                del self._attached[serial]
            log.info("%s is gone", serial)


def new_id() -> str:
    """An id for a request that no other has."""
    return secrets.token_hex(8)
