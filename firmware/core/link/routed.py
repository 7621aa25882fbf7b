"""The face of a link that reaches other roles: what this role owns is asked here, all else whoever owns it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from firmware.core.actions import ActionTable, Caller, Invocation
from firmware.core.link.local import LocalLink
from firmware.core.link.peer import Peer
from firmware.core.link.wire import Op
from firmware.core.params import ParamInfo, Params
from firmware.core.values import decode, encode

T = TypeVar("T")


class RoutedLink(ABC):
    """What hub and client have in common of `firmware.core.link.face.Link`; they know who owns what."""

    def __init__(self, actions: ActionTable, params: Params) -> None:
        self._table = actions
        self._params = params
        self._local = LocalLink(actions, params)

    @abstractmethod
    def _action_owner(self, name: str, *, private: bool = True) -> Peer | None:
        """Whom to ask for an action, None for this role. Raises NotFound, Unavailable."""

    @abstractmethod
    def _group_owner(self, group: str) -> Peer | None:
        """Whom to ask for a group of parameters, None for this role. Raises NotFound, Unavailable."""

    async def invoke(self, invocation: Invocation, answer: type[T]) -> T:
        """Send a typed command to its owner. Raises what the owner raises, Unavailable while its role is away."""
        owner = self._action_owner(invocation.action)
        if owner is None:
            return await self._local.invoke(invocation, answer)
        data = await owner.ask(
            Op.INVOKE,
            invocation.caller,
            name=invocation.action,
            data=encode(invocation.params),
            cause=invocation.cause,
        )
        return decode(answer, data, where=invocation.action)

    async def command(self, name: str, data: object, caller: Caller, *, cause: str | None = None) -> Any:
        """Send a command with outside data to its owner."""
        owner = self._action_owner(name, private=False)
        if owner is None:
            return await self._local.command(name, data, caller, cause=cause)
        return await owner.ask(Op.COMMAND, caller, name=name, data=data, cause=cause)

    async def infos(self, group: str) -> tuple[ParamInfo, ...]:
        """The declarations of a group."""
        owner = self._group_owner(group)
        if owner is None:
            return await self._local.infos(group)
        return decode(tuple[ParamInfo, ...], await owner.ask(Op.INFOS, name=group), where=group)

    async def read(self, group: str, caller: Caller) -> Mapping[str, Any]:
        """A group's values as the caller may see them."""
        owner = self._group_owner(group)
        if owner is None:
            return await self._local.read(group, caller)
        return decode(dict[str, Any], await owner.ask(Op.READ, caller, name=group), where=group)

    async def change(
        self, group: str, patch: Mapping[str, Any], caller: Caller, *, cause: str | None = None
    ) -> Mapping[str, Any]:
        """Change parameters of a group, all or none."""
        owner = self._group_owner(group)
        if owner is None:
            return await self._local.change(group, patch, caller, cause=cause)
        data = await owner.ask(Op.CHANGE, caller, name=group, data=dict(patch), cause=cause)
        return decode(dict[str, Any], data, where=group)
