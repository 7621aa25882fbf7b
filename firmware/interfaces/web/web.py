"""The web interface as a face of the device: entrance, pages, the toolkit's files and socket, behind the guard."""

from __future__ import annotations

import asyncio
import logging
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from firmware.core.actions import Caller, Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import NotFound, StationError, Unavailable
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.security import AccountChanged, AnonymousState, SessionEnded, SessionToken, SessionView
from firmware.interfaces.api.routes import Routes, Schemas, caller_of
from firmware.interfaces.http.credentials import cookie_of
from firmware.interfaces.http.ending import is_end
from firmware.interfaces.http.errors import refusal
from firmware.interfaces.http.face import Face, Visitor
from firmware.interfaces.http.guard import Faults
from firmware.interfaces.web.bench import Bench
from firmware.interfaces.web.entrance import KINDS, Entrance
from firmware.interfaces.web.feed import Feed
from firmware.interfaces.web.pages import PAGES, Page
from firmware.interfaces.web.plan import Plan
from firmware.interfaces.web.policy import POLICY, ForPeople, nonce, page_csp
from firmware.interfaces.web.toolkit import FILES, SOCKET, Toolkit, teach, with_nonce
from firmware.interfaces.web.visitor import THEMES, taste_of
from firmware.interfaces.web.words import QUASAR
from hal.errors import nearest

if TYPE_CHECKING:
    from firmware.interfaces.web.view import View

# How often it is said which sessions were used by pages, in seconds.
WATCH_S = 20.0
NOTHING_DRAWN = Plan()
STATIC = ("pages.css", "pages.js")

log = logging.getLogger("lintel.web")


