"""What the roles of a device are going to own, known before they join: what is away is not taken for unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """The role that will own each action, and each group of parameters, by name.

    Private actions are those that only other roles may ask for.
    """

    actions: Mapping[str, str] = field(default_factory=dict)
    private_actions: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)

    def action(self, name: str, *, private: bool) -> str | None:
        """The role of an action; None where there is none, or none for who may not ask for private ones."""
        return self.actions.get(name) or (self.private_actions.get(name) if private else None)
