"""Events over a WebSocket: /vapix/ws-data-stream, opened with a log-in or with a token of wssession.cgi.

The client says which topics it wants (events:configure); the answer is the first frame, then come the properties as
they are, then what happens. A token works once, for fifteen seconds, for whoever asked for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from firmware.core.actions import Caller, Level
from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.errors import Exhausted, Forbidden, Invalid
from firmware.core.vocabulary.security import AccountChanged, AnonymousState
from firmware.interfaces.http.body import read_json
from firmware.interfaces.http.credentials import address_of
from firmware.interfaces.http.ending import is_end
from firmware.interfaces.http.seats import Seats
from firmware.interfaces.topics.feed import MOST_FILTERS, Projection, content_filter, topic_filter
from firmware.interfaces.topics.told import Told
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.envelope import NEWER, VERSION, too_deep

log = logging.getLogger("lintel.vapix")

SESSION = "/axis-cgi/wssession.cgi"
STREAM = "/vapix/ws-data-stream"
TOKEN_S = 15.0
MOST_TOKENS = 256
MOST_STREAMS, MOST_PER_ADDRESS = 64, 16
CONFIGURE_S = 30.0
LARGEST_REQUEST = 64 * 1024
GOING_AWAY, POLICY_VIOLATION, TOO_BIG = 1001, 1008, 1009
NEWEST = "1.0"


class EventSocket:
    """Tokens and streams."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._projection = Projection(core)
        self._tokens: dict[str, tuple[int, Caller]] = {}
        self._open: set[Subscription] = set()
        self._seats = Seats(STREAM, "clients listen", most=MOST_STREAMS, per_address=MOST_PER_ADDRESS)

    def addresses(self) -> tuple[Address, ...]:
        """The address that gives tokens."""
        return (Address(path=SESSION, endpoint=self._token, level=Level.VIEWER),)

    def close(self) -> None:
        """End all streams."""
        for subscription in tuple(self._open):
            subscription.close()

    async def _token(self, asked: Asked) -> Response:
        self._forget_old()
        if len(self._tokens) >= MOST_TOKENS:
            raise Exhausted("wssession", f"{MOST_TOKENS} tokens wait to be used already")
        token = secrets.token_urlsafe(24)
        self._tokens[token] = (self._core.clock.now_ns(), asked.caller)
        return plain(token)

    def _forget_old(self) -> None:
        oldest = self._core.clock.now_ns() - round(TOKEN_S * 1e9)
        self._tokens = {token: given for token, given in self._tokens.items() if given[0] >= oldest}

    def _caller(self, scope: Scope) -> Caller:
        """Who listens: by log-in, or by a token, which is spent. Raises Forbidden."""
        caller: Caller = scope["caller"]
        if caller.level >= Level.VIEWER:
            return caller
        self._forget_old()
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=16)
        given = self._tokens.pop(query.get("wssession", [""])[0], None)
        if given is None:
            raise Forbidden(STREAM, "needs a log-in, or a token of wssession.cgi")
        return given[1]

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection from its handshake to its end. Raises Forbidden, Exhausted before it is accepted."""
        caller = self._caller(scope)
        socket = WebSocket(scope, receive, send)
        with (
            self._seats.taken(address_of(scope)),
            self._projection.subscribe(AccountChanged, AnonymousState) as subscription,
        ):
            self._open.add(subscription)
            try:
                await socket.accept()
                await _Listener(self._core, self._projection, socket, caller, subscription).run()
            except* (WebSocketDisconnect, ConnectionError):
                pass  # the client is gone
            finally:
                self._open.discard(subscription)


class _Listener:
    """One connection: what it wants, and two jobs, one that hears and one that tells."""

    def __init__(
        self, core: Core, projection: Projection, socket: WebSocket, caller: Caller, subscription: Subscription
    ) -> None:
        self._core = core
        self._projection = projection
        self._socket = socket
        self._caller = caller
        self._subscription = subscription
        self._wanted: tuple[Callable[[Told], bool], ...] = ()
        self._configured = asyncio.Event()
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Hear and tell until either ends."""
        async with asyncio.TaskGroup() as group:
            hears = group.create_task(self._hear())
            tells = group.create_task(self._tell())
            late = group.create_task(self._patience())
            for task in (hears, tells):
                task.add_done_callback(lambda _: [each.cancel() for each in (hears, tells, late)])
        await self._end(GOING_AWAY)

    async def _patience(self) -> None:
        """A client that asks for nothing is sent away."""
        await self._core.clock.sleep(CONFIGURE_S)
        if not self._configured.is_set():
            await self._end(POLICY_VIOLATION)

    async def _end(self, code: int) -> None:
        states = (self._socket.application_state, self._socket.client_state)
        if states == (WebSocketState.CONNECTED, WebSocketState.CONNECTED):
            await self._socket.close(code)

    async def _hear(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or ""
            if len(text) > LARGEST_REQUEST:
                await self._end(TOO_BIG)
                return
            await self._send(self._answer(text))

    def _answer(self, text: str) -> Mapping[str, Any]:
        """Take a request; its answer."""
        head: dict[str, Any] = {"apiVersion": NEWEST}
        try:
            request = read_json(text)
        except ValueError:
            return {**head, "error": {"code": NEWER.json, "message": "Invalid JSON"}}
        if not isinstance(request, dict) or too_deep(request):
            return {**head, "error": {"code": NEWER.json, "message": "Invalid JSON"}}
        for name in ("context", "method"):
            if isinstance(request.get(name), (str, int)):
                head[name] = request[name]
        version = VERSION.fullmatch(str(request.get("apiVersion", NEWEST)))
        if version is None or version[1] != NEWEST.partition(".")[0]:
            return {**head, "error": {"code": NEWER.version, "message": f"API version is {NEWEST}"}}
        if request.get("method") != "events:configure":
            return {**head, "error": {"code": NEWER.method, "message": "The method is events:configure"}}
        try:
            self._wanted = filters(request.get("params"))
        except Invalid as error:
            return {**head, "error": {"code": NEWER.invalid, "message": f"{error.where}: {error.message}"}}
        self._configured.set()
        return {**head, "data": {}}

    async def _tell(self) -> None:
        await self._configured.wait()
        # The answer to the request that began this goes first: it was made before, and waits for the lock.
        async with self._writing:
            pass
        while True:
            try:
                notice = await self._subscription.get()
            except StopAsyncIteration:
                return
            if is_end(notice.event, self._caller):
                return  # it has to log in again
            for told in self._projection.told(notice):
                if any(wanted(told) for wanted in self._wanted):
                    await self._send(notification(told))

    async def _send(self, message: Mapping[str, Any]) -> None:
        async with self._writing:
            await self._socket.send_text(json.dumps(message))


def filters(params: object) -> tuple[Callable[[Told], bool], ...]:
    """The filters of a request; an entry with topic and content wants both. Raises Invalid."""
    entries = params.get("eventFilterList") if isinstance(params, dict) else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_FILTERS:
        raise Invalid("eventFilterList", f"is a list of 1 to {MOST_FILTERS} filters")
    return tuple(map(one_filter, entries))


def one_filter(entry: object) -> Callable[[Told], bool]:
    """One entry. Raises Invalid."""
    if not isinstance(entry, dict) or not ({"topicFilter", "contentFilter"} & entry.keys()):
        raise Invalid("eventFilterList", "each entry has a topicFilter, a contentFilter, or both")
    topic, content = entry.get("topicFilter", "//."), entry.get("contentFilter")
    if not isinstance(topic, str) or not isinstance(content, (str, type(None))):
        raise Invalid("eventFilterList", "filters are texts")
    fits = topic_filter(topic)
    holds = content_filter(content) if content else lambda _: True
    return lambda told: fits(told.topic) and holds(told)


def notification(told: Told) -> dict[str, Any]:
    """An event as the client receives it; every value is a text."""
    message = {"source": dict(told.said.source), "key": {}, "data": dict(told.said.data)}
    notice = {"timestamp": told.at_ms, "topic": told.topic.path, "message": message}
    return {"apiVersion": NEWEST, "method": "events:notify", "params": {"notification": notice}}
