"""Live events: server-sent events and WebSocket on one path. Retained states come first.

Every client has a bounded queue of its own: one that does not keep up loses its oldest pulses (it is told
how many) and, when it stops reading, its connection. Nobody else notices.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from firmware.core.actions import Caller, Level
from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.interfaces.api.routes import caller_of, check_level
from firmware.interfaces.api.shown import notice_body
from firmware.interfaces.http.credentials import address_of, session_of
from firmware.interfaces.http.ending import first_of, is_end, until_gone
from firmware.interfaces.http.seats import Seats

PATH = "/api/v1/events"
DEPTH = 256
STREAMS, PER_ADDRESS = 64, 16
HEARTBEAT_S = 15.0
LOST = "stream/lost"

Write = Callable[[str], Awaitable[None]]


class Streams:
    """All open streams, so that they are limited in number and end with the server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._open: set[Subscription] = set()
        self.seats = Seats("events", "clients listen", most=STREAMS, per_address=PER_ADDRESS)

    @contextmanager
    def subscribe(self, address: str) -> Iterator[Subscription]:
        """A subscription for one client. Raises Exhausted when there are too many, in all or from its address."""
        with self.seats.taken(address), self._core.bus.subscribe(depth=DEPTH) as subscription:
            self._open.add(subscription)
            try:
                yield subscription
            finally:
                self._open.discard(subscription)

    def close(self) -> None:
        """End all streams."""
        for subscription in tuple(self._open):
            subscription.close()

    def __len__(self) -> int:
        return len(self._open)


async def pump(
    subscription: Subscription, caller: Caller, session: str, write: Callable[[str, str], Awaitable[None]]
) -> None:
    """Write notices as (id, JSON) until the subscription is closed or the caller has to log in again."""
    lost = 0
    while True:
        try:
            notice = await subscription.get()
        except StopAsyncIteration:
            return
        if subscription.lost > lost:
            await write("", json.dumps({"topic": LOST, "lost": subscription.lost - lost}))
            lost = subscription.lost
        await write(notice.event.id, json.dumps(notice_body(notice, caller)))
        if is_end(notice.event, caller, session):
            return


class EventStream(Response):
    """An answer that does not end: events as they happen, and a comment every 15 s."""

    def __init__(self, core: Core, streams: Streams, caller: Caller) -> None:
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._core = core
        self._streams = streams
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.subscribe(address_of(scope)) as subscription:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

            async def write(text: str) -> None:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

            async def write_event(event_id: str, data: str) -> None:
                head = f"id: {event_id}\n" if event_id else ""
                await write(f"{head}data: {data}\n\n")

            told = pump(subscription, self._caller, session_of(scope), write_event)
            await first_of(told, self._beat(write), until_gone(receive))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _beat(self, write: Write) -> None:
        # A first comment at once: the client knows that it is connected although nothing happens.
        await write(": connected\n\n")
        while True:
            await self._core.clock.sleep(HEARTBEAT_S)
            await write(": alive\n\n")


class Events:
    """The endpoints of the path, for both ways."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.streams = Streams(core)

    async def stream(self, request: Request) -> Response:
        """Server-sent events."""
        self.streams.seats.check(address_of(request.scope))
        return EventStream(self._core, self.streams, caller_of(request))

    async def socket(self, socket: WebSocket) -> None:
        """The same over a WebSocket; what the client says is not listened to."""
        caller: Caller = socket.scope["caller"]
        check_level(caller, Level.VIEWER, PATH)
        with self.streams.subscribe(address_of(socket.scope)) as subscription:
            await socket.accept()

            async def write(_: str, data: str) -> None:
                await socket.send_text(data)

            try:
                told = pump(subscription, caller, session_of(socket.scope), write)
                await first_of(told, until_gone(socket.receive))
            except* (WebSocketDisconnect, ConnectionError):
                pass  # the client is gone; the states below say so
        if socket.application_state is WebSocketState.CONNECTED and socket.client_state is WebSocketState.CONNECTED:
            await socket.close(1001)
