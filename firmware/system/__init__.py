"""The system room: what the operating system does for the device, asked over its message bus: network, clock.

Nothing here is imported from `dbus_fast` unless the device is a real one (`network_manager.py`, `time_daemon.py`).
"""

from firmware.system.network_port import NetworkFault, NetworkPort
from firmware.system.network_service import NetworkService
from firmware.system.network_settings import NetworkSettings
from firmware.system.network_sim import SimNetwork
from firmware.system.time_port import SimTime, TimeFault, TimePort
from firmware.system.time_service import ClockService
from firmware.system.time_settings import ClockSettings, PlaceSettings

__all__ = [
    "ClockService",
    "ClockSettings",
    "NetworkFault",
    "NetworkPort",
    "NetworkService",
    "NetworkSettings",
    "PlaceSettings",
    "SimNetwork",
    "SimTime",
    "TimeFault",
    "TimePort",
]
