"""Parameters of troubleshooting from the device: what its own tests may reach (hardening row 38)."""

from __future__ import annotations

from typing import ClassVar

from firmware.core.params import Group, param


class TroubleshootingSettings(Group):
    """What ping and port check may be pointed at."""

    group: ClassVar[str] = "troubleshooting"

    local: bool = param(
        False, "Let ping and port check reach this device itself and link-local addresses as well as the network."
    )
