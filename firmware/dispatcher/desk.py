"""The side of the dispatcher for its owner: which devices there are, and their APIs, over plain HTTP on the loopback.

`GET /devices` lists them; `POST /devices/SERIAL/register` lets one stay connected. Every other request goes to the
device that `Lintel-Device: SERIAL` names, or the host name `SERIAL.localhost`: its log-in is the device's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from firmware.core.errors import Invalid
from firmware.core.values import decode
from firmware.dispatcher.devices import Attached, Devices, new_id
from firmware.interfaces.cloud.asgi import PASSED
from firmware.interfaces.cloud.contract import (
    DEVICE_HEADER,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    Request,
    Response,
    body_of,
    text_of,
)
from firmware.interfaces.cloud.socket import Broken

HERE = ("localhost", "127.0.0.1", "[::1]")
SUFFIX = ".localhost"


class No(Exception):
    """An answer that is no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Desk:
    """The application. `hosts` are the names besides the loopback's under which it may be called."""

    def __init__(self, devices: Devices, hosts: Callable[[], tuple[str, ...]] = lambda: ()) -> None:
        self._devices = devices
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        try:
            status, headers, body = await self._answer(scope, receive)
        except No as error:
            status, headers, body = _json({"code": error.code, "message": str(error)}, error.status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        serial = self._named(headers)
        if serial:
            return await self._relay(serial, scope, headers, receive)
        path, method = scope["path"], scope["method"]
        if (method, path) == ("GET", "/devices"):
            return _json({"devices": [_shown(device) for device in self._devices.attached.values()]})
        words = path.split("/")
        if method == "POST" and len(words) == 4 and words[1] == "devices" and words[3] == "register":
            if headers.get("content-type", "") != "application/json":
                raise No(415, "invalid", "send application/json")  # what a form of another site cannot send
            await self._found(words[2]).register()
            return _json({})
        raise No(404, "not_found", "no such route: GET /devices, or name a device with the header Lintel-Device")

    def _named(self, headers: dict[str, str]) -> str:
        """The device that a request is for; empty for the dispatcher itself. Raises No."""
        host = headers.get("host", "").lower()
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name.endswith(SUFFIX):
            return name.removesuffix(SUFFIX).upper()
        if name not in HERE and name not in self._hosts():
            raise No(421, "wrong_host", f"this dispatcher is not {name[:80]!r}")
        return headers.get(DEVICE_HEADER, "").upper()

    def _found(self, serial: str) -> Attached:
        device = self._devices.attached.get(serial)
        if device is None:
            raise No(404, "not_found", f"no device {serial[:20]!r} is connected")
        return device

    async def _relay(
        self, serial: str, scope: Scope, headers: dict[str, str], receive: Receive
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        device = self._found(serial)
        query = scope["query_string"].decode("latin-1")
        data = {
            "id": new_id(),
            "method": scope["method"],
            "target": scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
            "headers": tuple((name, value) for name, value in headers.items() if name in PASSED),
            "body": text_of(await _whole(receive)),
        }
        try:
            answer = await device.ask(decode(Request, data, where="request"))
        except Invalid as error:
            raise No(400, error.code, str(error)) from error
        except TimeoutError as error:
            raise No(504, "unavailable", "the device does not answer") from error
        except Broken as error:
            raise No(502, "unavailable", str(error)) from error
        if not isinstance(answer, Response):
            raise No(502, answer.code, answer.message)
        try:
            body = body_of(answer.body, RESPONSE_BYTES)
        except Invalid as error:
            raise No(502, error.code, str(error)) from error
        kept = [(name.lower(), value) for name, value in answer.headers if name.lower() != "content-length"]
        kept.append(("content-length", str(len(body))))
        return answer.status, [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept], body


def _shown(device: Attached) -> dict[str, Any]:
    hello = device.hello
    return {
        "serial": hello.serial,
        "model": hello.model,
        "version": hello.version,
        "address": device.address,
        "since": device.since.isoformat(),
    }


async def _whole(receive: Receive) -> bytes:
    """The body of a request. Raises No for one that cannot cross."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise No(400, "invalid", "the client hung up")
        body += bytes(message.get("body", b""))
        if len(body) > REQUEST_BYTES:
            raise No(413, "too_large", f"more than {REQUEST_BYTES} bytes do not cross to a device")
        if not message.get("more_body", False):
            return body


def _json(data: object, status: int = 200) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    body = json.dumps(data).encode()
    return status, [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())], body
