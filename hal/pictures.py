"""Values a camera deals in: planes, pictures and frames; modes, settings and what a camera is doing.

A picture is planar YUV 4:2:0. A frame never changes: it may be kept for as long as anybody likes, and so may any plane
of it, and any view or array made from a plane; everybody above looks at the same memory. That is either a copy, or a
buffer of the driver's that is lent: the driver gets it back when nobody holds anything of it any more. So let go of
what is not needed (whoever keeps frames costs everybody copies), and keep no bare address of a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of bytes: `height` rows of `width` samples, `stride` bytes from one row to the next.

    Raises ValueError when the memory does not hold the rows.
    """

    data: memoryview = field(repr=False)
    width: int
    height: int
    stride: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.stride < self.width:
            raise ValueError(f"no plane has {self.width} x {self.height} samples with rows of {self.stride} bytes")
        flat = self.data.toreadonly().cast("B")
        needed = self.stride * (self.height - 1) + self.width
        if flat.nbytes < needed:
            raise ValueError(
                f"a plane of {self.width} x {self.height} with rows of {self.stride} bytes needs {needed} bytes"
                f" (got {flat.nbytes})"
            )
        object.__setattr__(self, "data", flat)

    def row(self, number: int) -> memoryview:
        """The samples of a row, without what lies between the rows."""
        start = number * self.stride
        return self.data[start : start + self.width]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of even width and height; `u` and `v` have half of both. `limited` is luma 16-235 (else 0-255).

    Raises ValueError when the planes do not fit together.
    """

    y: Plane
    u: Plane
    v: Plane
    limited: bool = False

    def __post_init__(self) -> None:
        for plane in (self.u, self.v):
            if (2 * plane.width, 2 * plane.height) != (self.y.width, self.y.height):
                raise ValueError(
                    f"colour planes of {plane.width} x {plane.height} do not fit a picture of"
                    f" {self.y.width} x {self.y.height}"
                )

    @property
    def width(self) -> int:
        """Columns."""
        return self.y.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.y.height

    @classmethod
    def of(
        cls, data: bytes | bytearray | memoryview, width: int, height: int, *, stride: int = 0, limited: bool = False
    ) -> Picture:
        """The picture in one buffer, plane after plane; `stride` (0: the width) is luma's, of colour half of it.

        Raises ValueError for odd sizes, an odd stride, or too few bytes.
        """
        layout = Layout(width, height, stride=stride, limited=limited)
        flat = memoryview(data).toreadonly().cast("B")
        layout.check(flat.nbytes)
        return layout.picture(flat)


def _setters(kind: type, *names: str) -> tuple[Callable[[Any, object], None], ...]:
    """What fills in the fields of a frozen value, in the order of `names`."""
    return tuple(vars(kind)[name].__set__ for name in names)


_set_data, _set_width, _set_height, _set_stride = _setters(Plane, "data", "width", "height", "stride")
_set_y, _set_u, _set_v, _set_limited = _setters(Picture, "y", "u", "v", "limited")
_new = object.__new__


class Layout:
    """How the planes of a picture lie in one buffer, one after the other, in `needed` bytes.

    `stride` (0: the width) is luma's, of colour half of it. It is checked once, and then makes the picture of every
    buffer at a third of the cost. Raises ValueError for odd sizes or an odd stride, or one below the width.
    """

    __slots__ = (
        "_half_stride",
        "_u",
        "_v",
        "_y",
        "half_height",
        "half_width",
        "height",
        "limited",
        "needed",
        "stride",
        "width",
    )

    def __init__(self, width: int, height: int, *, stride: int = 0, limited: bool = False) -> None:
        stride = stride or width
        if width < 2 or height < 2 or width % 2 or height % 2 or stride % 2:
            raise ValueError(f"width, height and stride are even (got {width} x {height}, {stride})")
        if stride < width:
            raise ValueError(f"no plane has {width} x {height} samples with rows of {stride} bytes")
        self.width, self.height, self.stride, self.limited = width, height, stride, limited
        self.half_width, self.half_height = width // 2, height // 2
        self._half_stride = stride // 2
        luma, colour = stride * height, (stride // 2) * (height // 2)
        self._y, self._u = slice(luma), slice(luma, luma + colour)
        self._v = slice(luma + colour, luma + 2 * colour)
        self.needed = luma + colour + (stride // 2) * (self.half_height - 1) + self.half_width

    def check(self, nbytes: int) -> None:
        """Raises ValueError for a buffer of too few bytes."""
        if nbytes < self.needed:
            raise ValueError(
                f"a picture of {self.width} x {self.height} with rows of {self.stride} bytes needs {self.needed} bytes"
                f" (got {nbytes})"
            )

    def picture(self, flat: memoryview) -> Picture:
        """The picture in a buffer of at least `needed` bytes, which has to be a read-only view of single bytes."""
        picture, y, u, v = _new(Picture), _new(Plane), _new(Plane), _new(Plane)
        _set_data(y, flat[self._y])
        _set_width(y, self.width)
        _set_height(y, self.height)
        _set_stride(y, self.stride)
        half_width, half_height, half_stride = self.half_width, self.half_height, self._half_stride
        for plane, place in ((u, self._u), (v, self._v)):
            _set_data(plane, flat[place])
            _set_width(plane, half_width)
            _set_height(plane, half_height)
            _set_stride(plane, half_stride)
        _set_y(picture, y)
        _set_u(picture, u)
        _set_v(picture, v)
        _set_limited(picture, self.limited)
        return picture


@dataclass(frozen=True, slots=True)
class Frame:
    """One exposure: `t_ns` monotonic, `seq` from 1 since the camera started (a gap is lost frames).

    `lores` is the same moment in a smaller size, where the mode asks for one and the camera makes it beside the other.
    """

    t_ns: int
    seq: int
    main: Picture
    lores: Picture | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """Columns and rows, both even."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMode:
    """What a camera delivers: size, frames per second, and the size of the small stream beside it (None: none)."""

    size: Size
    fps: float
    lores: Size | None = None


