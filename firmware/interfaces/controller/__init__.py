"""The client of a door controller on the network: the only way out that a forwarded credential has over HTTP.

It runs in the network role, because control has no network. The contract is written down in docs/controller.md.
"""

from firmware.interfaces.controller.service import ControllerHttpService

__all__ = ["ControllerHttpService"]
