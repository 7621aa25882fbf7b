"""NiceGUI, loaded when somebody comes to the log-in, and kept inside what this device allows.

It brings its own small server of files and its socket. Both are behind the guard like everything; here in addition: no
polling (a plain request that carries events), a socket only for whoever loaded the page it belongs to, and events only
for the page of their socket. Its state is that of the process: one device a process.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Forbidden, NotFound
from firmware.core.worker import Worker
from firmware.interfaces.web.words import N_, Catalogue

if TYPE_CHECKING:
    from firmware.interfaces.web.view import View

FILES = "/_nicegui"
SOCKET = "/_nicegui_ws"
# What the toolkit says by itself, by the names it has for it.
SAID = {
    "connection_lost": N_("Connection lost."),
    "trying_to_reconnect": N_("Trying to reconnect..."),
    "message_too_long": N_("Message too long"),
    "message_too_long_body": N_("The message is too large to be sent from this page."),
}
# How long a page that lost its connection is kept for its browser, in seconds.
PATIENCE_S = 10.0
# Clients of HTTP that nothing here uses.
CLIENTS = ("aiohttp", "requests")

log = logging.getLogger("lintel.web")


class Toolkit:
    """The toolkit of one process; `view_of` answers whose page a client id is."""

    def __init__(self, core: Core, view_of: Callable[[str], View | None]) -> None:
        self._view_of = view_of
        self._worker = Worker(core.clock, "web")
        self._loading = asyncio.Lock()
        self._running = AsyncExitStack()
        self._app: ASGIApp | None = None

    async def ready(self) -> None:
        """Load and start it, once; the loop goes on while it is read from disk."""
        async with self._loading:
            if self._app is not None:
                return
            self._worker.start()
            await self._worker.run(_read)
            self._app = await self._start()

    async def _start(self) -> ASGIApp:
        from fastapi import FastAPI
        from nicegui import app, core, ui

        outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.config.socket_io_js_transports = ["websocket"]
        ui.run_with(
            outer,
            title="Lintel",
            favicon=None,
            dark=None,
            binding_refresh_interval=None,
            reconnect_timeout=PATIENCE_S,
            message_history_length=200,
            gzip_middleware_factory=None,
            tailwind=False,
            show_welcome_message=False,
        )
        self._tie(core.sio)
        await self._running.enter_async_context(outer.router.lifespan_context(outer))
        return outer

    def _tie(self, sio: Any) -> None:
        """Every message of a socket is about the page the socket was opened for."""
        from nicegui import Client

        def page_of(sid: str, message: Any) -> tuple[Any, View] | None:
            name = message.get("client_id") if isinstance(message, dict) else None
            client = Client.instances.get(name) if isinstance(name, str) else None
            view = self._view_of(client.id) if client is not None else None
            if client is None or view is None or view.dead or client.id not in sio.rooms(sid):
                return None
            return client, view

        def on_event(sid: str, message: Any) -> None:
            found = page_of(sid, message)
            if found is not None and found[0].has_socket_connection:
                found[1].used()
                found[0].handle_event(message)

        def on_answer(sid: str, message: Any) -> None:
            if (found := page_of(sid, message)) is not None:
                found[0].handle_javascript_response(message)

        def on_ack(sid: str, message: Any) -> None:
            if (found := page_of(sid, message)) is not None:
                found[0].outbox.prune_history(message["next_message_id"])

        def on_log(sid: str, message: Any) -> None:
            if page_of(sid, message) is not None:
                log.info("a page says: %.500r", message.get("message"))

        for name, handler in (
            ("event", on_event),
            ("javascript_response", on_answer),
            ("ack", on_ack),
            ("log", on_log),
        ):
            sio.on(name, handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve its files and its socket. Raises Forbidden, NotFound."""
        caller = scope["caller"]
        if caller.level < Level.VIEWER:
            raise Forbidden(scope["path"], "log in")
        if scope["path"].startswith(SOCKET + "/"):
            if scope["type"] != "websocket":
                raise NotFound(scope["path"], "pages talk over a WebSocket")
            asked = parse_qs(scope["query_string"].decode("latin-1")).get("client_id", [])
            if len(asked) != 1:  # of several the toolkit might take another than we look at
                raise Forbidden(scope["path"], "a socket belongs to one page")
            view = self._view_of(asked[0])
            if view is not None and (view.caller.name, view.caller.level) != (caller.name, caller.level):
                raise Forbidden(scope["path"], "this page belongs to somebody else")
        if self._app is None:
            # A page of the former process knocks: the toolkit tells it to load anew.
            await self.ready()
        assert self._app is not None
        await self._app(scope, receive, send)

    async def close(self) -> None:
        """End it; harmless when it never began."""
        self._worker.close()
        if self._app is not None:
            self._app = None
            await self._running.aclose()


def _read() -> None:
    """Load the modules; a second of work on a small processor.

    The socket's library does without the clients it would load for programs that call others (12 MB, a third of the
    time); it asks for them itself whether they are there.
    """
    absent = [name for name in CLIENTS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: this module cannot be had
    try:
        import nicegui.ui  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]


def teach(language: str, catalogue: Catalogue) -> None:
    """Give the toolkit what it says by itself, in our words: it lacks some of our languages."""
    from nicegui.translations import translations

    said = {name: catalogue.gettext(text) for name, text in SAID.items()}
    translations[language] = said  # type: ignore[index]  # one of the languages it lists


def with_nonce(answer: Response, number: str) -> bytes:
    """The body of a page, its own scripts and styles marked; what people wrote has its `<` escaped and gets no mark."""
    body = bytes(answer.body)
    for tag in (b"<script", b"<style"):
        body = body.replace(tag, tag + f' nonce="{number}"'.encode())
    return body
