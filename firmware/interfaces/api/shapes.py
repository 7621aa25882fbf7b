"""The answers of this interface that are no values of the firmware: for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware.core.vocabulary.access import DoorAlarm, DoorState
from firmware.core.vocabulary.device import DevicePhase
from firmware.core.vocabulary.io import PortState, RelayChanged, RelayTrouble
from firmware.core.vocabulary.security import SetupState


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """What is wrong: kind, place, and a sentence for people."""

    code: str
    where: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """Every error."""

    error: ErrorText


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceBody:
    """What the device is, and what it is doing."""

    product: str
    model: str
    board: str
    version: str
    slot: str
    serial: str
    chip_id: str
    simulated: bool
    capabilities: tuple[str, ...]
    phase: DevicePhase | None
    setup: SetupState | None
    utc: str
    utc_trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesBody:
    """All retained states; each has its `topic` besides its own fields."""

    states: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsBody:
    """All terminals."""

    ports: tuple[PortState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaysBody:
    """All relays, and those whose contact does not follow."""

    relays: tuple[RelayChanged, ...]
    troubles: tuple[RelayTrouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorsBody:
    """All doors, and their alarms."""

    doors: tuple[DoorState, ...]
    alarms: tuple[DoorAlarm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamShape:
    """One declared parameter: `schema` is the JSON schema of its value, `level` who may change it."""

    group: str
    name: str
    summary: str
    level: str
    scope: str
    secret: bool
    default: Any
    restart: bool
    schema: dict[str, Any]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamsBody:
    """All declared parameters."""

    params: tuple[ParamShape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionShape:
    """One action, with the JSON schema of its parameters."""

    name: str
    summary: str
    level: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsBody:
    """All listed actions."""

    actions: tuple[ActionShape, ...]
