"""Service `api`: the HTTP server of the device, with every face over HTTP, on a door for HTTP and one for HTTPS.

Starlette is imported when the service is made ready, so that other roles never pay for it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from firmware.core.clip_limits import LARGEST_BYTES
from firmware.core.context import Core
from firmware.core.errors import StationError, Unavailable
from firmware.core.link.channel import Connect
from firmware.core.tls import Tls
from firmware.core.vocabulary.certificates import CertificateChanged, HttpState
from firmware.core.vocabulary.discovery import DiscoveryState
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.api.settings import Access, HttpSettings
from firmware.interfaces.net.settings import TroubleshootingSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from firmware.interfaces.http.limits import Deadlines, Limits
    from firmware.interfaces.http.server import Door, Server
    from firmware.interfaces.video.place import Place
    from firmware.interfaces.video.views import Views
    from firmware.interfaces.web.plan import Plan
    from firmware.interfaces.web.web import Web

Address = tuple[str, int]

log = logging.getLogger("lintel.http")


class ApiService:
    """Listens on `host`:`port` (0: any free one) and, with `tls`, for HTTPS on `https`; `web` adds the pages."""

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
        https: Address | None = None,
        tls: Tls | None = None,
        deadlines: Deadlines | None = None,
        limits: Limits | None = None,
        spool: Path | None = None,
        clip_spool: Path | None = None,
        places: Sequence[Place] = (),
        voices: Connect | None = None,
        listener: Path | None = None,
        bench: Path | None = None,
        plan: Plan | None = None,
    ) -> None:
        """Uploads lie in `spool` (bundles) and `clip_spool` on their way; without one nothing of its kind is taken.

        `places` are the picture sources, `voices` leads to sound, `listener` to whoever may listen to
        an adapter; `bench` is the socket of the simulated world, on a
        simulated device, and `plan` what the device image shows.
        """
        self._core = core
        self._http = (host, port)
        self._https = https if tls is not None else None
        self._tls = tls
        self._with_web = web
        self._bench = bench
        self._plan = plan
        self._web: Web | None = None
        self._deadlines = deadlines
        self._limits = limits
        self._spool = spool
        self._clip_spool = clip_spool
        self._places = places
        self._voices = voices
        self._listener = listener
        self._views: Views | None = None
        self._server: Server | None = None
        self._app: ASGIApp | None = None
        self._context: ssl.SSLContext | None = None
        self._trouble = ""
        self._wanted: dict[str, Address] = {}
        self._failed: dict[str, str] = {}

    @property
    def app(self) -> ASGIApp | None:
        """The application while it is served; None when it is not."""
        return self._app

    @property
    def address(self) -> Address:
        """Where it listens, once started."""
        assert self._server is not None, "start comes first"
        return self._server.address

    async def start(self) -> None:
        """Bind the addresses. Raises Unavailable naming it and the reason, when not even one can be had."""
        from firmware.interfaces.api.upload import Spool
        from firmware.interfaces.faces import guarded, host_names
        from firmware.interfaces.http.limits import Limits
        from firmware.interfaces.http.server import Server
        from firmware.interfaces.video.views import Views

        params = self._core.params
        for group in (HttpSettings, TroubleshootingSettings):
            if group.group not in params:
                params.declare(group)
            await params.load(group)
        own = host_names()
        spool = None if self._spool is None else Spool(self._spool, self._core)
        clips = None
        if self._clip_spool is not None:
            clips = Spool(self._clip_spool, self._core, LARGEST_BYTES, what="clip")
        for each in (spool, clips):
            if each is not None:
                await each.clear()
        views = self._views = Views(self._core, self._places) if self._places else None
        self._web = self._pages() if self._with_web else None
        if self._web is not None:
            await self._web.start()
        guard = guarded(
            self._core,
            web=self._web,
            spool=spool,
            clip_spool=clips,
            names=lambda: own | found_as(self._core) | frozenset(params.get(HttpSettings).host_names),
            views=views,
            voices=self._voices,
            listener=self._listener,
            hsts=lambda: params.get(HttpSettings).hsts,
            local=lambda: params.get(TroubleshootingSettings).local,
        )
        sizes = {path: size for face in guard.faces for path, size in face.sizes.items()}
        self._wanted = {}
        self._server = Server(
            guard,
            *self._http,
            self._core.clock,
            deadlines=self._deadlines,
            limits=self._limits or Limits(uploads=sizes),
            closing=guard.close,
        )
        await self._obey()
        if not self._server.doors:
            trouble = self._trouble
            await self.stop()
            raise Unavailable("http", trouble)
        self._app = guard

    async def run(self) -> None:
        """Serve, and follow the settings, until cancelled."""
        assert self._server is not None, "start comes first"
        async with asyncio.TaskGroup() as group:
            if self._views is not None:
                group.create_task(self._views.run(), name="views")
            if self._web is not None:
                group.create_task(self._web.run(), name="web")
            group.create_task(self._server.serve(), name="http")
            with self._core.bus.subscribe(ParamsChanged, CertificateChanged) as changes:
                await self._obey()  # what changed before somebody listened
                async for notice in changes:
                    if getattr(notice.event, "group", HttpSettings.group) == HttpSettings.group:
                        await self._obey()

    async def stop(self) -> None:
        """Stop serving."""
        self._app = None
        if self._server is not None:
            await self._server.close()
            self._server = None
        self._core.bus.forget(HttpState)

    def _pages(self) -> Web:
        from firmware.interfaces.web.bench import Bench
        from firmware.interfaces.web.plan import Plan
        from firmware.interfaces.web.web import Web

        bench = None if self._bench is None else Bench(self._bench, self._core.clock)
        return Web(self._core, bench=bench, plan=self._plan or Plan())

    async def _obey(self) -> None:
        """Open, move and shut doors as the settings say; what cannot be had is said, and the former stays."""
        from firmware.interfaces.http.server import Door

        assert self._server is not None
        settings = self._core.params.get(HttpSettings)
        self._trouble = self._show_certificate(settings.certificate)
        for door, base, port, wanted in (
            (Door.HTTPS, self._https, settings.https_port, settings.access is not Access.HTTP),
            (Door.HTTP, self._http, settings.http_port, settings.access is not Access.HTTPS),
        ):
            if base is not None and (wanted or (door is Door.HTTP and not self._server.doors)):
                # HTTP stays when HTTPS cannot be had: somebody must be able to come in and put it right.
                await self._open(door, (base[0], base[1] if port is None else port))
            else:
                self._server.shut(door)
                self._wanted.pop(door, None)
        self._publish(settings)

    async def _open(self, door: Door, address: Address) -> None:
        from firmware.interfaces.http.server import Door

        assert self._server is not None
        if self._wanted.get(door) == address:
            return
        try:
            await self._server.listen(door, *address, self._secret if door is Door.HTTPS else None)
        except Unavailable as error:
            if self._failed.get(door) != error.message:  # settings are followed again and again: it is said once
                log.error("%s", error)
            self._failed[door] = error.message
            self._trouble = self._trouble or error.message
            return
        self._failed.pop(door, None)
        self._wanted[door] = address

    def _secret(self) -> ssl.SSLContext:
        assert self._context is not None
        return self._context

    def _show_certificate(self, name: str) -> str:
        """Take the certificate that is set, or the device's own when it cannot be used; answers what is wrong."""
        if self._tls is None or self._https is None:
            return ""
        try:
            self._context = self._tls.server(name)
        except StationError as error:
            self._context = self._tls.server()
            return f"HTTPS shows the device's own certificate: {error.message}"
        return ""

    def _publish(self, settings: HttpSettings) -> None:
        from firmware.interfaces.http.server import Door, shown

        assert self._server is not None
        at = {door: shown(*self._server.address_of(door)) for door in self._server.doors}
        fingerprint = ""
        if Door.HTTPS in at and self._tls is not None:
            fingerprint = self._tls.fingerprint("" if self._trouble else settings.certificate)
        self._core.bus.publish(
            HttpState(
                http=at.get(Door.HTTP, ""),
                https=at.get(Door.HTTPS, ""),
                fingerprint=fingerprint,
                warning=self._trouble or settings.warning(),
            )
        )


def found_as(core: Core) -> frozenset[str]:
    """The names under which multicast DNS says that this device is to be found."""
    states = core.bus.states(DiscoveryState)
    return frozenset(f"{host}.local" for state in states for host in (state.host, *state.also) if host)
