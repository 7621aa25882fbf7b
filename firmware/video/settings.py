"""Parameter groups `image` and `video`, with one parameter for each camera of the board.

`image` is how the camera looks at the scene: a change shows at once in every stream. `video` is what it delivers, and
what a viewer gets who asks for nothing else. Source: manuals 001, 003 and 004, Video, Image and Stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from firmware.core.params import Group, param, part_over
from firmware.video.sizes import offered, size_of, text_of
from hal.errors import nearest
from hal.pictures import CameraMode

DEFAULT_WIDTH = 1280
COMPRESSION = 30
BEST_QUALITY, WORST_QUALITY = 95, 10

Percent = Annotated[int, Field(ge=0, le=100)]


class ImageSettings(BaseModel):
    """How one camera is tuned (0 to 100, 50 is its own middle), mirrored, and turned clockwise in degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    brightness: Percent = 50
    contrast: Percent = 50
    saturation: Percent = 50
    sharpness: Percent = 50
    mirror: bool = False
    rotate: Literal[0, 90, 180, 270] = 0


class VideoSettings(BaseModel):
    """What one camera delivers: size before it is turned, pictures per second (0: as many as it can), compression."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resolution: str
    fps: float = Field(default=0, ge=0, allow_inf_nan=False)
    compression: Percent = COMPRESSION


class ImageGroup(Group):
    """Base of the group made for a board; each field is a camera's name."""

    group: ClassVar[str] = "image"

    def of(self, camera: str) -> ImageSettings:
        """The settings of one camera."""
        settings = getattr(self, camera)
        assert isinstance(settings, ImageSettings)
        return settings


class VideoGroup(Group):
    """Base of the group made for a board; each field is a camera's name."""

    group: ClassVar[str] = "video"

    def of(self, camera: str) -> VideoSettings:
        """The settings of one camera."""
        settings = getattr(self, camera)
        assert isinstance(settings, VideoSettings)
        return settings


def image_group(cameras: Mapping[str, CameraMode], current: Callable[[str], ImageSettings]) -> type[ImageGroup]:
    """Make the group for these cameras; a change that names some settings of a camera keeps the others."""
    fields: dict[str, Any] = {}
    for camera in cameras:
        kind = Annotated[ImageSettings, BeforeValidator(part_over(ImageSettings, camera, current))]
        fields[camera] = (kind, param(ImageSettings(), f"Tuning, mirror and turn of camera {camera}."))
    return create_model("BoardImageGroup", __base__=ImageGroup, **fields)


def video_group(cameras: Mapping[str, CameraMode], current: Callable[[str], VideoSettings]) -> type[VideoGroup]:
    """Make the group for these cameras and the most each can deliver; it refuses what a camera cannot."""
    fields: dict[str, Any] = {}
    for camera, largest in cameras.items():
        kind = Annotated[
            VideoSettings, BeforeValidator(part_over(VideoSettings, camera, current)), AfterValidator(_within(largest))
        ]
        fields[camera] = (
            kind, param(default_video(largest), f"Resolution, rate and compression of camera {camera}."),
        )  # fmt: skip
    return create_model("BoardVideoGroup", __base__=VideoGroup, **fields)


def default_video(largest: CameraMode) -> VideoSettings:
    """What a camera delivers that nobody has touched: as fast as it can, at most 1280 wide."""
    sizes = offered(largest.size)
    return VideoSettings(resolution=text_of(next((size for size in sizes if size.width <= DEFAULT_WIDTH), sizes[-1])))


def _within(largest: CameraMode) -> Callable[[VideoSettings], VideoSettings]:
    valid = [text_of(size) for size in offered(largest.size)]

    def check(settings: VideoSettings) -> VideoSettings:
        if settings.resolution not in valid:
            asked = settings.resolution[:40]
            raise ValueError(f"no resolution {asked!r}{nearest(asked, valid)}; valid: {', '.join(valid)}")
        if settings.fps and not 1 <= settings.fps <= largest.fps:
            raise ValueError(f"fps is 0 (as many as possible) or 1 to {largest.fps:g} (got {settings.fps:g})")
        return settings

    return check


def mode_of(settings: VideoSettings, largest: CameraMode) -> CameraMode:
    """The mode of a camera, without its small stream."""
    return CameraMode(size=size_of(settings.resolution), fps=settings.fps or largest.fps)


def quality_of(compression: int) -> int:
    """The JPEG quality that stands for a compression of 0 (95) to 100 (10)."""
    return BEST_QUALITY - (BEST_QUALITY - WORST_QUALITY) * compression // 100