class Web:
    """What was built: the application, the least level of each route, and the pages that are open."""

    def __init__(self, core: Core, *, bench: Bench | None = None, plan: Plan = NOTHING_DRAWN) -> None:
        """`bench` reaches the simulated world of a simulated device; `plan` is what the device image shows."""
        self._core = core
        self._bench = bench
        self._plan = plan
        self._feed = Feed(core.bus)
        self._toolkit = Toolkit(core, self._view)
        self._views: dict[str, View] = {}
        self._somebody = asyncio.Event()
        self._pages = {page.path: page for page in PAGES}
        folder = files("firmware.interfaces.web") / "static"
        self._static = {name: (folder / name).read_bytes() for name in STATIC}
        self.app = Starlette()
        self.app.router.redirect_slashes = False
        routes = Routes(self.app.router, Schemas(), "", described=False)
        Entrance(core, self._somebody.set).add_to(routes)
        for page in PAGES:
            routes.add("GET", page.path, self._serve, level=page.level, kind="text/html", summary=page.title)
        for name in STATIC:
            routes.add("GET", f"/web/{name}", self._file, level=Level.VIEWER, summary="A file of the pages")
        self.levels = routes.levels
        self.app.add_middleware(Faults, policy=POLICY)
        self.app.add_exception_handler(HTTPException, self._http_error)

    def face(self) -> Face:
        """This interface for the guard: whatever no other face answers is its."""
        levels = {
            **self.levels,
            ("GET", f"{FILES}/{{path}}"): Level.VIEWER,
            ("WS", f"{SOCKET}/socket.io/"): Level.VIEWER,
        }
        return Face(name="web", prefixes=("/",), app=self._route, policy=POLICY, levels=levels)

    async def start(self) -> None:
        """The pages have no settings of their own."""

    async def run(self) -> None:
        """Bring facts to the pages and end those whose visitor is gone, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._prepare(), name="web toolkit")
                group.create_task(self._feed.run(), name="web feed")
                group.create_task(self._watch_ends(), name="web ends")
                group.create_task(self._keep_sessions(), name="web sessions")
                if self._bench is not None:
                    group.create_task(self._bench.run(), name="web bench")
        finally:
            await self._toolkit.close()

    async def _prepare(self) -> None:
        """Load the toolkit while somebody writes name and password: the page that follows need not wait for it."""
        await self._somebody.wait()
        await self._toolkit.ready()

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith((FILES + "/", SOCKET + "/")):
            await self._toolkit(scope, receive, send)
        elif scope["type"] == "websocket":
            raise NotFound(path, "no WebSocket is here")
        else:
            await self.app(scope, receive, send)

    # pages

    async def _serve(self, request: Request) -> Response:
        """Build a page for its visitor. Raises NotFound where the board has nothing for it, Unavailable."""
        page = self._pages[request.url.path]
        info = self._core.bus.state(DeviceInfo)
        if info is None:
            raise Unavailable("device", "the device is starting; try again in a moment")
        if not page.fits(info.capabilities):
            raise NotFound(page.path, f"this product has no {page.title.lower()}")
        await self._toolkit.ready()
        return await self._built(page, request)

    async def _built(self, page: Page, request: Request) -> Response:
        from nicegui import Client, ui

        from firmware.interfaces.web.frame import furnish
        from firmware.interfaces.web.view import View

        taste = taste_of(request)
        shape = ui.page(
            page.path,
            title=f"{taste.catalogue.gettext(page.title)} · Lintel",
            dark=THEMES[taste.theme],
            language=QUASAR[taste.language],  # type: ignore[arg-type]
        )
        teach(QUASAR[taste.language], taste.catalogue)
        with Client(shape, request=request) as client:
            visitor: Visitor = request.scope["visitor"]
            token = cookie_of(request.scope) if visitor.scheme == "session" else ""
            view = View(
                self._core,
                self._feed,
                client,
                caller_of(request),
                taste,
                token=token,
                session=visitor.session,
                bench=self._bench,
                plan=self._plan,
                visitors=self._visitors,
            )
            self._views[client.id] = view
            client.on_delete(lambda: self._views.pop(client.id, None))
            try:
                await furnish(view, page)
                made = client.build_response(request)
            except BaseException:
                client.delete()
                raise
        number = nonce()
        headers = {"content-security-policy": page_csp(number), "cache-control": "no-store"}
        return Response(with_nonce(made, number), media_type="text/html", headers=headers)

    async def _file(self, request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(self._static[name], media_type=KINDS["." + name.rpartition(".")[2]])

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.url.path
        if error.status_code == 404:
            known = {template for _, template in self.levels}
            return ForPeople(refusal(404, "not_found", path, f"no such page{nearest(path, known)}"))
        if error.status_code == 405:
            allowed = [("allow", "GET")]
            return refusal(405, "method_not_allowed", path, f"{request.method} is not for this page", allowed)
        return refusal(error.status_code, "invalid", path, str(error.detail))

    # visitors

    def _visitors(self) -> list[tuple[str, str]]:
        return [(view.caller.name, view.client.ip) for view in self._views.values() if not view.dead]

    def _view(self, client_id: str) -> View | None:
        return self._views.get(client_id)

    async def _watch_ends(self) -> None:
        """A page ends with its session, its account, and what nobody may watch without one any more."""
        with self._core.bus.subscribe(AccountChanged, SessionEnded, AnonymousState) as changes:
            async for notice in changes:
                for view in tuple(self._views.values()):
                    if is_end(notice.event, view.caller, view.session):
                        view.leave()

    async def _keep_sessions(self) -> None:
        """A page that is used keeps its session; one that is only open does not."""
        while True:
            await self._core.clock.sleep(WATCH_S)
            for view in tuple(self._views.values()):
                if not view.token or not view.take_use():
                    continue
                try:
                    await self._ask(SessionToken(token=view.token))
                except StationError as error:
                    log.info("the sessions cannot be asked: %s", error)

    async def _ask(self, token: SessionToken) -> SessionView:
        caller = Caller("web", Level.SYSTEM, "web")
        return await self._core.link.invoke(
            Invocation(action="accounts.session", params=token, caller=caller), SessionView
        )
