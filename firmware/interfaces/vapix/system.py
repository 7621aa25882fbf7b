"""Finding the device, applications and what REST interfaces there are, for programs; time and network beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.clock import TimeApis
from firmware.interfaces.vapix.device import identity
from firmware.interfaces.vapix.envelope import NEWER, Call, JsonApi, Method
from firmware.interfaces.vapix.network import NetworkApi

DISCOVER = "/config/discover"
FIND_S = 30.0
LONGEST_FIND_S = 3600.0
NO_APPLICATION = "Error: 4\n"  # the number clients know for an application that is not there


class SystemApis:
    """The addresses."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._time = TimeApis(core)
        self._network = NetworkApi(core)

    def apis(self) -> tuple[JsonApi, ...]:
        """The JSON addresses."""
        return (
            *self._time.apis(),
            self._network.api(),
            JsonApi(
                id="find-my-device",
                name="Find My Device",
                path="/axis-cgi/findmydevice.cgi",
                codes=NEWER,
                methods={
                    "find": Method(run=self._find, level=Level.OPERATOR),
                    "stop": Method(run=self._stop, level=Level.OPERATOR),
                },
            ),
        )

    def addresses(self) -> tuple[Address, ...]:
        """The others."""
        return (
            Address(path="/axis-cgi/applications/list.cgi", endpoint=self._applications, level=Level.VIEWER),
            Address(path="/axis-cgi/applications/control.cgi", endpoint=self._no_application, level=Level.ADMIN),
            Address(path=DISCOVER, endpoint=self._discover, level=Level.VIEWER, methods=("GET",)),
        )

    async def _find(self, call: Call) -> Mapping[str, Any]:
        """The device lets itself be seen, and heard where it can, for `duration` seconds."""
        duration_s = call.number("duration", FIND_S, least=1, most=LONGEST_FIND_S)
        await self._core.link.command("device.locate", {"duration_s": duration_s}, call.caller)
        return {}

    async def _stop(self, call: Call) -> Mapping[str, Any]:
        await self._core.link.command("device.locate_stop", {}, call.caller)
        return {}

    async def _applications(self, _: Asked) -> Response:
        """None: this device runs no programs of others."""
        return plain('<?xml version="1.0" encoding="utf-8"?>\n<reply result="ok"/>\n', kind="text/xml; charset=utf-8")

    async def _no_application(self, _: Asked) -> Response:
        return plain(NO_APPLICATION)

    async def _discover(self, _: Asked) -> Response:
        """The REST interfaces: the native one, with its description."""
        native = {
            "state": "released",
            "version": identity(self._core).version,
            "rest_api": "/api/v1",
            "rest_openapi": "/api/v1/openapi.json",
        }
        return JSONResponse({"apis": {"lintel": {"v1": native}}})
