"""All addresses of the VAPIX-compatible face, as one small ASGI application for the guard.

Every address is listed here once, with the least level it asks for; apidiscovery names only what is listed.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Forbidden, StationError
from firmware.core.link.channel import Connect
from firmware.interfaces.api.upload import Spool
from firmware.interfaces.http.errors import HttpRefusal, status_of
from firmware.interfaces.http.face import Face, Policy, Route
from firmware.interfaces.net.looking import Looking
from firmware.interfaces.vapix.asked import GET_AND_POST, Asked, plain
from firmware.interfaces.vapix.audio import AudioCgis
from firmware.interfaces.vapix.clips import ClipCgis
from firmware.interfaces.vapix.declarations import EventDeclarations
from firmware.interfaces.vapix.device import DeviceApis, DiscoveryApi
from firmware.interfaces.vapix.envelope import JsonApi
from firmware.interfaces.vapix.event_socket import STREAM, EventSocket
from firmware.interfaces.vapix.firmware import FirmwareCgis
from firmware.interfaces.vapix.images import IMAGE, VIDEO, ImageCgis
from firmware.interfaces.vapix.io import IoApis
from firmware.interfaces.vapix.leaves import Tree
from firmware.interfaces.vapix.light import LightApi
from firmware.interfaces.vapix.onvif import PATH as ONVIF
from firmware.interfaces.vapix.onvif import OnvifDevice
from firmware.interfaces.vapix.params import ParamCgi
from firmware.interfaces.vapix.power import PowerCgis
from firmware.interfaces.vapix.probing import ProbeCgis
from firmware.interfaces.vapix.reports import ReportCgis
from firmware.interfaces.vapix.soap import SoapServices
from firmware.interfaces.vapix.speaker import SpeakerTestApi
from firmware.interfaces.vapix.syslog import SyslogApi
from firmware.interfaces.vapix.system import DISCOVER, SystemApis
from firmware.interfaces.vapix.users import UserCgis
from firmware.interfaces.video.views import Views
from hal.errors import nearest

PREFIXES = ("/axis-cgi", "/vapix", ONVIF, DISCOVER)
# Addresses without the JSON envelope that apidiscovery knows a name for.
PLAIN_APIS = {
    "event-streaming-over-websocket": ("Event Streaming over WebSocket", "1.0"),
    "param-cgi": ("Legacy Parameter Handling", "1.0"),
    "user-management": ("User Management", "1.1"),
}
MEDIACLIP = "mediaclip"
OPEN: Mapping[str, str] = {
    "/axis-cgi/apidiscovery.cgi": "clients ask what there is before they log in",
    "/axis-cgi/basicdeviceinfo.cgi": "has a method for everybody, without what identifies the chip",
    "/axis-cgi/systemready.cgi": "programs wait for the device before they have an account",
    "/axis-cgi/pwdgrp.cgi": "makes the first administrator; asks for a log-in as soon as there is one",
    "/axis-cgi/admin/pwdgrp.cgi": "the same under an older name",
    ONVIF: "programs read date and time before they log in; all else there asks for a log-in",
}


def refuse(error: StationError | HttpRefusal) -> Response:
    """An error as these clients read it: a line of text."""
    if isinstance(error, HttpRefusal):
        answer = plain(f"Error: {error.message}\n", error.status)
        for name, value in error.headers:
            answer.headers.append(name, value)
        return answer
    return plain(f"Error: {error.where}: {error.message}\n", status_of(error))


POLICY = Policy(
    via="vapix",
    compatible=True,
    json_only=False,  # forms come as text/plain, JSON under any name
    cookies=False,  # a browser's session never reaches these addresses: they change things by GET
    links=False,
    shown=frozenset({IMAGE, VIDEO}),
    optional={
        **{
            (method, path): why
            for path, why in OPEN.items()
            for method in (("POST",) if path == ONVIF else GET_AND_POST)
        },
        ("WS", STREAM): "takes a token that somebody who has logged in asked for",
    },
    refuse=refuse,
)


class Vapix:
    """The application: a table from paths to addresses."""

    def __init__(
        self,
        core: Core,
        views: Views,
        *,
        spool: Spool | None = None,
        clip_spool: Spool | None = None,
        voices: Connect | None = None,
        looking: Looking | None = None,
    ) -> None:
        """`views` are the cameras, `voices` leads to sound, `looking` are the tests of the network.

        Uploads lie in the spools on their way; without one nothing of its kind is taken.
        """
        looking = looking or Looking(core, lambda: False)
        device, speaker = DeviceApis(core), SpeakerTestApi(core)
        images = ImageCgis(core, views)
        bundles = FirmwareCgis(core, spool)
        system, clips = SystemApis(core), ClipCgis(core, clip_spool)
        self._audio = AudioCgis(core, voices)
        self._sizes = {**bundles.sizes(), **clips.sizes(), **self._audio.sizes()}
        self._io = IoApis(core)
        self._sockets = EventSocket(core)
        tree = Tree(core, (images.leaves, clips.leaves, self._audio.leaves))
        self._apis = (
            *device.apis(),
            *self._io.apis(),
            *images.apis(),
            *bundles.apis(),
            *system.apis(),
            *SyslogApi(core).apis(),
            *LightApi(core).apis(),
        )
        self._clips = clips
        discovery = DiscoveryApi(self.apis, self._plain_apis)
        self._discovery = discovery.api()
        addresses = (
            *(api.address() for api in self.apis()),
            *self._io.addresses(),
            *images.addresses(),
            *bundles.addresses(),
            *system.addresses(),
            *clips.addresses(),
            *self._audio.addresses(),
            *speaker.addresses(),
            *ProbeCgis(looking).addresses(),
            *ReportCgis(core, images, looking).addresses(),
            *ParamCgi(tree.leaves, tree.product).addresses(),
            *UserCgis(core).addresses(),
            *PowerCgis(core).addresses(),
            *self._sockets.addresses(),
            *SoapServices(EventDeclarations(core).operations()).addresses(),
            *SoapServices(OnvifDevice(core).operations(), (ONVIF,)).addresses(),
        )
        self._addresses = {address.path: address for address in addresses}

    def face(self) -> Face:
        """This interface for the guard."""
        levels: dict[Route, Level] = {
            (method, address.path): address.level for address in self._addresses.values() for method in address.methods
        }
        levels["WS", STREAM] = Level.VIEWER
        return Face(
            name="vapix",
            prefixes=PREFIXES,
            app=self,
            policy=POLICY,
            levels=levels,
            sizes=self._sizes,
            close=self._close,
        )

    def apis(self) -> tuple[JsonApi, ...]:
        """All addresses with the envelope."""
        return (*self._apis, self._discovery)

    def _plain_apis(self) -> Mapping[str, tuple[str, str]]:
        """Those without the envelope that this device has."""
        return {**PLAIN_APIS, **({MEDIACLIP: ("Media Clip", "1.0")} if self._clips.here() else {})}

    def _close(self) -> None:
        self._io.close()
        self._audio.close()
        self._sockets.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises StationError, which the guard tells."""
        if scope["type"] == "websocket":
            if scope["path"] != STREAM:
                raise HttpRefusal(404, "not_found", scope["path"], f"no such WebSocket; there is {STREAM}")
            await self._sockets.serve(scope, receive, send)
            return
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        address = self._addresses.get(path)
        if address is None or not address.here():
            # Told only to those who may look: a stranger learns nothing of what there is.
            if request.scope["caller"].level is Level.ANONYMOUS:
                raise Forbidden(path, "needs a log-in")
            raise HttpRefusal(404, "not_found", path, f"no such address{nearest(path, self._addresses)}")
        if request.method not in (*address.methods, "HEAD"):
            allow = [("allow", ", ".join(address.methods))]
            raise HttpRefusal(405, "method_not_allowed", path, f"{request.method} is not for this address", allow)
        asked = Asked(request, request.scope["caller"])
        asked.needs(address.level)
        return await address.endpoint(asked)
