"""The controller room: somebody's door controller behind us, over Wiegand, OSDP or the network.

One interface (`face.Controller`) with three adapters; docs/controller.md says how each is connected.
"""

from firmware.controller.service import ControllerService
from firmware.controller.settings import ControllerParams

__all__ = ["ControllerParams", "ControllerService"]
