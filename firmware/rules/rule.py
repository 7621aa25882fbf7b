"""A rule as a value: when this fact comes, and that holds, do these.

A parameter written `$event.NAME` takes the field NAME of the fact; `$$` at the start stands for one `$`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A field equals a value: of the fact itself, or with `topic` and `key` of a retained state.

    A part of `key` may be `$event.NAME`. A state that is not there equals nothing.
    """

    field: str
    equals: object
    topic: str | None = None
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """One action of a rule, with its parameters as written."""

    action: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What follows from a fact; `trigger` is its topic, all `conditions` must hold. A locked rule is the product's."""

    name: str
    trigger: str
    actions: tuple[Do, ...]
    conditions: tuple[Condition, ...] = ()
    enabled: bool = True
    locked: bool = False
