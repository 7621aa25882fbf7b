"""Words of the I/O room: terminals, relays, virtual inputs (manual 001, I/O ports)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import State, topic
from hal.types import Direction, LoopState

VIRTUAL_INPUTS = 64


@topic("io/port")
@dataclass(frozen=True, slots=True, kw_only=True)
class PortState(State):
    """A terminal as the manual shows it: active when `circuit` differs from `normal`; cut and short are tampering."""

    keys: ClassVar[tuple[str, ...]] = ("port",)
    port: str
    name: str
    configurable: bool
    direction: Direction
    normal: LoopState
    supervised: bool
    circuit: LoopState
    active: bool
    tampered: bool


@topic("io/relay")
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayChanged(State):
    """A relay was switched; `why` is `start` (its first state), `command`, `longest on-time` or `closing`."""

    keys: ClassVar[tuple[str, ...]] = ("relay",)
    relay: str
    alias: str
    on: bool
    why: str


@topic("io/relay/trouble")
@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTrouble(State):
    """A relay contact does not follow its command: welded or dead (hardening row 13)."""

    keys: ClassVar[tuple[str, ...]] = ("relay",)
    relay: str
    stuck: bool
    commanded: bool


@topic("io/virtual_input")
@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualInputState(State):
    """An input that only programs set, numbered from 1."""

    keys: ClassVar[tuple[str, ...]] = ("input",)
    input: int
    active: bool


PortName = Annotated[str, Field(min_length=1, max_length=32)]
Duration = Annotated[float, Field(gt=0, le=86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSetParams:
    """Activate or deactivate an output port; with `for_s` it goes back to normal by itself."""

    port: PortName
    active: bool
    for_s: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortConfigureParams:
    """Change a port's settings; what is None stays. `normal` is open or closed."""

    port: PortName
    name: Annotated[str, Field(max_length=64)] | None = None
    direction: Direction | None = None
    normal: LoopState | None = None
    supervised: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySetParams:
    """Switch a relay that is not a door's strike; with `for_s` it goes off by itself."""

    relay: PortName
    on: bool
    for_s: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualInputParams:
    """Set a virtual input; with `for_s` it goes inactive by itself."""

    input: Annotated[int, Field(ge=1, le=VIRTUAL_INPUTS)]
    active: bool
    for_s: Duration | None = None
