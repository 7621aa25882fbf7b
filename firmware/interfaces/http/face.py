"""A face: one way of talking to the device over HTTP (native API and page, compatible API ...), as data for the guard.

All faces share one server, one guard, one throttle and one log of accesses. What differs between them is written
down in their `Policy`; a route is closed unless the policy lists it, each with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp

from firmware.core.actions import Caller, Level
from firmware.core.errors import StationError
from firmware.interfaces.http.errors import HttpRefusal, answer_to

# Method and path; a WebSocket has the method `WS`.
Route = tuple[str, str]
# In the ASGI scope of a request that the guard let in: how a short answer is given at once (`Outlet.whole`).
WHOLE = "lintel.whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one face lets people in.

    `via` is the interface as logs name it. `compatible`: what older clients need of Digest (MD5 alone, no `qop`,
    `uri` without query). `counted`: Digest asks for a count, which clients of RTSP do not know. `json_only`: what
    changes something is JSON, so that no form of another site can send it; `uploads` are the routes that take a
    form with a file nevertheless. `cookies`: the web's sessions are taken. `links`: another site may lead a browser
    to a GET of this face, because no GET changes anything without a key that no other site knows
    (`firmware.interfaces.api.links`). Where a GET does change things, a browser has to say that no other site made
    it ask, which over plain HTTP it does not; `shown` are paths that it may open all the same, because they only
    show. `remote`: whoever comes through the dispatcher may ask this face (hardening row 44); others do not exist
    for them.

    Open routes, each with its reason: `public` always, `until_setup` while there is nobody to log in, `optional` where
    the answer depends on who asks: credentials are checked when they come, and asked for when the route says 403.
    """

    via: str
    compatible: bool = False
    counted: bool = True
    json_only: bool = True
    cookies: bool = True
    links: bool = True
    remote: bool = False
    shown: frozenset[str] = frozenset()
    uploads: frozenset[Route] = frozenset()
    public: Mapping[Route, str] = field(default_factory=dict)
    until_setup: Mapping[Route, str] = field(default_factory=dict)
    optional: Mapping[Route, str] = field(default_factory=dict)
    refuse: Callable[[StationError | HttpRefusal], Response] = answer_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One face: the paths it answers (`prefixes`; `/` takes what nobody else does), its application and policy.

    `levels` lists its routes with the least level each asks for, `sizes` the paths whose bodies may be larger than
    usual, `close` ends its endless answers when the server stops.
    """

    name: str
    prefixes: tuple[str, ...]
    app: ASGIApp
    policy: Policy
    levels: Mapping[Route, Level] = field(default_factory=dict)
    sizes: Mapping[bytes, int] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asks, and how it was found out: `scheme` is basic, digest, session, anonymous,
    public (the route asks nobody) or none. `session` is what facts call the session, empty without one.

    In the ASGI scope of every request as `visitor`; its caller also as `caller`.
    """

    caller: Caller
    scheme: str
    address: str
    session: str = ""

    @property
    def unknown(self) -> bool:
        """Whether nobody has logged in: a refusal becomes a question for a name and password."""
        return self.scheme in ("anonymous", "none")


def face_of(faces: tuple[Face, ...], path: str) -> Face | None:
    """The face that answers a path: the longest prefix wins, whole path segments only."""
    fitting = [
        (len(prefix), face)
        for face in faces
        for prefix in face.prefixes
        if prefix == "/" or path == prefix or path.startswith(prefix.rstrip("/") + "/")
    ]
    return max(fitting, key=lambda each: each[0])[1] if fitting else None
