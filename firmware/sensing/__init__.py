"""What the device feels and sees by its own sensors: shocks, the light around it, day and night; runs in control."""

from firmware.sensing.day_night import DayNightService
from firmware.sensing.light import LightService
from firmware.sensing.shocks import ShocksService

__all__ = ["DayNightService", "LightService", "ShocksService"]
