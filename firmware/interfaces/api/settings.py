"""Parameters of the way in: names, ports, HTTP and HTTPS. Manual 001, System, Network: HTTP and HTTPS."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from firmware.core.params import Group, param

HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
WELL_KNOWN = {80, 443}


class Access(StrEnum):
    """What access is allowed through."""

    HTTP = "http"
    HTTPS = "https"
    BOTH = "both"


class HttpSettings(Group):
    """How the device is reached over HTTP and HTTPS."""

    group: ClassVar[str] = "http"

    host_names: tuple[HostName, ...] = param(
        (), "Names this device has in DNS; requests for other names are refused.", max_length=16
    )
    access: Access = param(Access.BOTH, "Allow access through HTTP, HTTPS, or both.")
    http_port: int | None = param(
        None, "Port of HTTP: 80 or 1024 to 65535; 1 to 1023 with a warning. Empty: as the device was started.",
        ge=1, le=65535,
    )  # fmt: skip
    https_port: int | None = param(
        None, "Port of HTTPS: 443 or 1024 to 65535; 1 to 1023 with a warning. Empty: as the device was started.",
        ge=1, le=65535,
    )  # fmt: skip
    certificate: str = param("", "The certificate that HTTPS shows; empty: the device's own.", max_length=64)
    hsts: bool = param(False, "Tell browsers to come back over HTTPS only (HTTP Strict Transport Security).")

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.http_port is not None and self.http_port == self.https_port:
            raise ValueError(f"http_port and https_port are both {self.http_port}; they must differ")
        return self

    def warning(self) -> str:
        """What is to be said of the ports; empty when nothing is."""
        low = [port for port in (self.http_port, self.https_port) if port and port < 1024 and port not in WELL_KNOWN]
        return f"port {low[0]} is one that other services use (below 1024)" if low else ""
