"""What every request passes before anybody looks at what it asks for. Closed unless listed as public.

In order: the name in Host (DNS rebinding), where a browser sends it from (cross-site requests), JSON for
whatever changes something, and who it is. Answers leave with the headers that keep browsers careful.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.security import SetupState
from firmware.interfaces.api.credentials import VIA, Credentials, address_of
from firmware.interfaces.api.errors import HttpRefusal, answer_to, refusal

log = logging.getLogger("lintel.api")

API = "/api/"
# Routes that need no log-in, each with its reason.
PUBLIC: Mapping[tuple[str, str], str] = {
    ("POST", "/api/v1/setup"): "makes the first administrator; refused as soon as there is one",
}
# Routes that need no log-in while there is nobody to log in.
UNTIL_SETUP: Mapping[tuple[str, str], str] = {
    ("GET", "/"): "the form that makes the first administrator",
    ("GET", "/page/setup.js"): "belongs to that form",
    ("GET", "/page/style.css"): "belongs to that form",
    ("GET", "/page/icon.svg"): "belongs to that form",
}
# Routes that take a form with a file. Other sites cannot send one: `check_origin` comes first.
UPLOADS = frozenset({("POST", "/api/v1/upgrade"), ("POST", "/api/v1/clips")})
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def host_of(value: str) -> str:
    """The host of a Host header, without its port, in lower case; empty when it is not one."""
    try:
        parts = urlsplit(f"//{value}")
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return ""
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return ""
    return (parts.hostname or "").rstrip(".")


def is_address(host: str) -> bool:
    """Whether a host is an IP address, which no name server can make point here."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def check_host(headers: Headers, names: Collection[str]) -> None:
    """Raises HttpRefusal (421) unless Host is an address or one of our names (hardening row 40)."""
    host = host_of(headers.get("host", ""))
    if not (is_address(host) or host == "localhost" or host in names):
        raise HttpRefusal(421, "wrong_host", "host", f"this device is not {host[:80]!r}")


def check_origin(scope: Scope, headers: Headers) -> None:
    """Raises HttpRefusal (403) for what another site makes a browser send (hardening row 39)."""
    site = headers.get("sec-fetch-site", "same-origin")
    navigates = scope["type"] == "http" and scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if site not in ("same-origin", "none") and not navigates:
        raise HttpRefusal(403, "forbidden", "sec-fetch-site", "requests of other sites are not taken")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise HttpRefusal(403, "forbidden", "origin", "requests of other sites are not taken")


def check_content(scope: Scope, headers: Headers) -> None:
    """Raises HttpRefusal (415) for a change that is not JSON: what a plain form can send changes nothing."""
    if scope["type"] != "http" or scope["method"] in SAFE:
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data" and (scope["method"], scope["path"]) in UPLOADS:
        return
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    # DELETE without a body is never sent across sites unasked, unlike POST.
    if kind != "application/json" and (has_body or scope["method"] != "DELETE"):
        raise HttpRefusal(415, "invalid", "content-type", f"is {kind[:80]!r}; send application/json")


class Gate:
    """ASGI middleware around all routes. `names` are the names of this device, asked for each time."""

    def __init__(self, app: ASGIApp, core: Core, names: Callable[[], Collection[str]]) -> None:
        self._app = app
        self._core = core
        self._names = names
        self._credentials = Credentials(core)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        outlet = Outlet(scope, send)
        try:
            scope["caller"] = await self._admit(scope)
            await self._app(scope, receive, outlet.send)
        except (HttpRefusal, StationError) as error:
            await outlet.refuse(answer_to(error), receive)
        except ClientDisconnect:
            return
        except Exception:  # the last place that can still answer; the fault is logged with its trace
            log.exception("%s %s failed", scope.get("method", "WS"), scope["path"])
            if outlet.started:
                raise
            await outlet.refuse(refusal(500, "internal", scope["path"], "the device has a fault"), receive)

    async def _admit(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        check_host(headers, self._names())
        check_origin(scope, headers)
        check_content(scope, headers)
        # Whoever comes from the cloud always logs in: the first administrator stands at the device's own network.
        at_home = scope["type"] == "http" and "remote" not in scope
        if at_home and self._is_public(scope["method"], scope["path"]):
            return Caller(address_of(scope), Level.ANONYMOUS, VIA)
        return await self._credentials.caller(scope)

    def _is_public(self, method: str, path: str) -> bool:
        if (method, path) in PUBLIC:
            return True
        setup = self._core.bus.state(SetupState)
        return (method, path) in UNTIL_SETUP and setup is not None and setup.needed


class Outlet:
    """The way out of one request: adds headers, and knows whether an answer has begun."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store" if self._scope["path"].startswith(API) else "no-cache")
        self.started = True
        await self._send(message)

    async def refuse(self, answer: Response, receive: Receive) -> None:
        """Answer no, unless an answer has begun; a WebSocket is refused before it is accepted."""
        if self.started:
            return
        await answer(self._scope, receive, self.send)
