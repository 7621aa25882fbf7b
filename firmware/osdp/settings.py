"""Parameter group `osdp`: one set of settings for every external reader of the board (manual 001, External reader)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from firmware.core.params import Group, param, part_over

BAUDS = (9600, 19200, 38400, 57600, 115200, 230400)
Baud = Literal[9600, 19200, 38400, 57600, 115200, 230400]


class ReaderSettings(BaseModel):
    """What people set of one external reader: `use` switches it on, `address` is 0 to 126.

    `insecure` lets a reader talk in clear text that was never seen with a secure channel: anybody on the
    wire can then read and replay cards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: bool = False
    address: int = Field(default=0, ge=0, le=126)
    baud: Baud = 9600
    insecure: bool = False


class OsdpGroup(Group):
    """Base of the group made for a board; each field is a reader's name."""

    group: ClassVar[str] = "osdp"

    def of(self, reader: str) -> ReaderSettings:
        """The settings of one reader."""
        settings = getattr(self, reader)
        assert isinstance(settings, ReaderSettings)
        return settings


def osdp_group(readers: Iterable[str], current: Callable[[str], ReaderSettings]) -> type[OsdpGroup]:
    """Make the group for these readers; a change that names some settings of a reader keeps the others."""
    fields: dict[str, Any] = {}
    for reader in readers:
        kind = Annotated[ReaderSettings, BeforeValidator(part_over(ReaderSettings, reader, current))]
        fields[reader] = (
            kind,
            param(ReaderSettings(), f"Use, address, rate and security of external reader {reader}."),
        )
    return create_model("BoardOsdpGroup", __base__=OsdpGroup, **fields)
