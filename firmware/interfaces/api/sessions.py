"""Sessions of the web interface over the native API: log in, see who one is, log out.

The secret leaves in a cookie that scripts cannot read and other sites cannot send; the token that every change has
to carry leaves in the body, for the page's script.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level, Nothing
from firmware.core.context import Core
from firmware.core.values import decode
from firmware.core.vocabulary.security import (
    Login,
    SessionOpened,
    SessionToken,
    SessionView,
    VerifyBasic,
)
from firmware.interfaces.api.routes import Routes, answer_value, caller_of, json_of
from firmware.interfaces.http.credentials import (
    COOKIES,
    Credentials,
    address_of,
    cookie_of,
    page_of,
    password_allowed,
    throttled,
)
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.http.face import Visitor

Text = Annotated[str, Field(max_length=256)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginForm:
    """A name and a password."""

    name: Text
    password: Text = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoBody:
    """Who asks: account, level, whether it may move the camera, and how it logged in.

    `csrf` is the token of a session, to be sent as X-CSRF-Token with every change; empty for the other schemes.
    """

    name: str
    level: str
    ptz: bool
    scheme: str
    csrf: str = field(default="", repr=False)


class WebSessions:
    """The endpoints of sessions."""

    def __init__(self, core: Core) -> None:
        self._accounts = Credentials(core)

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        routes.add("POST", "/session", self.open, level=Level.ANONYMOUS, takes=LoginForm, gives=WhoBody, status=201,
                   summary="Log in: opens a session, its secret in a cookie")  # fmt: skip
        routes.add("GET", "/session", self.show, level=Level.VIEWER, gives=WhoBody, summary="Who asks")
        routes.add("DELETE", "/session", self.close, level=Level.VIEWER, status=204, summary="Log out")

    async def open(self, request: Request) -> Response:
        """Log in. Raises HttpRefusal: 403 where others could read the password, 401, 429."""
        scope = request.scope
        if not password_allowed(scope):
            raise HttpRefusal(403, "https_required", "session", "a password is taken over HTTPS only")
        form = decode(LoginForm, await json_of(request), where="session")
        asked = VerifyBasic(
            name=form.name,
            password=form.password,
            address=address_of(scope),
            via=caller_of(request).via,
            page=page_of(scope),
            scheme="session",
        )
        opened = await self._accounts.ask("accounts.session_open", asked, SessionOpened)
        verdict = opened.verdict
        if verdict.login is Login.THROTTLED:
            raise throttled(verdict)
        if verdict.login is not Login.GRANTED:
            # Without a challenge: a browser would put its own form before the page's.
            raise HttpRefusal(401, "unauthenticated", "session", "name or password is wrong")
        level = verdict.level.name.lower()
        body = WhoBody(name=verdict.name, level=level, ptz=verdict.ptz, scheme="session", csrf=opened.csrf)
        answer = answer_value(body, 201)
        _set_cookie(answer, scope["scheme"], opened.token)
        return answer

    async def show(self, request: Request) -> Response:
        """Who asks; a page that was loaded anew gets the token of its session again."""
        visitor: Visitor = request.scope["visitor"]
        csrf = ""
        if visitor.scheme == "session":
            csrf = (await self._accounts.ask("accounts.session", _token(request), SessionView)).csrf
        caller = visitor.caller
        level = caller.level.name.lower()
        return answer_value(WhoBody(name=caller.name, level=level, ptz=caller.ptz, scheme=visitor.scheme, csrf=csrf))

    async def close(self, request: Request) -> Response:
        """Log out."""
        await self._accounts.ask("accounts.session_close", _token(request), Nothing)
        answer = Response(status_code=204)
        _set_cookie(answer, request.scope["scheme"], "")
        return answer


def _token(request: Request) -> SessionToken:
    return SessionToken(token=cookie_of(request.scope))


def _set_cookie(answer: Response, scheme: str, token: str) -> None:
    """Set the session's cookie, or take it away; it ends with the browser."""
    age = None if token else 0
    answer.set_cookie(
        COOKIES[scheme], token, max_age=age, path="/", secure=scheme == "https", httponly=True, samesite="strict"
    )