class Tuning(StrEnum):
    """What can be set while a camera runs; a camera lists those it has."""

    BRIGHTNESS = "brightness"
    CONTRAST = "contrast"
    SATURATION = "saturation"
    SHARPNESS = "sharpness"
    EXPOSURE = "exposure_us"
    LONGEST_EXPOSURE = "longest_exposure_us"


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """How a camera is tuned. The first four are 0 to 100, 50 is the camera's own middle.

    `exposure_us` fixes the exposure time; None is automatic, then `longest_exposure_us` bounds it (None: the time of
    a frame does). Source: manuals 001 and 003, Image and Exposure (Max shutter).
    """

    brightness: int = 50
    contrast: int = 50
    saturation: int = 50
    sharpness: int = 50
    exposure_us: int | None = None
    longest_exposure_us: int | None = None

    def changed(self) -> frozenset[Tuning]:
        """The settings that are not a camera's own."""
        own = CameraSettings()
        return frozenset(tuning for tuning in Tuning if getattr(self, tuning) != getattr(own, tuning))


class CameraPhase(StrEnum):
    """Whether pictures come."""

    OFF = "off"
    STARTING = "starting"
    RUNNING = "running"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """What a camera is doing; `reason` says in words why it is lost, or is empty.

    `mode` is what it really delivers (a camera may round what it was asked for), `tunings` what can be set. Counts
    are since it was off: frames delivered, frames missing in between, and how often it was lost.
    """

    phase: CameraPhase = CameraPhase.OFF
    reason: str = ""
    mode: CameraMode | None = None
    tunings: frozenset[Tuning] = frozenset()
    frames: int = 0
    missed: int = 0
    losses: int = 0
