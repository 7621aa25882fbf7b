"""The description that UPnP programs fetch after they have found the device: one address, open while SSDP is on."""

from __future__ import annotations

from xml.sax.saxutils import escape

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import NotFound
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.discovery import DiscoveryState
from firmware.interfaces.discovery.portrait import DESCRIPTION, MAKER, uuid_of
from firmware.interfaces.discovery.ssdp import DEVICE
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.http.face import Face, Policy

PROTOCOL = "ssdp"
POLICY = Policy(
    via="upnp",
    cookies=False,
    links=False,
    public={("GET", DESCRIPTION): "UPnP programs read it before anybody logs in; only while SSDP is on"},
)


class Description:
    """The application of the face."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def face(self) -> Face:
        """For the guard."""
        app: ASGIApp = self
        levels = {("GET", DESCRIPTION): Level.ANONYMOUS}
        return Face(name="upnp", prefixes=(DESCRIPTION,), app=app, policy=POLICY, levels=levels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises NotFound, HttpRefusal."""
        path = scope["path"]
        if scope["type"] != "http" or path != DESCRIPTION:
            raise HttpRefusal(404, "not_found", path, f"nothing answers here; there is {DESCRIPTION}")
        if scope["method"] != "GET":
            raise HttpRefusal(405, "method_not_allowed", path, "is read by GET only", [("allow", "GET")])
        state, info = self._core.bus.state(DiscoveryState, PROTOCOL), self._core.bus.state(DeviceInfo)
        if state is None or not state.adapters or info is None:
            raise NotFound(path, "SSDP is off (parameter discovery.ssdp)")
        await Response(described(info, state.name), media_type="text/xml; charset=utf-8")(scope, receive, send)


def described(info: DeviceInfo, name: str) -> str:
    """The description of a basic device (UPnP Device Architecture 1.0, 2.1)."""
    told = {
        "deviceType": DEVICE,
        "friendlyName": name,
        "manufacturer": MAKER,
        "modelName": info.product,
        "modelNumber": info.model,
        "serialNumber": info.serial,
        "UDN": f"uuid:{uuid_of(info.serial)}",
        "presentationURL": "/",
    }
    lines = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in told.items())
    return (
        '<?xml version="1.0"?>\n<root xmlns="urn:schemas-upnp-org:device-1-0">'
        f"<specVersion><major>1</major><minor>0</minor></specVersion><device>{lines}</device></root>\n"
    )
