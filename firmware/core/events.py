"""Facts: frozen, keyword-only, with a topic, an id, a time and a cause.

A `Pulse` happened; a `State` is true until it changes and is retained by the bus per key. The bus
stamps an event when it is published; nobody else sets `id`, `at` or `cause`. Topics are unique:
`REGISTRY` maps each to its class, for the link, the journal and the interfaces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar, TypeVar

REGISTRY: dict[str, type[Event]] = {}

_UNSTAMPED = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Any fact. `id` is `BOOT-ROLE-NUMBER`, rising within a role; `cause` is the id that led here.

    The journal keeps what is `journalled`: not what changes several times a second, such as a level meter.
    """

    topic: ClassVar[str] = ""
    journalled: ClassVar[bool] = True

    id: str = ""
    at: datetime = _UNSTAMPED
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse(Event):
    """Something that happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Event):
    """Something that is so; `keys` names the fields that say of which thing."""

    keys: ClassVar[tuple[str, ...]] = ()

    def key(self) -> tuple[str, ...]:
        """Which thing this is the state of."""
        return tuple(str(getattr(self, name)) for name in self.keys)

    def same_as(self, other: State | None) -> bool:
        """Whether nothing but the stamp differs."""
        if other is None or type(other) is not type(self):
            return False
        return all(
            getattr(self, name) == getattr(other, name)
            for name in self.__dataclass_fields__
            if name not in ("id", "at", "cause")
        )


class Operation(StrEnum):
    """What a notice says of its event."""

    INITIALISED = "initialised"
    HAPPENED = "happened"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Notice:
    """An event as a subscriber receives it."""

    operation: Operation
    event: Event


E = TypeVar("E", bound=type[Event])


def topic(name: str) -> Callable[[E], E]:
    """Class decorator: give an event class its topic (`door/alarm`) and register it."""

    def register(cls: E) -> E:
        if name in REGISTRY:
            raise ValueError(f"topic {name!r} belongs to {REGISTRY[name].__name__}")
        cls.topic = name
        REGISTRY[name] = cls
        return cls

    return register
