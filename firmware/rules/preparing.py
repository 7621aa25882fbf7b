"""From a rule as written to one that decides fast: every name is found and every literal decoded, once.

What does not exist is complained of with its place in the rule and the nearest name that does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from operator import attrgetter
from typing import Any

from firmware.core.actions import Action, Level
from firmware.core.events import REGISTRY, Event, State
from firmware.core.link.face import ActionInfo
from firmware.core.values import encode, hidden_in, names_of
from firmware.rules.engine import ReadyAction, ReadyRule, StateIs
from firmware.rules.fitting import MASK, converter, hints_of, literal
from firmware.rules.place import Misplaced, Place
from firmware.rules.rule import Condition, Do, Rule
from hal.errors import nearest

# Actions by name: those of this role as registered, those of other roles as listed.
Actions = Mapping[str, Action | ActionInfo]

PREFIX = "$event."


def prepare(rule: Rule, actions: Actions) -> ReadyRule:
    """Check a rule against the topics and actions there are. Raises Misplaced."""
    trigger = _event_class(rule.trigger, ("trigger",))
    own: list[tuple[str, object]] = []
    states: list[StateIs] = []
    for index, condition in enumerate(rule.conditions):
        place = ("conditions", index)
        if condition.topic is None:
            if condition.key:
                raise Misplaced((*place, "key"), "a key needs the topic of a state", list(condition.key))
            own.append((_field(trigger, condition.field, place), _equals(trigger, condition, place)))
        else:
            states.append(_state_is(trigger, condition, condition.topic, place))
    return ReadyRule(
        name=rule.name,
        trigger=trigger,
        fields=tuple(own),
        states=tuple(states),
        actions=tuple(
            _action(trigger, do, actions, rule.locked, ("actions", index)) for index, do in enumerate(rule.actions)
        ),
    )


def _event_class(topic: str, place: Place) -> type[Event]:
    if topic not in REGISTRY:
        raise Misplaced(place, f"no such topic{nearest(topic, REGISTRY)}", topic)
    return REGISTRY[topic]


def _field(cls: type[Event], name: str, place: Place) -> str:
    if name not in names_of(cls):
        raise Misplaced((*place, "field"), f"{cls.topic} has no such field{nearest(name, names_of(cls))}", name)
    return name


def _equals(cls: type[Event], condition: Condition, place: Place) -> object:
    where = (*place, "equals")
    return literal(cls, condition.field, _plain(condition.equals, where), where)


def _state_is(trigger: type[Event], condition: Condition, topic: str, place: Place) -> StateIs:
    where = (*place, "topic")
    cls = _event_class(topic, where)
    if not issubclass(cls, State):
        states = [name for name, known in REGISTRY.items() if issubclass(known, State)]
        raise Misplaced(where, f"is not a state: it happens, and is over{nearest(topic, states)}", topic)
    _field(cls, condition.field, place)
    if len(condition.key) != len(cls.keys):
        keys = ", ".join(cls.keys) or "nothing"
        raise Misplaced((*place, "key"), f"the key of {topic} is {keys}", list(condition.key))
    parts = [_part(trigger, part, (*place, "key", index)) for index, part in enumerate(condition.key)]
    return StateIs(cls, _key(parts), condition.field, _equals(cls, condition, place))


def _part(trigger: type[Event], part: str, place: Place) -> str | Callable[[Event], Any]:
    name = _template(trigger, part, place)
    return attrgetter(name) if name is not None else str(_plain(part, place))


def _key(parts: list[str | Callable[[Event], Any]]) -> Callable[[Event], tuple[str, ...]]:
    fixed = tuple(part for part in parts if isinstance(part, str))
    if len(fixed) == len(parts):
        return lambda event: fixed
    return lambda event: tuple(part if isinstance(part, str) else str(part(event)) for part in parts)


def _action(trigger: type[Event], do: Do, actions: Actions, locked: bool, place: Place) -> ReadyAction:
    found = actions.get(do.action)
    usable = {name for name, action in actions.items() if locked or _for_people(action)}
    if found is None or do.action not in usable:
        raise Misplaced((*place, "action"), f"no such action{nearest(do.action, usable)}", do.action)
    place = (*place, "params")
    if isinstance(found, ActionInfo):
        return ReadyAction(do.action, _foreign(trigger, do, found, place), foreign=True)
    return ReadyAction(do.action, _local(trigger, do, found.params, place))


def _for_people(action: Action | ActionInfo) -> bool:
    """Whether a rule that somebody wrote may ask for it: rules are not a way to more than an administrator may."""
    return action.level <= Level.ADMIN and not (isinstance(action, Action) and action.private)


def _local(trigger: type[Event], do: Do, cls: type[Any], place: Place) -> Callable[[Event], object]:
    """What builds typed parameters: a constant when no field of the fact is used, else the class's constructor."""
    _names(do, names_of(cls), _needed(cls), place)
    fixed: dict[str, object] = {}
    taken: list[tuple[str, str, Callable[[object], object] | None]] = []
    for name, value in do.params.items():
        where = (*place, name)
        source = _template(trigger, value, where)
        if source is None:
            shown = MASK if name in hidden_in(cls) else value
            fixed[name] = literal(cls, name, _plain(value, where, shown), where)
            continue
        try:
            taken.append((name, source, converter(hints_of(trigger)[source], cls, name)))
        except TypeError as error:
            raise Misplaced(where, f"{trigger.topic} {source} {error}", value) from None

    def construct(event: Event) -> object:
        values = dict(fixed)
        for name, source, convert in taken:
            value = getattr(event, source)
            values[name] = value if convert is None else convert(value)
        return cls(**values)

    if not taken:
        try:
            constant = construct(Event())
        except ValueError as error:
            got = MASK if hidden_in(cls) else dict(do.params)
            raise Misplaced(place, str(error), got) from None
        return lambda event: constant
    return construct


