"""Parameters of the native API."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.params import Group, param

HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class HttpSettings(Group):
    """How the device is reached over HTTP."""

    group: ClassVar[str] = "http"

    host_names: tuple[HostName, ...] = param(
        (), "Names this device has in DNS; requests for other names are refused.", max_length=16
    )
