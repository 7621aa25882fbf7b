"""Who sends a request over RTSP: the same questions to the same accounts as over HTTP, under the same throttle.

Basic is taken from this machine only, because nothing here is encrypted; Digest everywhere.
"""

from __future__ import annotations

from typing import Any

from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.interfaces.http.credentials import Credentials
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.http.face import Policy, Visitor
from firmware.interfaces.http.fields import Fields
from firmware.interfaces.rtsp.message import Answer, Request, refused
from firmware.interfaces.rtsp.target import Target

POLICY = Policy(via="rtsp", compatible=True, counted=False, cookies=False, links=False)
# Tries with a wrong password, and questions without an answer, that one connection has.
MOST_FAILURES = 3
MOST_QUESTIONS = 8


class Login:
    """The log-ins of one connection."""

    def __init__(self, core: Core, address: str, port: int) -> None:
        self._credentials = Credentials(core)
        self._client = (address, port)
        self._failures = 0
        self._questions = 0

    async def visitor(self, request: Request, target: Target) -> Visitor | Answer:
        """Who asks, or the answer that asks back or says no. Clients that go on guessing lose their connection."""
        try:
            scope = self._scope(request, target)
            visitor = await self._credentials.visitor(scope, Fields(scope["headers"]), POLICY)
        except HttpRefusal as error:
            return self._no(request, error)
        except StationError as error:
            return refused(503, f"{error.where}: {error.message}", ends=True)
        self._failures = self._questions = 0
        return visitor

    def _scope(self, request: Request, target: Target) -> dict[str, Any]:
        """The request as the log-in reads it: every client signs one of the ways to write this stream."""
        given = request.header("authorization")
        bare = target.stream.rstrip("/")
        return {
            "type": "http",
            "scheme": "rtsp",
            "method": request.method,
            "path": target.path,
            "raw_path": request.target.encode("latin-1"),
            "query_string": b"",
            "headers": [(b"authorization", given.encode("latin-1"))] if given else [],
            "client": self._client,
            "also": (target.stream, target.track, bare, f"{bare}/"),
        }

    def _no(self, request: Request, error: HttpRefusal) -> Answer:
        if error.status != 401:
            wait = [("Retry-After", value) for name, value in error.headers if name == "retry-after"]
            return refused(503 if error.status == 429 else 403, error.message, wait, ends=True)
        self._questions += 1
        self._failures += bool(request.header("authorization"))
        over = self._failures >= MOST_FAILURES or self._questions >= MOST_QUESTIONS
        offers = [("WWW-Authenticate", value) for _, value in error.headers]
        return Answer(status=401, headers=offers, ends=over)
