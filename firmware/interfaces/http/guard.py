"""What every request passes before anybody looks at what it asks for. Closed unless a policy lists it as open.

In order: the name in Host (DNS rebinding), the face it is for, where a browser sends it from (cross-site requests),
JSON for whatever changes something, and who it is. Answers leave with the headers that keep browsers careful.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.pace import Pace
from firmware.core.vocabulary.security import KEPT_CHARS, AccessRefused, SetupState
from firmware.interfaces.http.credentials import SAFE, Credentials, address_of, page_of
from firmware.interfaces.http.errors import HttpRefusal, refusal
from firmware.interfaces.http.face import WHOLE, Face, Policy, Route, Visitor, face_of
from firmware.interfaces.http.fields import Fields
from firmware.interfaces.http.reached import Reached
from firmware.interfaces.http.way_out import HEAD_LINES, STREAM, Takeover

log = logging.getLogger("lintel.http")

NO_STORE = "/api/"
PUBLIC = "public"
WS = "WS"
STARTS = ("http.response.start", "websocket.http.response.start")
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
HSTS = (b"strict-transport-security", b"max-age=31536000")
CACHE = b"cache-control"


# What every browser calls itself after `Mozilla/`, which programs say as well.
ENGINES = ("AppleWebKit/", "Gecko/", "Trident/", "MSIE ")


@dataclass(frozen=True, slots=True)
class Added:
    """The headers that every answer leaves with: one by one, and as the lines of a head."""

    pairs: tuple[tuple[bytes, bytes], ...]
    lines: bytes

    @classmethod
    def of(cls, *, kept: bool, secure: bool) -> Added:
        """`kept`: a browser may keep the answer and ask whether it still holds. `secure`: it is to stay with HTTPS."""
        pairs = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        pairs.append((CACHE, b"no-cache" if kept else b"no-store"))
        if secure:
            pairs.append(HSTS)
        return cls(tuple(pairs), b"".join(b"%b: %b\r\n" % pair for pair in pairs))


# By whether the answer may be kept, and whether it is told to stay with HTTPS.
ALL_ADDED = {(kept, secure): Added.of(kept=kept, secure=secure) for kept in (False, True) for secure in (False, True)}
ADDED_NAMES = frozenset(name for name, _ in ALL_ADDED[True, True].pairs)


@lru_cache(256)
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


@lru_cache(256)
def is_address(host: str) -> bool:
    """Whether a host is an IP address, which no name server can make point here."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(256)
def is_here(value: str) -> bool:
    """Whether a Host header says an address, or that machine itself: then no name server was asked."""
    host = host_of(value)
    return host == "localhost" or is_address(host)


def check_host(fields: Fields, names: Callable[[], Collection[str]]) -> None:
    """Raises HttpRefusal (421) unless Host is an address or one of our names (hardening row 40).

    And 400 where it is there twice: whoever stands before us may have gone by the other one (RFC 9112, 3.2).
    """
    if fields.is_twice(b"host"):
        raise HttpRefusal(400, "invalid", "host", "is there twice")
    value = fields.get(b"host")
    host = ""  # of what is longer than any name there is
    if len(value) <= KEPT_CHARS + len(":65535"):
        if is_here(value):
            return
        host = host_of(value)
    if host not in names():
        raise HttpRefusal(421, "wrong_host", "host", f"this device is not {host[:80]!r}")


def check_origin(scope: Scope, fields: Fields, policy: Policy) -> None:
    """Raises HttpRefusal (403) for what another site makes a browser send (hardening row 39)."""
    site = fields.get(b"sec-fetch-site", "none")
    if site not in ("none", "same-origin") and not (policy.links and navigates(scope, fields)):
        raise HttpRefusal(403, "forbidden", "sec-fetch-site", "requests of other sites are not taken")
    if not policy.links and scope["type"] == "http" and scope["path"] not in policy.shown and is_untold(fields):
        raise HttpRefusal(403, "forbidden", "user-agent", "whether another site made a browser ask, it says over HTTPS")
    if b"origin" in fields and site_of(fields.get(b"origin")) != fields.get(b"host").lower():
        raise HttpRefusal(403, "forbidden", "origin", "requests of other sites are not taken")


def navigates(scope: Scope, fields: Fields) -> bool:
    """Whether a browser goes to a page, by a link or because somebody typed its address."""
    return scope["type"] == "http" and scope["method"] == "GET" and fields.get(b"sec-fetch-mode") == "navigate"


