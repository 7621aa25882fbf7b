"""Words of the core itself: services, storage, parameters, roles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from firmware.core.events import Operation, Pulse, State, topic


class ServicePhase(StrEnum):
    """Where a service is in its life."""

    OFF = "off"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


@topic("station/service")
@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState(State):
    """One service of one role; `reason` says why it is off or what it failed with."""

    keys: ClassVar[tuple[str, ...]] = ("role", "service")
    service: str
    role: str
    phase: ServicePhase
    reason: str = ""
    restarts: int = 0


@topic("station/service/failed")
@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFailed(Pulse):
    """A restartable service crashed and starts again in `retry_s` seconds."""

    service: str
    role: str
    reason: str
    retry_s: float


class StorageProblem(StrEnum):
    """What is wrong with the storage."""

    FULL = "full"
    READ_ONLY = "read_only"
    IO = "io"
    SLOW = "slow"
    DAMAGED = "damaged"


@topic("station/storage")
@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAlarm(State):
    """Storage trouble of a role (hardening rows 18 to 21); withdrawn when writes succeed again.

    `what` is the file or database, `problem` the kind; DAMAGED stays until the role restarts.
    """

    keys: ClassVar[tuple[str, ...]] = ("role", "what")
    role: str
    what: str
    problem: StorageProblem
    detail: str


@topic("station/unsafe")
@dataclass(frozen=True, slots=True, kw_only=True)
class UnsafeSetting(State):
    """Somebody chose less safety at `place`: shown on every page for as long as it lasts."""

    keys: ClassVar[tuple[str, ...]] = ("place",)
    place: str
    detail: str


@topic("station/params")
@dataclass(frozen=True, slots=True, kw_only=True)
class ParamsChanged(Pulse):
    """Parameters of a group were changed by `by`; secret values are never named."""

    group: str
    names: tuple[str, ...]
    by: str


@topic("station/role")
@dataclass(frozen=True, slots=True, kw_only=True)
class RoleState(State):
    """A process of the device: joined to the link or not."""

    keys: ClassVar[tuple[str, ...]] = ("role",)
    role: str
    joined: bool
    pid: int
    ready: bool = False


@topic("station/journal/lost")
@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLost(Pulse):
    """Journal lines that could not be written while storage failed."""

    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """A fact as the journal keeps it; `fields` are the event's own, JSON-ready, by name.

    `id` is `BOOT-ROLE-NUMBER`, so the order of a boot is known even while the clock was not (hardening row 16).
    """

    id: str
    at: datetime
    topic: str
    operation: Operation
    cause: str | None
    fields: dict[str, Any]

    def text(self) -> str:
        """One line for people; values are JSON, so none can break the line or colour a terminal."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        words = [at, self.topic]
        if self.operation is Operation.DELETED:
            words.append("(gone)")
        words += [f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in self.fields.items()]
        words.append(f"id={self.id}")
        if self.cause is not None:
            words.append(f"cause={self.cause}")
        return " ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalQuery:
    """The newest lines; with `before` those older than the line of that id."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[str, Field(max_length=100)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """Lines in order, oldest first; `more` when there are older ones."""

    lines: tuple[JournalLine, ...]
    more: bool
