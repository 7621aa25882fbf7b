"""Parameters of RTSP. Manual 001, System, Plain config: Network, RTSP."""

from __future__ import annotations

from typing import ClassVar

from firmware.core.params import Group, param

WELL_KNOWN = 554


class RtspSettings(Group):
    """How the device is reached over RTSP."""

    group: ClassVar[str] = "rtsp"

    enabled: bool = param(True, "Whether events can be read over RTSP.")
    port: int | None = param(
        None, "Port of RTSP: 554 or 1024 to 65535; 1 to 1023 with a warning. Empty: as the device was started.",
        ge=1, le=65535,
    )  # fmt: skip

    def warning(self) -> str:
        """What is to be said of the port; empty when nothing is."""
        low = self.port is not None and self.port < 1024 and self.port != WELL_KNOWN
        return f"port {self.port} is one that other services use (below 1024)" if low else ""
