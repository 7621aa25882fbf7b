"""Settings of the I/O ports: the parameter group `ports`, with one parameter for each port of the board.

The group is made for the board at hand, so an unknown port, a direction the terminal cannot take or
supervision it cannot measure is refused before anything is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, field_validator

from firmware.core.params import Group, param
from hal.errors import nearest
from hal.types import Direction, LoopState


class PortSettings(BaseModel):
    """What people set of one port; `supervised` takes effect while the port is an input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=64)
    direction: Direction
    normal: LoopState = LoopState.OPEN
    supervised: bool = False

    @field_validator("normal")
    @classmethod
    def _open_or_closed(cls, normal: LoopState) -> LoopState:
        if normal not in (LoopState.OPEN, LoopState.CLOSED):
            raise ValueError("the normal state is open or closed")
        return normal

    @property
    def watches_loop(self) -> bool:
        """Whether cut and short are told apart now."""
        return self.supervised and self.direction is Direction.INPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """What the board says of one port: its default name and direction, and what can be changed."""

    port: str
    alias: str
    direction: Direction
    configurable: bool
    can_supervise: bool

    def default(self) -> PortSettings:
        """The settings of a port nobody has touched: normally open, as the board wired it."""
        return PortSettings(name=self.alias, direction=self.direction)

    def check(self, settings: PortSettings) -> PortSettings:
        """The same settings. Raises ValueError for what the terminal cannot do."""
        if settings.direction is not self.direction and not self.configurable:
            raise ValueError(f"direction of {self.port!r} is fixed: {self.direction.value}")
        if settings.supervised and not self.can_supervise:
            raise ValueError(f"{self.port!r} cannot be supervised: no end-of-line measurement on this board")
        return settings


class PortsGroup(Group):
    """Base of the group made for a board; each field is a port's node name."""

    group: ClassVar[str] = "ports"

    def of(self, port: str) -> PortSettings:
        """The settings of one port."""
        settings = getattr(self, port)
        assert isinstance(settings, PortSettings)
        return settings


def ports_group(ports: Mapping[str, PortFacts], current: Callable[[str], PortSettings]) -> type[PortsGroup]:
    """Make the group for these ports; a change that names only some settings of a port keeps the others.

    `current` answers a port's settings as they are now.
    """
    fields: dict[str, Any] = {}
    for port, facts in ports.items():
        kind = Annotated[PortSettings, BeforeValidator(_over(port, current)), AfterValidator(facts.check)]
        fields[port] = (kind, param(facts.default(), f"Name, direction, normal state and supervision of port {port}."))
    return create_model("BoardPortsGroup", __base__=PortsGroup, **fields)


def _over(port: str, current: Callable[[str], PortSettings]) -> Callable[[object], object]:
    def complete(raw: object) -> object:
        if not isinstance(raw, Mapping):
            return raw
        for name in raw:
            if name not in PortSettings.model_fields:
                raise ValueError(f"unknown setting {name!r}{nearest(str(name), PortSettings.model_fields)}")
        return {**current(port).model_dump(mode="json"), **raw}

    return complete
