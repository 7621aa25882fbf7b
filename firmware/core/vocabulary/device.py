"""Words of the device room: identity, phase, buttons, lights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from firmware.core.events import Pulse, State, topic


@topic("device/info")
@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo(State):
    """What this device is; `serial` is 12 upper-case hex digits."""

    product: str
    model: str
    board: str
    version: str
    slot: str
    serial: str
    chip_id: str
    simulated: bool
    capabilities: tuple[str, ...]
    hardware_revision: int = 1


@topic("device/boot")
@dataclass(frozen=True, slots=True, kw_only=True)
class BootState(State):
    """What the boot loader started, and whether it is new enough for upgrades; `loader_built` is None when unknown."""

    slot: str
    trying: bool
    loader_built: datetime | None
    loader_current: bool


class Phase(StrEnum):
    """What the device as a whole is doing; upgrade and reset phases are set by their services."""

    STARTING = "starting"
    NORMAL = "normal"
    RESTORING = "restoring"
    UPGRADING = "upgrading"
    UPGRADE_FAILED = "upgrade_failed"


@topic("device/phase")
@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePhase(State):
    """The phase of the device and, in words, of what."""

    phase: Phase
    detail: str = ""


@topic("device/network")
@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState(State):
    """Whether the network is there; published by the network role, unknown when it is away."""

    up: bool
    detail: str = ""


@topic("device/identify")
@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyState(State):
    """Somebody asked the device to show which one it is: by its light, and with `sound` by its speaker as well."""

    active: bool
    sound: bool = False


class GestureKind(StrEnum):
    """What a finger did."""

    SHORT = "short"
    LONG = "long"
    STUCK = "stuck"


@topic("device/button")
@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonState(State):
    """A button, held down or not; `ripe` while it has been held for its long action and was not let go yet."""

    keys: ClassVar[tuple[str, ...]] = ("button",)
    button: str
    pressed: bool
    ripe: bool = False


@topic("device/button/simulated")
@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonSimulated(Pulse):
    """`by` put a finger on a button, or took it away, without being there; what the button does then has this cause."""

    button: str
    pressed: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonParams:
    """Which button."""

    button: Annotated[str, Field(min_length=1, max_length=32)]


@topic("device/button/gesture")
@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonGesture(Pulse):
    """A finished gesture, decided on release (STUCK while still held); `held_s` is exact."""

    button: str
    gesture: GestureKind
    held_s: float


@topic("device/button/action")
@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonAction(Pulse):
    """What a gesture asked for has been done, or not: `code` is `done` or an error code of the action table."""

    button: str
    gesture: GestureKind
    action: str
    code: str
    message: str = ""


class HoldOutcome(StrEnum):
    """What a button that was held since power-on has done; ALONE: without the second button it needs."""

    RESET = "reset"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    STUCK = "stuck"
    ALONE = "alone"
    NOT_HELD = "not_held"


@topic("device/reset/held")
@dataclass(frozen=True, slots=True, kw_only=True)
class ResetHeld(Pulse):
    """The reset button, held since power-on, was let go after `held_s` seconds, or is stuck."""

    button: str
    outcome: HoldOutcome
    held_s: float


@topic("device/restart")
@dataclass(frozen=True, slots=True, kw_only=True)
class RestartAsked(Pulse):
    """The device will restart in a moment, as `by` asked."""

    by: str


@topic("device/light")
@dataclass(frozen=True, slots=True, kw_only=True)
class LightState(State):
    """What a light of the product shows and which line of its table decided it."""

    keys: ClassVar[tuple[str, ...]] = ("light",)
    light: str
    pattern: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyParams:
    """Show (or stop showing) which device this is; with `for_s` it stops by itself."""

    active: bool
    for_s: Annotated[float, Field(gt=0, le=86_400)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocateParams:
    """Let the device be seen and heard for so long. Source: manual 000, Locate device."""

    duration_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
