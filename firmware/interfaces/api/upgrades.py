"""Firmware over the native API: upload and install, confirm, roll back. The owner of it all is control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Busy, Invalid, Unsupported
from firmware.core.vocabulary.upgrade import (
    ConfirmParams,
    InstallMode,
    UpgradeAnswer,
    UpgradeStage,
    UpgradeState,
)
from firmware.interfaces.api.routes import Routes, answer, answer_value, caller_of, object_of
from firmware.interfaces.api.upload import Spool

FILE = "bundle"
FIELDS = ("mode", "confirm_within_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeForm:
    """The form of an upload, multipart/form-data; `bundle` is the file."""

    bundle: Annotated[str, Field(json_schema_extra={"format": "binary"})]
    mode: InstallMode = InstallMode.STANDARD
    confirm_within_s: int = 1800


class Upgrades:
    """The endpoints of firmware."""

    def __init__(self, core: Core, spool: Spool | None) -> None:
        self._core = core
        self._spool = spool

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        add, admin = routes.add, Level.ADMIN
        add("GET", "/upgrade", self.show, level=Level.VIEWER, gives=UpgradeState,
            summary="Firmware of both slots and what is under way")  # fmt: skip
        add("POST", "/upgrade", self.install, level=admin, takes=UpgradeForm, gives=UpgradeAnswer, status=202,
            body="multipart/form-data", summary="Upload a bundle, install it and restart into it")  # fmt: skip
        add("POST", "/upgrade/confirm", self.confirm, level=admin, takes=ConfirmParams, status=204,
            summary="Keep the firmware on trial")  # fmt: skip
        add("POST", "/upgrade/rollback", self.roll_back, level=admin, gives=UpgradeAnswer, status=202,
            summary="Go back to the former firmware with its settings")  # fmt: skip

    def _state(self) -> UpgradeState:
        state = self._core.bus.state(UpgradeState)
        if state is None:
            raise Unsupported("upgrade", "this device was not started from a slot, or cannot read its record")
        return state

    async def show(self, _: Request) -> Response:
        """The retained state."""
        return answer_value(self._state())

    async def install(self, request: Request) -> Response:
        """Into the spool, and to control. Whoever cannot be served is told before the file is sent."""
        if self._spool is None:
            raise Unsupported("upgrade", "there is no spool")
        state = self._state()
        if state.stage is not UpgradeStage.IDLE:
            raise Busy("upgrade", f"an upgrade is under way ({state.stage.value})")
        self._spool.begin()
        file: str | None = None
        try:
            form = await self._spool.receive(request, FILE, FIELDS)
            file = form.file
            wish: dict[str, object] = {"spool": file, **form.fields}
            if "confirm_within_s" in form.fields:
                wish["confirm_within_s"] = _number("confirm_within_s", form.fields["confirm_within_s"])
            answered = await self._core.link.command("upgrade.install", wish, caller_of(request))
            return answer(answered, 202)
        finally:
            await self._spool.end(file)

    async def confirm(self, request: Request) -> Response:
        """Keep it."""
        await self._core.link.command("upgrade.confirm", await object_of(request), caller_of(request))
        return Response(status_code=204)

    async def roll_back(self, request: Request) -> Response:
        """Back."""
        return answer(await self._core.link.command("upgrade.rollback", {}, caller_of(request)), 202)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 6:
        raise Invalid(name, f"{text[:20]!r} is not a number of seconds")
    return int(text)
