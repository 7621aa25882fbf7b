"""The decision: from one fact, the rules and the states now, what is to be done. Pure, and reads memory only.

Rules come prepared by `firmware.rules.preparing`: names are resolved, literals decoded, so that a fact costs
a look-up by topic and a few comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import ValidationError

from firmware.core.actions import Caller, Invocation, Level
from firmware.core.events import Event, State

S = TypeVar("S", bound=State)

RULES = Caller("rules", Level.SYSTEM, "rule")


class States(Protocol):
    """The retained states of the device; the bus is one."""

    def state(self, cls: type[S], *key: str) -> S | None:
        """The state of one thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence(Invocation):
    """An invocation that `rule` asks for; `params` of an action of another role (`foreign`) are JSON-ready data."""

    rule: str
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """An action that could not be made from the fact: a field is not what the parameter takes."""

    rule: str
    action: str
    message: str


@dataclass(frozen=True, slots=True)
class StateIs:
    """A prepared condition on a retained state; `key` answers its key for a fact."""

    cls: type[State]
    key: Callable[[Event], tuple[str, ...]]
    field: str
    equals: object

    def holds(self, event: Event, states: States) -> bool:
        """Whether the state is there and its field has the value."""
        state = states.state(self.cls, *self.key(event))
        return state is not None and bool(getattr(state, self.field) == self.equals)


@dataclass(frozen=True, slots=True)
class ReadyAction:
    """A prepared action; `make` builds its parameters from a fact. Raises ValueError, TypeError."""

    action: str
    make: Callable[[Event], object]
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """A prepared rule; `fields` are conditions on the fact itself."""

    name: str
    trigger: type[Event]
    fields: tuple[tuple[str, object], ...]
    states: tuple[StateIs, ...]
    actions: tuple[ReadyAction, ...]

    def holds(self, event: Event, states: States) -> bool:
        """Whether every condition holds for this fact now."""
        for name, value in self.fields:
            if getattr(event, name) != value:
                return False
        return all(condition.holds(event, states) for condition in self.states)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Prepared rules by topic, in order."""

    by_topic: dict[str, tuple[ReadyRule, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[ReadyRule]) -> RuleSet:
        """Sort rules by topic; rules of one topic keep their order."""
        found: dict[str, list[ReadyRule]] = {}
        for rule in rules:
            found.setdefault(rule.trigger.topic, []).append(rule)
        return cls({topic: tuple(group) for topic, group in found.items()})

    def triggers(self) -> frozenset[type[Event]]:
        """The event classes these rules wait for."""
        return frozenset(group[0].trigger for group in self.by_topic.values())


def decide(event: Event, rules: RuleSet, states: States) -> tuple[Consequence | Unfit, ...]:
    """What follows from a fact, in the order of the rules and of their actions."""
    found: list[Consequence | Unfit] = []
    for rule in rules.by_topic.get(event.topic, ()):
        if rule.holds(event, states):
            found += [_follow(rule, action, event) for action in rule.actions]
    return tuple(found)


def _follow(rule: ReadyRule, action: ReadyAction, event: Event) -> Consequence | Unfit:
    try:
        params = action.make(event)
    except ValidationError as error:
        return Unfit(rule=rule.name, action=action.action, message=error.errors()[0]["msg"])
    except (TypeError, ValueError) as error:
        return Unfit(rule=rule.name, action=action.action, message=str(error))
    return Consequence(
        action=action.action,
        params=params,
        caller=RULES,
        cause=event.id,
        rule=rule.name,
        foreign=action.foreign,
    )
