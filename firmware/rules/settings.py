"""Parameters of the rules room: the group `rules`, with the rules people wrote.

A rule that is new or changed is checked against the topics and actions there are before anything is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from firmware.core.actions import Level
from firmware.core.params import Group, param
from firmware.rules.defaults import DEFAULTS
from firmware.rules.place import Misplaced
from firmware.rules.rule import Condition, Do, Rule
from hal.errors import nearest

RULES_MAX = 256
ACTIONS_MAX = 8
CONDITIONS_MAX = 8

Name = Annotated[str, Field(min_length=1, max_length=64)]
Topic = Annotated[str, Field(min_length=1, max_length=64)]


class Words(BaseModel):
    """Base of what people write: an unknown name is answered with the nearest valid one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, raw: object) -> object:
        if isinstance(raw, Mapping):
            for name in raw:
                if name not in cls.model_fields:
                    hint = nearest(str(name), cls.model_fields)
                    raise complaint(Misplaced((str(name),), f"unknown name{hint}", name))
        return raw


class UserCondition(Words):
    """`field` equals a value: of the fact, or of the retained state of `topic` and `key`."""

    field: Name
    equals: JsonValue
    topic: Topic | None = None
    key: tuple[Annotated[str, Field(max_length=64)], ...] = Field(default=(), max_length=4)


class UserAction(Words):
    """An action with its parameters; `$event.NAME` takes a field of the fact."""

    action: Name
    params: dict[Name, JsonValue] = Field(default_factory=dict, max_length=32)


class UserRule(Words):
    """One rule: when a fact of the topic `trigger` comes and all conditions hold, the actions are carried out."""

    name: Name
    enabled: bool = True
    trigger: Topic
    conditions: tuple[UserCondition, ...] = Field(default=(), max_length=CONDITIONS_MAX)
    actions: tuple[UserAction, ...] = Field(min_length=1, max_length=ACTIONS_MAX)

    def rule(self) -> Rule:
        """The same as a value of the engine."""
        return Rule(
            name=self.name,
            enabled=self.enabled,
            trigger=self.trigger,
            conditions=tuple(
                Condition(field=each.field, equals=each.equals, topic=each.topic, key=each.key)
                for each in self.conditions
            ),
            actions=tuple(Do(action=each.action, params=each.params) for each in self.actions),
        )


def _each_name_once(rules: tuple[UserRule, ...]) -> None:
    taken = {rule.name for rule in DEFAULTS}
    for index, rule in enumerate(rules):
        if rule.name in taken:
            raise Misplaced((index, "name"), "another rule has this name", rule.name)
        taken.add(rule.name)


class RulesGroup(Group):
    """The rules people wrote, in the order they are followed; they may hold secrets, so not all may read them."""

    group: ClassVar[str] = "rules"
    level: ClassVar[Level] = Level.ADMIN

    rules: tuple[UserRule, ...] = param((), "Rules: what follows from what.", max_length=RULES_MAX)


def rules_group(check: Callable[[tuple[UserRule, ...]], None]) -> type[RulesGroup]:
    """The group whose rules are judged by `check`, which raises Misplaced for what cannot be."""

    def checked(rules: tuple[UserRule, ...]) -> tuple[UserRule, ...]:
        try:
            _each_name_once(rules)
            check(rules)
        except Misplaced as error:
            raise complaint(error) from None
        return rules

    kind = Annotated[tuple[UserRule, ...], AfterValidator(checked)]
    fields: dict[str, Any] = {"rules": (kind, param((), "Rules: what follows from what.", max_length=RULES_MAX))}
    return create_model("CheckedRulesGroup", __base__=RulesGroup, **fields)


def complaint(error: Misplaced) -> ValidationError:
    """The same as pydantic says it, so that the place within the rule is part of the place in the group."""
    kind = "missing" if error.missing else PydanticCustomError("rule", "{message}", {"message": error.message})
    details = InitErrorDetails(type=kind, loc=error.place, input=error.got)
    return ValidationError.from_exception_data("rule", [details])
