"""The device room: the device's identity and phase, its buttons, and the lights of its front.

Which light shows what is product data (`[rooms.device]` of a board file, from the manuals' tables).
"""

from firmware.device.buttons import ButtonsService
from firmware.device.config import DeviceConfig
from firmware.device.lights import LightsService
from firmware.device.phase import DeviceService
from firmware.device.show import parse_show

__all__ = ["ButtonsService", "DeviceConfig", "DeviceService", "LightsService", "parse_show"]
