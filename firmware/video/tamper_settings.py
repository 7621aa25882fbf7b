"""Parameter group `tampering`, with one parameter for each camera of the board (manuals 001, 003: Camera tampering)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from firmware.core.params import Group, param, part_over

SHORTEST_S, LONGEST_S = 1, 600


class TamperSettings(BaseModel):
    """How one camera is watched: how long a picture has to be wrong, and whether a dark one is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trigger_delay_s: float = Field(default=5, ge=SHORTEST_S, le=LONGEST_S, allow_inf_nan=False)
    trigger_on_dark: bool = False


class TamperGroup(Group):
    """Base of the group made for a board; each field is a camera's name."""

    group: ClassVar[str] = "tampering"

    def of(self, camera: str) -> TamperSettings:
        """The settings of one camera."""
        settings = getattr(self, camera)
        assert isinstance(settings, TamperSettings)
        return settings


def tamper_group(cameras: Iterable[str], current: Callable[[str], TamperSettings]) -> type[TamperGroup]:
    """Make the group for these cameras; a change that names some settings of a camera keeps the others."""
    fields: dict[str, Any] = {}
    for camera in cameras:
        kind = Annotated[TamperSettings, BeforeValidator(part_over(TamperSettings, camera, current))]
        fields[camera] = (kind, param(TamperSettings(), f"Trigger delay and dark pictures of camera {camera}."))
    return create_model("BoardTamperGroup", __base__=TamperGroup, **fields)
