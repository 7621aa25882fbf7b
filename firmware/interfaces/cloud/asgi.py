"""One request of the dispatcher, put to the application of the device's own API as the server would, and its answer.

It comes in as `http`, from the address `cloud`: so the log-in is Digest, and no password is seen by a dispatcher.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope

from firmware.interfaces.cloud.contract import (
    HEADERS,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    Request,
    Response,
    body_of,
    text_of,
)

# How the gate and the accounts know who came this way; also the address that failed log-ins are counted for.
CLOUD = "cloud"
REQUEST_S = 30.0
# What of a request is passed on: who, what kind, and where a browser would have sent it from.
PASSED = frozenset(
    {
        "accept",
        "authorization",
        "content-type",
        "if-modified-since",
        "if-none-match",
        "origin",
        "sec-fetch-mode",
        "sec-fetch-site",
    }
)
# What of an answer belongs to one connection only (RFC 9110, 7.6.1).
HOP = frozenset({"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"})


class TooLarge(Exception):
    """The answer is longer than what may cross."""


class TooLong(Exception):
    """The answer does not end in time."""


def scope_of(request: Request, body: bytes) -> Scope:
    """The request as ASGI says it."""
    path, _, query = request.target.partition("?")
    headers = [(name.lower(), value) for name, value in request.headers if name.lower() in PASSED]
    headers += [("host", "localhost"), ("content-length", str(len(body)))]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": (CLOUD, 0),
        "server": ("localhost", 80),
        "remote": CLOUD,
    }


class _Exchange:
    """What goes to and comes from the application."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.size = 0
        self.too_large = asyncio.Event()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.Event().wait()  # the dispatcher's `cancel` ends the application itself
        raise AssertionError("never reached")

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            piece = message.get("body", b"")
            self.size += len(piece)
            if self.size > RESPONSE_BYTES:
                self.too_large.set()
                await asyncio.Event().wait()  # until it is cancelled, which happens at once
            self.pieces.append(piece)


async def exchange(app: ASGIApp, request: Request) -> Response:
    """Put a request to the application. Raises Invalid (its body), TooLarge, TooLong, what the application raises."""
    body = body_of(request.body, REQUEST_BYTES)
    both = _Exchange(body)
    limit = asyncio.timeout(REQUEST_S)
    try:
        async with limit:
            await _unless(both.too_large, app(scope_of(request, body), both.receive, both.send))
    except TimeoutError:
        if not limit.expired():
            raise
        raise TooLong from None
    names = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in both.headers]
    kept = tuple((name, value) for name, value in names if name.lower() not in HOP)[:HEADERS]
    return Response(id=request.id, status=both.status, headers=kept, body=text_of(b"".join(both.pieces)))


async def _unless(event: asyncio.Event, work: Any) -> None:
    """Run `work` to its end, or cancel it when `event` comes. Raises TooLarge then."""
    running = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((running, watching), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise TooLarge
        running.result()
    finally:
        for task in (running, watching):
            task.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)