def is_untold(fields: Fields) -> bool:
    """Whether a browser asks, perhaps with a log-in it remembers, and does not say for whom.

    No page can make it leave out its engine's name; over plain HTTP it leaves out Sec-Fetch-Site by itself.
    """
    agent = fields.get(b"user-agent")
    if not agent.startswith("Mozilla/") or not any(engine in agent for engine in ENGINES):
        return False
    told = b"sec-fetch-site" in fields or b"origin" in fields
    return not told and site_of(fields.get(b"referer")) != fields.get(b"host").lower()


def site_of(origin: str) -> str:
    """Host and port of an Origin or Referer header in lower case; empty when it is not one."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def check_content(scope: Scope, fields: Fields, policy: Policy) -> None:
    """Raises HttpRefusal (415) for a change that is not JSON: what a plain form can send changes nothing."""
    if not policy.json_only or scope["type"] != "http" or scope["method"] in SAFE:
        return
    kind = fields.get(b"content-type").partition(";")[0].strip().lower()
    if kind == "multipart/form-data" and (scope["method"], scope["path"]) in policy.uploads:
        return
    has_body = fields.get(b"content-length", "0") != "0" or b"transfer-encoding" in fields
    # DELETE without a body is never sent across sites unasked, unlike POST.
    if kind != "application/json" and (has_body or scope["method"] != "DELETE"):
        raise HttpRefusal(415, "invalid", "content-type", f"is {kind[:80]!r}; send application/json")


def route_of(scope: Scope) -> Route:
    """What policies list: method and path, `WS` for a WebSocket."""
    return (scope["method"] if scope["type"] == "http" else WS, scope["path"])


@dataclass(frozen=True, slots=True)
class Found:
    """Who answers a route, whether asking it may change something, and how open its policy leaves it."""

    policy: Policy
    app: ASGIApp | None
    changes: bool = True
    public: bool = False
    until_setup: bool = False
    optional: bool = False


# Of paths that no face answers.
NOWHERE = Found(Policy(via="http"), None)


class Guard:
    """The one ASGI application of the device: finds the face, decides who asks, and hands the request on.

    `names` are the names of this device and `hsts` whether browsers are told to stay with HTTPS, both asked each time.
    """

    def __init__(
        self,
        faces: tuple[Face, ...],
        core: Core,
        names: Callable[[], Collection[str]],
        hsts: Callable[[], bool] = lambda: False,
    ) -> None:
        self.faces = faces
        self._known = lru_cache(256)(self._find)
        self._core = core
        self._names = names
        self._hsts = hsts
        self._credentials = Credentials(core)
        self._reached = Reached(core)
        self._refusals: Pace[AccessRefused] = Pace(core.clock, core.bus.publish)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"the server sent {scope['type']!r}")
        method, path = route_of(scope)
        found = (self._known if len(path) <= KEPT_CHARS else self._find)(method, path)
        if "remote" in scope and not found.policy.remote:
            found = NOWHERE
        policy, app = found.policy, found.app
        outlet = Outlet(scope, send, hsts=self._hsts())
        try:
            fields = Fields(scope["headers"])
            check_host(fields, self._names)
            if app is None:
                raise HttpRefusal(404, "not_found", scope["path"], "nothing answers here")
            visitor = await self._admit(scope, fields, found)
            scope["visitor"], scope["caller"], scope[WHOLE] = visitor, visitor.caller, outlet.whole
            outlet.asks = visitor.unknown
            await self._reached.by(visitor, scope["path"])
            await answered(app, policy, scope, receive, outlet)
            if outlet.denied:
                raise await self._credentials.challenge(scope, policy, "log in")
            if outlet.forbidden:
                self._tell(scope, visitor)
        except (HttpRefusal, StationError) as error:
            await outlet.refuse(policy.refuse(error), receive)
        finally:
            scope.pop(WHOLE, None)  # it knows the request and is known by it: nothing is left for the collector

    def close(self) -> None:
        """End endless answers, and say no more of refusals."""
        for face in self.faces:
            face.close()
        self._refusals.close()

    def _find(self, method: str, path: str) -> Found:
        face = face_of(self.faces, path)
        if face is None:
            return NOWHERE
        route, policy = (method, path), face.policy
        return Found(
            policy, face.app, changes=method not in (*SAFE, WS), public=route in policy.public,
            until_setup=route in policy.until_setup, optional=route in policy.optional,
        )  # fmt: skip

    async def _admit(self, scope: Scope, fields: Fields, found: Found) -> Visitor:
        policy = found.policy
        check_origin(scope, fields, policy)
        if found.changes:
            check_content(scope, fields, policy)
        # Whoever comes from the cloud always logs in: the first administrator stands at the device's own network.
        if (found.public or (found.until_setup and self._needs_setup())) and "remote" not in scope:
            address = address_of(scope)
            return Visitor(caller=Caller(address, Level.ANONYMOUS, policy.via), scheme=PUBLIC, address=address)
        return await self._credentials.visitor(scope, fields, policy, optional=found.optional)

    def _needs_setup(self) -> bool:
        setup = self._core.bus.state(SetupState)
        return setup is not None and setup.needed

    def _tell(self, scope: Scope, visitor: Visitor) -> None:
        """Somebody who has logged in was told no: a fact, at most a few a second."""
        caller = visitor.caller
        if visitor.scheme != PUBLIC:
            told = AccessRefused(name=caller.name, address=visitor.address, via=caller.via, page=page_of(scope))
            self._refusals.put(f"{caller.name} {visitor.address}", told)


class Outlet:
    """The way out of one request: adds headers, and knows whether an answer has begun.

    `begun` is true from the first message on, `started` from the first that went out.
    """

    def __init__(self, scope: Scope, send: Send, *, hsts: bool) -> None:
        self._scope = scope
        self._send = send
        self._secure = hsts and scope["scheme"] in ("https", "wss")
        self.begun = False
        self.started = False
        self.asks = False
        self.denied = False
        self.forbidden = False

    async def send(self, message: Message) -> None:
        """Pass a message on; the 403 of somebody who has not logged in is held back, to become a question."""
        self.begun = True
        if message["type"] in STARTS:
            if message["status"] == 403:
                self.denied, self.forbidden = self.asks, not self.asks
            if not self.denied:
                self._add(message)
        if not self.denied:
            self.started = True
            await self._send(message)

    def whole(self, status: int, lines: bytes, body: bytes) -> bool:
        """Answer at once, with a head of these lines; whether that could be done. Else it is to be sent as usual.

        A 403 never is: it may become a question.
        """
        out: Takeover | None = self._scope.get("extensions", {}).get(STREAM)
        if out is None or status == 403 or not out.whole(status, lines + self._added().lines, body):
            return False
        self.begun = self.started = True
        return True

    def _added(self) -> Added:
        return ALL_ADDED[not self._scope["path"].startswith(NO_STORE), self._secure]

    def _add(self, message: Message) -> None:
        """Add the headers of every answer, but none that the application has given itself.

        Our server takes them as the lines they are: its check of every header is for those it does not know.
        """
        added = self._added()
        headers = message.get("headers", ())
        own = dict(headers)
        append: Callable[[bytes], None] | None = self._scope.get("extensions", {}).get(HEAD_LINES)
        if append is not None and ADDED_NAMES.isdisjoint(own):
            append(added.lines)
        else:
            message["headers"] = [*headers, *(pair for pair in added.pairs if pair[0] not in own)]

    async def refuse(self, answer: Response, receive: Receive) -> None:
        """Answer no, unless an answer has begun; a WebSocket is refused before it is accepted."""
        if self.started:
            return
        self.denied = False
        self.asks = False
        await answer(self._scope, receive, self.send)


class Way(Protocol):
    """The way out of a request; `begun` is whether anything was sent on it."""

    begun: bool

    async def send(self, message: Message) -> None:
        """Pass a message on."""


class Watched:
    """A way out that only knows whether it was used."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        self.begun = True
        await self._send(message)


async def answered(app: ASGIApp, policy: Policy, scope: Scope, receive: Receive, way: Way) -> None:
    """Run an application; what it raises becomes its answer. The last place that can still give one."""
    try:
        await app(scope, receive, way.send)
    except ClientDisconnect:
        return
    except (HttpRefusal, StationError) as error:
        answer = policy.refuse(error)
    except Exception:  # the fault is logged with its trace
        log.exception("%s %s failed", *route_of(scope))
        if way.begun:
            raise
        answer = refusal(500, "internal", scope["path"], "the device has a fault")
    else:
        return
    if not way.begun:
        await answer(scope, receive, way.send)


class Faults:
    """The same as ASGI middleware."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answered(self._app, self._policy, scope, receive, Watched(send))
