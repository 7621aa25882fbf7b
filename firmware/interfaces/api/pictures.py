"""Snapshots and Motion JPEG over HTTP (manuals 001, 003 and 004: live view, snapshot, Stream)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.local_time import local
from firmware.core.vocabulary.video import snapshot_name
from firmware.interfaces.api.routes import Routes, caller_of, query_of
from firmware.interfaces.http.credentials import address_of
from firmware.interfaces.video.mjpeg import STREAM_TYPE, MjpegAnswer, check_fps, cut_of
from firmware.interfaces.video.views import Views

WHERE = "query."


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
        cut = cut_of(self._views, place, query.resolution, query.compression, WHERE)
        jpeg = await self._views.snapshot(place, cut, address_of(request.scope))
        name = snapshot_name(local(self._core.bus, self._core.clock.utc()))
        headers = {"content-disposition": f'inline; filename="{name}"', "cache-control": "no-store"}
        return Response(jpeg.data, media_type="image/jpeg", headers=headers)

    async def mjpeg(self, request: Request) -> Response:
        """Pictures until somebody hangs up. Raises NotFound, Invalid; Unavailable when too many look."""
        place = self._views.find(request.path_params["source"])
        query = query_of(request, StreamQuery)
        check_fps(place, query.fps, WHERE)
        cut = cut_of(self._views, place, query.resolution, query.compression, WHERE)
        return MjpegAnswer(self._core, self._views, place, cut, query.fps, caller_of(request))
