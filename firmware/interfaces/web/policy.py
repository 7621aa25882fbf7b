"""What the guard knows of the web interface: its open routes, its refusals as pages, and its content policy."""

from __future__ import annotations

import secrets
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from firmware.core.errors import StationError
from firmware.interfaces.http.errors import HttpRefusal, answer_to
from firmware.interfaces.http.face import Policy
from firmware.interfaces.web.plain import refusal_page

LOGIN = "/login"
SETUP = "/setup"
FILES = ("entrance.js", "entrance.css", "icon.svg")


class ForPeople(Response):
    """A refusal for whoever asks: a browser that nobody logged in with is sent to the log-in, other browsers get a page
    that says it, and programs get it as it is.

    Who comes from the cloud counts as a program: the dispatcher asks for a name and password by itself.
    """

    def __init__(self, refused: Response) -> None:
        super().__init__(status_code=refused.status_code)
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        refused = self._refused
        if scope["type"] == "http" and scope["method"] == "GET" and "remote" not in scope and _looks(scope):
            if refused.status_code == 401:
                refused = RedirectResponse(f"{LOGIN}?next={quote(scope['path'], safe='/')}", 303)
            else:
                refused = refusal_page(scope, refused)
        await refused(scope, receive, send)


def _looks(scope: Scope) -> bool:
    """Whether somebody wants to look at a page."""
    return "text/html" in Headers(scope=scope).get("accept", "")


def refuse(error: StationError | HttpRefusal) -> Response:
    """The answer an error is told with."""
    return ForPeople(answer_to(error))


POLICY = Policy(
    via="web",
    remote=True,
    public={
        ("GET", LOGIN): "asks for a name and a password",
        **{("GET", f"/web/{name}"): "belongs to the log-in and the first start" for name in FILES},
    },
    until_setup={("GET", SETUP): "the form that makes the first administrator"},
    refuse=refuse,
)


def nonce() -> str:
    """A number for one answer: only what carries it may run as a script."""
    return secrets.token_urlsafe(16)


def page_csp(number: str) -> str:
    """The content policy of a page of the toolkit (hardening row 41); docs/web.md says why each of it is there.

    Scripts: files of this device, and the inline ones of this very answer. `unsafe-eval` is Vue, which makes functions
    of the templates and event handlers that the page was sent with. `unsafe-inline` for styles: components measure and
    place themselves with style attributes and style elements.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{number}' 'unsafe-eval'",
            f"style-src-elem 'self' 'nonce-{number}'",
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "media-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
