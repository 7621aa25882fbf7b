"""The logs over the native API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.vocabulary.logs import LogPage, SyslogTest
from firmware.interfaces.api.routes import Routes, answer, caller_of, query_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """The newest `limit` lines, those before the line `before`, those that hold `text`."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[str, Field(max_length=100)] = ""
    text: Annotated[str, Field(max_length=100)] = ""


class Logs:
    """The endpoints of logs."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        routes.add("GET", "/logs/{log}", self.read, level=Level.ADMIN, query=Which, gives=LogPage,
                   summary="The newest lines of the log access, audit or system, the oldest first")  # fmt: skip
        routes.add("POST", "/logs/test", self.test, level=Level.ADMIN, gives=SyslogTest,
                   summary="Send a test message to every remote system log")  # fmt: skip

    async def read(self, request: Request) -> Response:
        """Lines of one log."""
        which = query_of(request, Which)
        wish = {
            "log": request.path_params["log"],
            "limit": which.limit,
            "before": which.before,
            "text": which.text,
        }
        return answer(await self._core.link.command("logs.read", wish, caller_of(request)))

    async def test(self, request: Request) -> Response:
        """Whether the servers can be reached."""
        return answer(await self._core.link.command("logs.test", {}, caller_of(request)))