def _needed(cls: type[Any]) -> frozenset[str]:
    if is_dataclass(cls):
        return frozenset(
            field.name for field in fields(cls) if field.default is MISSING and field.default_factory is MISSING
        )
    return frozenset(name for name, field in cls.model_fields.items() if field.is_required())


def _foreign(trigger: type[Event], do: Do, info: ActionInfo, place: Place) -> Callable[[Event], object]:
    """What builds the data of an action of another role; its owner judges the values."""
    listed = json.loads(info.schema)
    if "$ref" in listed:
        listed = listed["$defs"][listed["$ref"].rpartition("/")[2]]
    _names(do, tuple(listed.get("properties", ())), frozenset(listed.get("required", ())), place)
    fixed: dict[str, object] = {}
    taken: list[tuple[str, str]] = []
    for name, value in do.params.items():
        where = (*place, name)
        source = _template(trigger, value, where)
        if source is None:
            fixed[name] = _plain(value, where, MASK)  # it may be a secret: only its owner knows
        else:
            taken.append((name, source))
    return lambda event: {**fixed, **{name: encode(getattr(event, source)) for name, source in taken}}


def _names(do: Do, valid: tuple[str, ...], needed: frozenset[str], place: Place) -> None:
    for name in do.params:
        if name not in valid:
            raise Misplaced((*place, name), f"{do.action} has no such parameter{nearest(name, valid)}", name)
    for name in valid:
        if name in needed and name not in do.params:
            raise Misplaced((*place, name), "is missing", dict(do.params), missing=True)


def _template(trigger: type[Event], value: object, place: Place) -> str | None:
    """The field that `$event.NAME` names, None for anything else. Raises Misplaced for a field there is not."""
    if not isinstance(value, str) or not value.startswith(PREFIX):
        return None
    name = value.removeprefix(PREFIX)
    if name not in names_of(trigger):
        raise Misplaced(place, f"{trigger.topic} has no such field{nearest(name, names_of(trigger))}", value)
    return name


def _plain(value: object, place: Place, shown: object = None) -> object:
    """A literal with `$$` made `$`. Raises Misplaced, which repeats `shown`, for a `$` that means nothing here."""
    if isinstance(value, str):
        if value.startswith("$$"):
            return value[1:]
        if value.startswith("$"):
            message = "a value here is not taken from the fact; write $$ for a plain $"
            raise Misplaced(place, message, value if shown is None else shown)
        return value
    if isinstance(value, list | tuple):
        return [_plain(each, (*place, index), shown) for index, each in enumerate(value)]
    if isinstance(value, Mapping):
        return {name: _plain(each, (*place, str(name)), shown) for name, each in value.items()}
    return value
