"""What a product says of its I/O room: `[rooms.io]` of the board file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator


class IoConfig(BaseModel):
    """`ports` are the terminals people may use, in the order they are shown; None means every terminal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ports: tuple[str, ...] | None = None

    @field_validator("ports")
    @classmethod
    def _each_once(cls, ports: tuple[str, ...] | None) -> tuple[str, ...] | None:
        seen: set[str] = set()
        for port in ports or ():
            if port in seen:
                raise ValueError(f"port {port!r} is listed twice")
            seen.add(port)
        return ports
