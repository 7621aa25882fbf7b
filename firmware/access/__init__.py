"""The access room: who may pass which door, and the doors themselves.

Readers give credentials, the entry list and the schedules decide, doors are released by one owner.
Standards: 26-bit reader interface (SIA AC-01) for the formats of cards.
"""

from firmware.access.config import AccessConfig, DoorConfig
from firmware.access.doors import DoorsService
from firmware.access.entries import EntryList
from firmware.access.indicate import IndicateService
from firmware.access.readers import ReadersService
from firmware.access.settings import AccessParams

CONFIG = AccessConfig

__all__ = [
    "CONFIG",
    "AccessConfig",
    "AccessParams",
    "DoorConfig",
    "DoorsService",
    "EntryList",
    "IndicateService",
    "ReadersService",
]
