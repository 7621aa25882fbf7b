"""Service `api`: the HTTP server of the device with the native API and the status page.

FastAPI is imported when the service is made ready, so that other roles never pay for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from firmware.core.context import Core
from firmware.interfaces.api.settings import HttpSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from firmware.interfaces.http.limits import Deadlines, Limits
    from firmware.interfaces.http.server import Server


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
        clip_spool: Path | None = None,
    ) -> None:
        """Uploads lie in `spool` (bundles) and `clip_spool` on their way; without one nothing of its kind is taken."""
        self._core = core
        self._host = host
        self._port = port
        self._web = web
        self._deadlines = deadlines
        self._limits = limits
        self._spool = spool
        self._clip_spool = clip_spool
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
        from firmware.core.clip_limits import LARGEST_BYTES
        from firmware.interfaces.api.app import Api, host_names
        from firmware.interfaces.api.clips import PATH as CLIPS
        from firmware.interfaces.api.upload import PATH, Spool
        from firmware.interfaces.http.limits import Limits
        from firmware.interfaces.http.server import Server

        params = self._core.params
        if HttpSettings.group not in params:
            params.declare(HttpSettings)
        await params.load(HttpSettings)
        own = host_names()
        spool = None if self._spool is None else Spool(self._spool, self._core)
        clips = None
        if self._clip_spool is not None:
            clips = Spool(self._clip_spool, self._core, LARGEST_BYTES, what="clip")
        spools = {path: each for path, each in ((PATH, spool), (CLIPS, clips)) if each is not None}
        for each in spools.values():
            await each.clear()
        limits = self._limits or Limits(uploads={path: each.largest for path, each in spools.items()})
        api = Api(
            self._core,
            web=self._web,
            names=lambda: own | frozenset(params.get(HttpSettings).host_names),
            spool=spool,
            clip_spool=clips,
        )
        server = Server(
            api.app,
            self._host,
            self._port,
            self._core.clock,
            deadlines=self._deadlines,
            limits=limits,
            closing=api.events.streams.close,
        )
        await server.open()
        self._server = server
        self._app = api.app

    async def run(self) -> None:
        """Serve until cancelled."""
        assert self._server is not None, "start comes first"
        await self._server.serve()

    async def stop(self) -> None:
        """Stop serving."""
        self._app = None
        if self._server is not None:
            await self._server.close()
            self._server = None
