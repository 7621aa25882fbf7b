"""Service `pictures`: keeps the cameras as their parameters say, and says whether pictures come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.vocabulary.station import ParamsChanged
from firmware.video.settings import ImageGroup, ImageSettings, VideoGroup, VideoSettings, image_group, video_group
from firmware.video.source import Source


class PicturesService:
    """The picture sources of the board; other services of this room look at the same `sources`."""

    name: ClassVar[str] = "pictures"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"camera"})

    def __init__(self, core: Core, sources: Mapping[str, Source]) -> None:
        self._core = core
        self._sources = sources
        cameras = {name: source.largest for name, source in sources.items()}
        self._image = image_group(cameras, self._image_of)
        self._video = video_group(cameras, self._video_of)

    def _image_of(self, camera: str) -> ImageSettings:
        return self._core.params.get(ImageGroup).of(camera)

    def _video_of(self, camera: str) -> VideoSettings:
        return self._core.params.get(VideoGroup).of(camera)

    async def start(self) -> None:
        """Load the parameters and start the cameras."""
        params = self._core.params
        for group in (self._image, self._video):
            params.declare(group)
            await params.load(group)
        for name, source in self._sources.items():
            source.change(self._image_of(name), self._video_of(name))
            source.start()

    async def run(self) -> None:
        """Follow the parameters until cancelled."""
        with self._core.bus.subscribe(ParamsChanged) as changes:
            async for notice in changes:
                event = notice.event
                if isinstance(event, ParamsChanged) and event.group in (ImageGroup.group, VideoGroup.group):
                    for name in set(event.names) & self._sources.keys():
                        self._sources[name].change(self._image_of(name), self._video_of(name))

    async def stop(self) -> None:
        """Close the cameras."""
        for source in self._sources.values():
            source.stop()
