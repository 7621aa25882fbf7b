"""Accounts over the native API: the actions of the accounts under paths of their own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.vocabulary.security import AccountAdd, AccountList, AccountView, OwnPassword
from firmware.interfaces.api.routes import Routes, answer, caller_of, object_of


class Accounts:
    """The endpoints of accounts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        add, admin = routes.add, Level.ADMIN
        add("GET", "/accounts", self.list, level=admin, gives=AccountList, summary="All accounts")
        add("POST", "/accounts", self.create, level=admin, takes=AccountAdd, gives=AccountView, status=201,
            summary="Make an account")  # fmt: skip
        add("PATCH", "/accounts/{name}", self.change, level=admin, takes=dict[str, object], gives=AccountView,
            summary="Change a password, a level or the right to move the camera; what is not named stays")  # fmt: skip
        add("DELETE", "/accounts/{name}", self.remove, level=admin, status=204,
            summary="Remove an account; the last administrator stays")  # fmt: skip
        add("POST", "/password", self.password, level=Level.VIEWER, takes=OwnPassword, gives=AccountView,
            summary="Change the password of whoever asks")  # fmt: skip

    async def list(self, request: Request) -> Response:
        """All accounts, without secrets."""
        return await self._ask(request, "accounts.list", {})

    async def create(self, request: Request) -> Response:
        """A new account."""
        return await self._ask(request, "accounts.add", await object_of(request), 201)

    async def change(self, request: Request) -> Response:
        """An account changes."""
        body = await object_of(request)
        if "name" in body:
            raise Invalid("accounts.change.name", "is not written in the body: it is in the path and never changes")
        return await self._ask(request, "accounts.change", {"name": request.path_params["name"], **body})

    async def remove(self, request: Request) -> Response:
        """One account less."""
        await self._ask(request, "accounts.remove", {"name": request.path_params["name"]})
        return Response(status_code=204)

    async def password(self, request: Request) -> Response:
        """One's own password."""
        return await self._ask(request, "accounts.password", await object_of(request))

    async def _ask(self, request: Request, action: str, data: object, status: int = 200) -> Response:
        return answer(await self._core.link.command(action, data, caller_of(request)), status)
