"""The native API as one ASGI application; see docs/security.md for the guard before it.

Only this room imports FastAPI (when its description is asked for), and only the network role imports this room.
"""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from firmware import VERSION
from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.interfaces.api.accounts import Accounts
from firmware.interfaces.api.certificates import Certificates
from firmware.interfaces.api.clips import PATH as CLIPS
from firmware.interfaces.api.clips import Clips
from firmware.interfaces.api.commands import Commands
from firmware.interfaces.api.events import PATH, Events
from firmware.interfaces.api.logs import Logs
from firmware.interfaces.api.pictures import Pictures
from firmware.interfaces.api.reading import Reading
from firmware.interfaces.api.routes import Endpoint, Routes, Schemas, Straight, answer
from firmware.interfaces.api.sessions import WebSessions
from firmware.interfaces.api.troubleshooting import Troubleshooting
from firmware.interfaces.api.upgrades import Upgrades
from firmware.interfaces.api.upload import PATH as UPLOAD
from firmware.interfaces.api.upload import Spool
from firmware.interfaces.http.credentials import COOKIES
from firmware.interfaces.http.errors import answer_to, refusal
from firmware.interfaces.http.face import Face, Policy
from firmware.interfaces.http.guard import Faults
from firmware.interfaces.net.looking import Looking
from firmware.interfaces.video.views import Views
from hal.errors import nearest

ROOT = "/api/v1"
POLICY = Policy(
    via="api",
    remote=True,
    uploads=frozenset({("POST", UPLOAD.decode()), ("POST", CLIPS.decode())}),
    public={
        ("POST", "/api/v1/setup"): "makes the first administrator; refused as soon as there is one",
        ("POST", "/api/v1/session"): "takes a name and a password, and answers with a session",
    },
)
TITLE = "Lintel native API"


class Api:
    """What was built: the application, the least level of each of its routes, and its open streams."""

    def __init__(
        self,
        core: Core,
        *,
        spool: Spool | None = None,
        clip_spool: Spool | None = None,
        views: Views | None = None,
        looking: Looking | None = None,
    ) -> None:
        self.app = Starlette()
        self.app.router.redirect_slashes = False
        self._schemas = Schemas()
        self._document: dict[str, Any] | None = None
        self.events = Events(core)
        self._spool = spool
        self._clip_spool = clip_spool
        self._views = views
        self._looking = looking or Looking(core, lambda: False)
        self._straight: dict[tuple[str, str], Endpoint] = {}
        self.levels = self._add_api(core)
        self.app.add_middleware(Faults, policy=POLICY)
        self.app.add_exception_handler(StationError, _station_error)
        self.app.add_exception_handler(HTTPException, self._http_error)

    def _add_api(self, core: Core) -> dict[tuple[str, str], Level]:
        routes = Routes(self.app.router, self._schemas, ROOT)
        Reading(core).add_to(routes)
        Commands(core).add_to(routes)
        Accounts(core).add_to(routes)
        WebSessions(core).add_to(routes)
        Certificates(core).add_to(routes)
        Logs(core).add_to(routes)
        Upgrades(core, self._spool).add_to(routes)
        Clips(core, self._clip_spool).add_to(routes)
        Troubleshooting(core, self._looking, self._views).add_to(routes)
        if self._views is not None:
            Pictures(core, self._views).add_to(routes)
        routes.add("GET", "/events", self.events.stream, level=Level.VIEWER, gives=str,
                   kind="text/event-stream", summary="Live events, retained states first")  # fmt: skip
        routes.add("GET", "/openapi.json", self._openapi, level=Level.VIEWER, summary="This description")
        self.app.router.routes.append(WebSocketRoute(PATH, self.events.socket))
        self._straight |= routes.straight
        return routes.levels

    def face(self, *, alone: bool = True) -> Face:
        """This interface for the guard; `alone`, without pages beside it, it also says what is not there."""
        spools = ((UPLOAD, self._spool), (CLIPS, self._clip_spool))
        return Face(
            name="api",
            prefixes=("/",) if alone else ("/api",),
            app=Straight(self.app, self._straight),
            policy=POLICY,
            levels=self.levels,
            sizes={path: spool.largest for path, spool in spools if spool is not None},
            close=self._close,
        )

    def _close(self) -> None:
        self.events.streams.close()
        if self._views is not None:
            self._views.close()

    async def _openapi(self, _: Request) -> Response:
        if self._document is None:
            document = self._schemas.document(TITLE, VERSION)
            components = document.setdefault("components", {})
            components["schemas"] = {**components.get("schemas", {}), **self._schemas.components}
            components["securitySchemes"] = {
                "basic": {"type": "http", "scheme": "basic"},
                "digest": {"type": "http", "scheme": "digest"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIES["https"]},
            }
            document["security"] = [{"digest": []}, {"basic": []}, {"session": []}]
            self._document = document
        return answer(self._document)

    async def _http_error(self, request: Request, error: Exception) -> Response:
        """Errors of the router itself: no such route, or not with this method."""
        assert isinstance(error, HTTPException)
        path = request.url.path
        if error.status_code == 405:
            methods = sorted(method for (method, template) in self.levels if _fits(template, path))
            allowed = [("allow", ", ".join(methods))] if methods else []
            message = f"{request.method} is not for this route; valid: {', '.join(methods)}"
            return refusal(405, "method_not_allowed", path, message, allowed)
        if error.status_code == 404:
            known = {template for _, template in self.levels}
            return refusal(404, "not_found", path, f"no such route{nearest(path, known)}")
        return refusal(error.status_code, "invalid", path, str(error.detail))


def _fits(template: str, path: str) -> bool:
    wanted, found = template.split("/"), path.split("/")
    pairs = zip(wanted, found, strict=False)
    return len(wanted) == len(found) and all(each.startswith("{") or each == part for each, part in pairs)


async def _station_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StationError)
    return answer_to(error)
