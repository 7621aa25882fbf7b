"""Snapshots and Motion JPEG over HTTP (manuals 001, 003 and 004: live view, snapshot, Stream)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import Invalid, Unsupported
from firmware.core.stream.wire import Cut
from firmware.core.vocabulary.security import AccountChanged, AnonymousState
from firmware.core.vocabulary.video import snapshot_name
from firmware.interfaces.api.events import first_of
from firmware.interfaces.api.routes import Routes, caller_of, query_of
from firmware.interfaces.http.credentials import address_of, is_end
from firmware.interfaces.http.protocol import STREAM, Takeover
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import Viewer, Views
from hal.errors import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureQuery:
    """Which picture: `resolution` as WIDTHxHEIGHT, `compression` 0 (best) to 100; what is left out is the device's."""

    resolution: str | None = None
    compression: Annotated[int, Field(ge=0, le=100)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuery:
    """Which pictures, and how many a second (`fps`, 0: all there are)."""

    resolution: str | None = None
    compression: Annotated[int, Field(ge=0, le=100)] | None = None
    fps: Annotated[int, Field(ge=0)] = 0


class Pictures:
    """The endpoints of picture sources."""

    def __init__(self, core: Core, views: Views) -> None:
        self._core = core
        self._views = views

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        routes.add("GET", "/video/{source}/snapshot", self.snapshot, level=Level.VIEWER, query=PictureQuery,
                   gives=bytes, kind="image/jpeg", summary="One picture, now")  # fmt: skip
        routes.add("GET", "/video/{source}/mjpeg", self.mjpeg, level=Level.VIEWER, query=StreamQuery,
                   gives=bytes, kind=STREAM_TYPE, summary="Pictures as they come (Motion JPEG)")  # fmt: skip

    async def snapshot(self, request: Request) -> Response:
        """One picture. Raises NotFound, Invalid, Unavailable without a signal."""
        place = self._views.find(request.path_params["source"])
        query = query_of(request, PictureQuery)
        jpeg = await self._views.snapshot(place, self._cut(place, query.resolution, query.compression))
        name = snapshot_name(self._core.clock.utc().astimezone())
        headers = {"content-disposition": f'inline; filename="{name}"', "cache-control": "no-store"}
        return Response(jpeg.data, media_type="image/jpeg", headers=headers)

    async def mjpeg(self, request: Request) -> Response:
        """Pictures until somebody hangs up. Raises NotFound, Invalid; Unavailable when too many look."""
        place = self._views.find(request.path_params["source"])
        query = query_of(request, StreamQuery)
        if query.fps > place.fps:
            raise Invalid("query.fps", f"{query.fps} is more than the {place.fps} a second that {place.alias} can do")
        cut = self._cut(place, query.resolution, query.compression)
        return MjpegAnswer(self._core, self._views, place, cut, query.fps, caller_of(request))

    def _cut(self, place: Place, resolution: str | None, compression: int | None) -> Cut:
        """What is asked for. Raises Invalid with the sizes there are."""
        if resolution is None:
            return Cut(compression=compression)
        found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", resolution, re.ASCII)
        state = self._views.state(place)
        if state is not None and resolution not in state.sizes:
            hint = nearest(resolution[:20], state.sizes)
            message = f"no resolution {resolution[:20]!r}{hint}; valid: {', '.join(state.sizes)}"
            raise Invalid("query.resolution", message)
        if found is None or not 0 < int(found[1]) <= place.width or not 0 < int(found[2]) <= place.width:
            message = f"no resolution {resolution[:20]!r}; the largest is {place.width}x{place.height}"
            raise Invalid("query.resolution", message)
        return Cut(width=int(found[1]), height=int(found[2]), compression=compression)


STREAM_TYPE = "multipart/x-mixed-replace"


class MjpegAnswer(Response):
    """An answer that does not end by itself; its pictures are written to the connection past ASGI, many at a time."""

    def __init__(self, core: Core, views: Views, place: Place, cut: Cut, fps: int, caller: Caller) -> None:
        headers = {"cache-control": "no-store", "connection": "close"}
        super().__init__(media_type=f"{STREAM_TYPE}; boundary=frame", headers=headers)
        del self.headers["content-length"]
        self._core = core
        self._views = views
        self._place = place
        self._cut = cut
        self._fps = fps
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        takeover = scope.get("extensions", {}).get(STREAM)
        if not isinstance(takeover, Takeover):
            raise Unsupported("video", "this server has no connection to write to")
        with self._views.watching(self._place, self._cut, self._fps, address_of(scope)) as viewer:
            transport = takeover.begin()
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            viewer.begin(transport)
            self._views.greet(viewer)
            await first_of(self._until_other_rights(), self._until_gone(receive), self._until_ended(viewer))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_other_rights(self) -> None:
        with self._core.bus.subscribe(AccountChanged, AnonymousState, retained=False) as changes:
            async for notice in changes:
                if is_end(notice.event, self._caller):
                    return

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _until_ended(self, viewer: Viewer) -> None:
        await viewer.ended.wait()
