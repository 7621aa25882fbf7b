"""The link inside one role: its own actions and parameters, called directly.

The hub and the client use it for what their role owns; a role alone (tests, a single-role product)
uses it as its whole link.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from firmware.core.actions import NOTHING, Action, ActionTable, Caller, Invocation, Nothing
from firmware.core.errors import Forbidden, NotFound
from firmware.core.link.face import ActionInfo
from firmware.core.params import ParamInfo, Params
from firmware.core.values import decode, encode

T = TypeVar("T")


def info_of(action: Action) -> ActionInfo:
    """An action as listed to clients."""
    return ActionInfo(
        name=action.name,
        summary=action.summary,
        level=action.level,
        schema=json.dumps(action.schema(), separators=(",", ":")),
    )


class LocalLink:
    """`firmware.core.link.face.Link` on the tables of this role."""

    def __init__(self, actions: ActionTable, params: Params) -> None:
        self._actions = actions
        self._params = params

    async def invoke(self, invocation: Invocation, answer: type[T]) -> T:
        """Call the owner with typed parameters. Raises what the owner raises, TypeError for a wrong `answer`."""
        result = await self._actions.invoke(invocation)
        if result is None and answer is Nothing:
            result = NOTHING
        if not isinstance(result, answer):
            raise TypeError(f"{invocation.action} answers {type(result).__name__}, not {answer.__name__}")
        return result

    async def command(
        self, name: str, data: object, caller: Caller, *, cause: str | None = None, private: bool = False
    ) -> Any:
        """Call the owner with outside data; `private` commands come from another role, never from a client."""
        action = self._actions.find(name)
        if action.private and not private:
            raise NotFound("action", f"no action {name!r}")
        # Before the parameters: who may not do it at all is not told what is wrong with them.
        if caller.level < action.level:
            raise Forbidden(name, f"needs {action.level.name.lower()}, {caller.name!r} is not")
        params = decode(action.params, data, where=name)
        result = await self._actions.invoke(Invocation(action=name, params=params, caller=caller, cause=cause))
        return encode(NOTHING if result is None else result)

    async def actions(self) -> tuple[ActionInfo, ...]:
        """All listed actions, by name."""
        return tuple(info_of(action) for action in self._actions.listed() if not action.private)

    async def groups(self) -> tuple[str, ...]:
        """All parameter groups, by name."""
        return self._params.names()

    async def infos(self, group: str) -> tuple[ParamInfo, ...]:
        """The declarations of a group. Raises NotFound."""
        return self._params.infos(group)

    async def read(self, group: str, caller: Caller) -> Mapping[str, Any]:
        """A group's values as the caller may see them. Raises NotFound, Forbidden."""
        return self._params.shown(group, caller)

    async def change(
        self, group: str, patch: Mapping[str, Any], caller: Caller, *, cause: str | None = None
    ) -> Mapping[str, Any]:
        """Change parameters of a group, all or none. Raises NotFound, Invalid, Forbidden, Unavailable."""
        return await self._params.change(group, patch, caller, cause=cause)
