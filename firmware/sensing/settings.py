"""Parameter groups `shock` and `day_night` (manuals 001, 003 and 004: Detectors, Day-night mode, Illumination)."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import field_validator

from firmware.core.params import Group, param
from hal.senses import THRESHOLD_G

SECONDS = 600


class CutChoice(StrEnum):
    """Where the IR-cut filter is: before the sensor (day), away (night), or as the light wants it."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class ShockSettings(Group):
    """The shock detector of the device."""

    group: ClassVar[str] = "shock"

    enabled: bool = param(False, "Whether shocks are detected.")
    sensitivity: int = param(50, "0 for powerful hits only, 100 for mild tampering too.", ge=0, le=100)


class DayNightSettings(Group):
    """Day and night, and the light of the device."""

    group: ClassVar[str] = "day_night"

    ir_cut_filter: CutChoice = param(
        CutChoice.AUTO, "on: colour, day; off: black and white, night; auto: as the light around the device wants it."
    )
    threshold: int = param(
        50, "At what light auto changes to night: 0 is dark (later), 100 is bright (earlier).", ge=0, le=100
    )
    delay_s: float = param(
        10.0, "How long it must be darker or brighter before auto changes, in seconds.", ge=1, le=SECONDS
    )
    allow_illumination: bool = param(True, "Whether the device's own light may be used.")
    synchronize_illumination: bool = param(
        True, "Whether the light goes on and off with night and day; else it is switched by hand only."
    )


def day_night_group(*, light_sensor: bool) -> tuple[type[DayNightSettings], DayNightSettings]:
    """The group and its defaults for a board with or without a sensor that can tell day from night."""
    if light_sensor:
        return DayNightSettings, DayNightSettings()

    class WithoutSensor(DayNightSettings):
        @field_validator("ir_cut_filter")
        @classmethod
        def _by_hand(cls, choice: CutChoice) -> CutChoice:
            if choice is CutChoice.AUTO:
                raise ValueError("the board has no light sensor: on or off")
            return choice

        ir_cut_filter: CutChoice = param(CutChoice.ON, "on: day; off: night.")

    return WithoutSensor, WithoutSensor()


def threshold_g(sensitivity: int) -> float:
    """The hit that a sensitivity of 0 to 100 stands for, in g: every step is as many percent softer."""
    mildest, hardest = THRESHOLD_G
    return float(hardest * (mildest / hardest) ** (sensitivity / 100))


DARKEST_LUX, BRIGHTEST_LUX = 0.5, 50.0


def night_below_lux(threshold: int) -> float:
    """The light that a threshold of 0 to 100 stands for, in lux."""
    return float(DARKEST_LUX * (BRIGHTEST_LUX / DARKEST_LUX) ** (threshold / 100))
