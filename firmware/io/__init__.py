"""The I/O room: terminals of the I/O connector, relays that no door uses, virtual inputs.

Manual 001, "I/O ports" and "I/O connector"; manual 003 for virtual inputs.
"""

from firmware.io.config import IoConfig
from firmware.io.ports import PortsService
from firmware.io.relays import RelaysService
from firmware.io.virtual_inputs import VirtualInputsService

__all__ = ["IoConfig", "PortsService", "RelaysService", "VirtualInputsService"]
