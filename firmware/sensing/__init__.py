"""What control senses itself: shocks, light, day and night, and the lines around microphones."""

from firmware.sensing.day_night import DayNightService
from firmware.sensing.input_lines import InputLinesService
from firmware.sensing.light import LightService
from firmware.sensing.shocks import ShocksService

__all__ = ["DayNightService", "InputLinesService", "LightService", "ShocksService"]
