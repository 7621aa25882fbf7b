"""Service `api`: the HTTP server of the device with the native API and the status page.

Starlette is imported when the service is made ready, so that other roles never pay for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from firmware.core.context import Core
from firmware.interfaces.api.settings import HttpSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from firmware.interfaces.http.limits import Deadlines, Limits
    from firmware.interfaces.http.server import Server
    from firmware.interfaces.video.place import Place
    from firmware.interfaces.video.views import Views


class ApiService:
    """Listens on `host`:`port` (0: any free one); `web` adds the status page."""

    name: ClassVar[str] = "api"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        core: Core,
        host: str,
        port: int,
        web: bool,
        *,
        deadlines: Deadlines | None = None,
        limits: Limits | None = None,
        spool: Path | None = None,
        places: Sequence[Place] = (),
    ) -> None:
        """`spool` is where uploads lie on their way to control; without one nothing is uploaded.

        `places` are the picture sources.
        """
        self._core = core
        self._host = host
        self._port = port
        self._web = web
        self._deadlines = deadlines
        self._limits = limits
        self._spool = spool
        self._places = places
        self._views: Views | None = None
        self._server: Server | None = None
        self._app: ASGIApp | None = None

    @property
    def app(self) -> ASGIApp | None:
        """The application while it is served; None when it is not."""
        return self._app

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once started."""
        assert self._server is not None, "start comes first"
        return self._server.address

    async def start(self) -> None:
        """Bind the address. Raises Unavailable naming it and the reason."""
        from firmware.interfaces.api.upload import Spool
        from firmware.interfaces.faces import guarded, host_names
        from firmware.interfaces.http.limits import Limits
        from firmware.interfaces.http.server import Server
        from firmware.interfaces.video.views import Views

        params = self._core.params
        if HttpSettings.group not in params:
            params.declare(HttpSettings)
        await params.load(HttpSettings)
        own = host_names()
        spool = None if self._spool is None else Spool(self._spool, self._core)
        if spool is not None:
            await spool.clear()
        views = self._views = Views(self._core, self._places) if self._places else None
        guard = guarded(
            self._core,
            web=self._web,
            spool=spool,
            names=lambda: own | frozenset(params.get(HttpSettings).host_names),
            views=views,
        )
        sizes = {path: size for face in guard.faces for path, size in face.sizes.items()}

        server = Server(
            guard,
            self._host,
            self._port,
            self._core.clock,
            deadlines=self._deadlines,
            limits=self._limits or Limits(uploads=sizes),
            closing=guard.close,
        )
        await server.open()
        self._server = server
        self._app = guard

    async def run(self) -> None:
        """Serve until cancelled."""
        assert self._server is not None, "start comes first"
        async with asyncio.TaskGroup() as group:
            if self._views is not None:
                group.create_task(self._views.run(), name="views")
            await self._server.serve()

    async def stop(self) -> None:
        """Stop serving."""
        self._app = None
        if self._server is not None:
            await self._server.close()
            self._server = None
