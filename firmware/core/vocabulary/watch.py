"""Words of what watches the device itself: tampering with a camera, shocks, light, day and night.

Sources: manuals 001 and 003, Detectors and Day-night mode; manual 004, night mode, impact, tampered lens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import Pulse, State, topic


class TamperPhase(StrEnum):
    """What a camera's tampering detector is doing."""

    OFF = "off"
    NO_SIGNAL = "no_signal"
    LEARNING = "learning"
    NO_CONTOURS = "no_contours"
    ARMED = "armed"


class TamperKind(StrEnum):
    """What is wrong with the picture."""

    COVERED = "covered"
    BLURRED = "blurred"
    MOVED = "moved"
    DARK = "dark"


@topic("video/tampering")
@dataclass(frozen=True, slots=True, kw_only=True)
class TamperingState(State):
    """A camera's tampering detector. `tampered` lasts until the scene it learned is seen again.

    `phase` is `no_contours` before a scene that cannot be recognised (a blank wall), and `no_signal` without pictures;
    a detector that had learned its scene before goes on with it. `dark` is whether it is too dark to see anything.
    """

    keys: ClassVar[tuple[str, ...]] = ("camera",)
    camera: str
    alias: str
    phase: TamperPhase
    tampered: bool = False
    what: TamperKind | None = None
    dark: bool = False


@topic("video/tampering/detected")
@dataclass(frozen=True, slots=True, kw_only=True)
class TamperingDetected(Pulse):
    """The picture has been wrong for the trigger delay; `after_s` is how long."""

    camera: str
    what: TamperKind
    after_s: float


@topic("video/tampering/ended")
@dataclass(frozen=True, slots=True, kw_only=True)
class TamperingEnded(Pulse):
    """The scene is seen again, or (`relearned`) what is seen now was taken for the scene."""

    camera: str
    relearned: bool


CameraName = Annotated[str, Field(min_length=1, max_length=32)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TamperingRelearnParams:
    """Take what a camera sees now for its scene, once it has been still for 10 s."""

    camera: CameraName


class SensorPhase(StrEnum):
    """Whether a sensor works."""

    OFF = "off"
    WORKING = "working"
    FAILED = "failed"


@topic("device/shock")
@dataclass(frozen=True, slots=True, kw_only=True)
class ShockState(State):
    """A shock sensor; `active` from a shock on until none came for a few seconds. `reason` says why it failed."""

    keys: ClassVar[tuple[str, ...]] = ("sensor",)
    sensor: str
    phase: SensorPhase
    active: bool = False
    reason: str = ""


@topic("device/shock/detected")
@dataclass(frozen=True, slots=True, kw_only=True)
class ShockDetected(Pulse):
    """The device was hit; `peak_g` is the strongest acceleration seen besides gravity."""

    sensor: str
    peak_g: float


@topic("device/ambient_light")
@dataclass(frozen=True, slots=True, kw_only=True)
class AmbientLight(State):
    """The light around the device in lux, in steps that a person would notice."""

    keys: ClassVar[tuple[str, ...]] = ("sensor",)
    sensor: str
    phase: SensorPhase
    lux: float | None = None
    reason: str = ""


class DayNight(StrEnum):
    """Which picture is wanted: colour behind the IR-cut filter, or black and white without it."""

    DAY = "day"
    NIGHT = "night"


@topic("video/day_night")
@dataclass(frozen=True, slots=True, kw_only=True)
class DayNightState(State):
    """Day or night, and why: `setting`, `light`, or `no light sensor` (then it is what it was).

    `filter_in` is whether the IR-cut filter is before the sensor, `illumination` whether the light is on;
    both are None where the board has none.
    """

    mode: DayNight
    why: str
    filter_in: bool | None = None
    illumination: bool | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IlluminationParams:
    """Switch the illumination by hand, until day turns into night or night into day."""

    on: bool
