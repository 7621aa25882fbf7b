"""Commands: name -> typed parameters -> owner. One place can open a door, whoever asks.

Rules, interfaces and other roles all send an `Invocation`; the table checks the caller's level and
calls the owner, who answers a value or raises one of `firmware.core.errors`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeVar

from firmware.core.errors import Forbidden, Invalid, NotFound
from firmware.core.values import decode, schema
from hal.errors import nearest

P = TypeVar("P")


class Level(IntEnum):
    """Who may do it, in rising order; SYSTEM is the device itself (rules, buttons)."""

    ANONYMOUS = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3
    SYSTEM = 4


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: account or part of the device, its level, and the way it came (`api`, `rule`, `button`).

    `ptz` lets a viewer move the camera; whoever is more may anyway.
    """

    name: str
    level: Level
    via: str
    ptz: bool = False


SYSTEM = Caller("system", Level.SYSTEM, "system")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Parameters of an action that takes none, and the answer of one that returns none."""


NOTHING = Nothing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command on its way to the owner; `params` is an instance of the action's parameter type."""

    action: str
    params: object = NOTHING
    caller: Caller = SYSTEM
    cause: str | None = None


Handler = Callable[[Invocation], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A command as listed: name, least level, one sentence, parameter and answer types, secret or not.

    `private` actions are for other roles of this device only and are not listed to clients.
    """

    name: str
    summary: str
    params: type[Any]
    answer: type[Any]
    level: Level
    private: bool = False
    owner: Handler = field(repr=False)

    def schema(self) -> dict[str, Any]:
        """JSON schema of the parameters."""
        return schema(self.params)


class ActionTable:
    """The commands of one role."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self._watchers: list[Callable[[Action], None]] = []

    def watch(self, watcher: Callable[[Action], None]) -> None:
        """Call `watcher` for every action there is, and at once for every one that is added."""
        for action in self._actions.values():
            watcher(action)
        self._watchers.append(watcher)

    def register(
        self,
        name: str,
        params: type[Any],
        owner: Handler,
        *,
        summary: str,
        level: Level = Level.OPERATOR,
        answer: type[Any] = Nothing,
        private: bool = False,
    ) -> None:
        """Add a command; a service that starts again adds its own once more. Raises ValueError for a taken name."""
        before = self._actions.get(name)
        if before is not None and not _same_place(before.owner, owner):
            raise ValueError(f"action {name!r} is registered twice")
        action = self._actions[name] = Action(
            name=name,
            summary=summary,
            params=params,
            answer=answer,
            level=level,
            private=private,
            owner=owner,
        )
        for watcher in self._watchers:
            watcher(action)

    def find(self, name: str) -> Action:
        """The action of that name. Raises NotFound with the nearest valid name."""
        action = self._actions.get(name)
        if action is None:
            public = [known.name for known in self._actions.values() if not known.private]
            raise NotFound("action", f"no action {name!r}{nearest(name, public)}")
        return action

    def __contains__(self, name: str) -> bool:
        return name in self._actions

    def listed(self) -> tuple[Action, ...]:
        """All actions, by name."""
        return tuple(self._actions[name] for name in sorted(self._actions))

    def parse(self, name: str, data: object) -> object:
        """Parameters of an action from outside data. Raises NotFound, Invalid."""
        return decode(self.find(name).params, data, where=name)

    async def invoke(self, invocation: Invocation) -> object:
        """Call the owner. Raises NotFound, Forbidden, Invalid, and what the owner raises."""
        action = self.find(invocation.action)
        if invocation.caller.level < action.level:
            raise Forbidden(action.name, f"needs {action.level.name.lower()}, {invocation.caller.name!r} is not")
        if type(invocation.params) is not action.params:
            raise Invalid(
                action.name,
                f"parameters are {type(invocation.params).__name__}, not {action.params.__name__}",
            )
        return await action.owner(invocation)


def _same_place(one: Handler, other: Handler) -> bool:
    """Whether two owners are the same function of the code, perhaps of another instance."""
    first, second = (inspect.unwrap(getattr(owner, "__func__", owner)) for owner in (one, other))
    return getattr(first, "__code__", first) is getattr(second, "__code__", second)
