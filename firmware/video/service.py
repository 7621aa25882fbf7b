"""Service `pictures`: keeps the cameras as their parameters say, says whether pictures come, and hands them out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.errors import NotFound
from firmware.core.link.channel import Channel
from firmware.core.vocabulary.station import ParamsChanged
from firmware.video.outlet import Maker, Outlet
from firmware.video.settings import ImageGroup, ImageSettings, VideoGroup, VideoSettings, image_group, video_group
from firmware.video.source import Source


class PicturesService:
    """The picture sources of the board; other services of this room look at the same `sources`."""

    name: ClassVar[str] = "pictures"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"camera"})

    def __init__(
        self,
        core: Core,
        sources: Mapping[str, Source],
        path: Callable[[str], Path | None],
        hands: Callable[[str], Path | None] = lambda source: None,
    ) -> None:
        """`path` answers where the pictures of a source are served, `hands` where viewers are handed over.

        None: only to `join`, and no viewers.
        """
        self._core = core
        self._sources = sources
        self._maker = Maker(core.clock)
        self._outlets = {
            name: Outlet(source, path(name), self._maker, core.clock, hands(name)) for name, source in sources.items()
        }
        cameras = {name: source.largest for name, source in sources.items()}
        self._image = image_group(cameras, self._image_of)
        self._video = video_group(cameras, self._video_of)

    def _image_of(self, camera: str) -> ImageSettings:
        return self._core.params.get(ImageGroup).of(camera)

    def _video_of(self, camera: str) -> VideoSettings:
        return self._core.params.get(VideoGroup).of(camera)

    async def start(self) -> None:
        """Load the parameters and start the cameras."""
        self._maker.start()
        params = self._core.params
        for group in (self._image, self._video):
            params.declare(group)
            await params.load(group)
        for name, source in self._sources.items():
            source.change(self._image_of(name), self._video_of(name))
            await self._outlets[name].server.start()
            self._outlets[name].audience.start()
            source.start()

    async def join(self, source: str) -> Channel:
        """Watch a source from inside this process. Raises NotFound."""
        if source not in self._outlets:
            raise NotFound("video", f"no source {source!r}")
        return await self._outlets[source].server.join()

    async def run(self) -> None:
        """Hand out pictures and follow the parameters until cancelled."""
        async with asyncio.TaskGroup() as group:
            for outlet in self._outlets.values():
                group.create_task(outlet.server.run(), name="picture streams")
            await self._follow()

    async def _follow(self) -> None:
        with self._core.bus.subscribe(ParamsChanged) as changes:
            async for notice in changes:
                event = notice.event
                if isinstance(event, ParamsChanged) and event.group in (ImageGroup.group, VideoGroup.group):
                    for name in set(event.names) & self._sources.keys():
                        self._sources[name].change(self._image_of(name), self._video_of(name))

    async def stop(self) -> None:
        """Close the cameras and hang up on whoever watches."""
        for name, source in self._sources.items():
            # Before the camera: who looks is shown no more than the network role can go on with.
            self._outlets[name].audience.stop()
            source.stop()
            await self._outlets[name].server.stop()
        self._maker.close()
