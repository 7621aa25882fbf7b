"""What a service or interface sees of the link, whichever form it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from firmware.core.actions import Caller, Invocation, Level
from firmware.core.params import ParamInfo

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInfo:
    """An action as listed to clients: `schema` is the JSON schema of its parameters, as text."""

    name: str
    summary: str
    level: Level
    schema: str


class Link(Protocol):
    """Commands and parameters of the whole device. Facts and states are on the role's own `Bus`.

    Every call raises what the owner raises, and Unavailable when the owner's role is away.
    """

    async def invoke(self, invocation: Invocation, answer: type[T]) -> T:
        """Send a typed command to its owner, wherever it runs."""

    async def command(self, name: str, data: object, caller: Caller, *, cause: str | None = None) -> Any:
        """Send a command whose parameters are outside data (JSON); answers JSON-ready data."""

    async def actions(self) -> tuple[ActionInfo, ...]:
        """All listed (not private) actions of all roles, by name."""

    async def groups(self) -> tuple[str, ...]:
        """All parameter groups of all roles, by name."""

    async def infos(self, group: str) -> tuple[ParamInfo, ...]:
        """The declarations of a group."""

    async def read(self, group: str, caller: Caller) -> Mapping[str, Any]:
        """A group's values as the caller may see them."""

    async def change(
        self, group: str, patch: Mapping[str, Any], caller: Caller, *, cause: str | None = None
    ) -> Mapping[str, Any]:
        """Change parameters of a group, all or none."""
