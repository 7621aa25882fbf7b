"""Restart and factory default for programs: restart.cgi, factorydefault.cgi, hardfactorydefault.cgi.

The device answers first and acts afterwards. The words in the pages are what clients look for.
"""

from __future__ import annotations

from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.interfaces.vapix.asked import Address, Asked, plain

HTML = "text/html; charset=utf-8"


class PowerCgis:
    """The three addresses; what they ask for is carried out by control, which answers before it acts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def addresses(self) -> tuple[Address, ...]:
        """The addresses."""
        return (
            Address(path="/axis-cgi/restart.cgi", endpoint=self._restart, level=Level.ADMIN),
            Address(path="/axis-cgi/admin/restart.cgi", endpoint=self._restart, level=Level.ADMIN),
            Address(path="/axis-cgi/factorydefault.cgi", endpoint=self._restore, level=Level.ADMIN),
            Address(path="/axis-cgi/admin/factorydefault.cgi", endpoint=self._restore, level=Level.ADMIN),
            Address(path="/axis-cgi/hardfactorydefault.cgi", endpoint=self._default, level=Level.ADMIN),
            Address(path="/axis-cgi/admin/hardfactorydefault.cgi", endpoint=self._default, level=Level.ADMIN),
        )

    async def _restart(self, asked: Asked) -> Response:
        return await self._do(asked, "device.restart", "restartMessage", "The device restarts.")

    async def _restore(self, asked: Asked) -> Response:
        """Network settings are kept, everything else is as new."""
        return await self._do(asked, "device.restore", "factoryMessage", "The device is restored.")

    async def _default(self, asked: Asked) -> Response:
        """Nothing is kept."""
        return await self._do(asked, "device.factory_default", "factoryMessage2", "The device is reset.")

    async def _do(self, asked: Asked, action: str, page: str, words: str) -> Response:
        await self._core.link.command(action, {}, asked.caller)
        host = asked.request.url.hostname or ""
        server = "".join(sign for sign in host if sign.isalnum() or sign in ".:-[]")
        refresh = f'<meta http-equiv="refresh" content="0; url=/admin/{page}.shtml?server={server}">'
        return plain(f"<html><head>{refresh}</head><body>{words}</body></html>\n", kind=HTML)
