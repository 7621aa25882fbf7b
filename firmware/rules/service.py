"""Service `rules`: what follows from what. A granted access opens the door because a rule says so.

Locked rules are the product's, the rest are parameters. The service prepares them whenever they, or the
actions there are, change.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import ClassVar

from firmware.core.actions import Action
from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.link.face import ActionInfo
from firmware.core.vocabulary.station import ParamsChanged, RoleState
from firmware.rules.chains import Chains
from firmware.rules.defaults import DEFAULTS
from firmware.rules.engine import ReadyRule, RuleSet
from firmware.rules.lane import Lane
from firmware.rules.place import Misplaced
from firmware.rules.preparing import Actions, prepare
from firmware.rules.rule import Rule
from firmware.rules.settings import UserRule, rules_group

log = logging.getLogger(__name__)


class RulesService:
    """Follows the locked rules and the group `rules`; publishes `RuleFailed` for what was not carried out."""

    name: ClassVar[str] = "rules"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core) -> None:
        self._core = core
        self._group = rules_group(self._check)
        self._foreign: dict[str, ActionInfo] = {}
        self._known: frozenset[str] = frozenset()
        self._said: dict[str, str] = {}
        self._changes: Subscription | None = None
        chains = Chains()
        self._own = Lane(core, chains, "locked", first=True)
        self._peoples = Lane(core, chains, "people's", first=False)
        core.bus.tap(chains.note)
        core.actions.watch(self._offered)

    async def start(self) -> None:
        """Load the rules and listen for the facts they wait for."""
        self._core.params.declare(self._group)
        await self._core.params.load(self._group)
        self._changes = self._core.bus.subscribe(ParamsChanged, RoleState, retained=False)
        await self._learn()
        self._prepare()

    async def run(self) -> None:
        """Follow the rules until cancelled."""
        assert self._changes is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._own.run(), name="locked rules")
            group.create_task(self._peoples.run(), name="people's rules")
            async for notice in self._changes:
                match notice.event:
                    case ParamsChanged(group=self._group.group):
                        self._prepare()
                    case RoleState(ready=True):
                        await self._learn()
                        self._prepare()

    async def stop(self) -> None:
        """Follow nothing more."""
        self._own.close()
        self._peoples.close()
        if self._changes is not None:
            self._changes.close()
            self._changes = None

    async def _learn(self) -> None:
        """Ask for the actions of all roles; one that left meanwhile is still known by its actions."""
        for info in await self._core.link.actions():
            if info.name not in self._core.actions:
                self._foreign[info.name] = info

    def _offered(self, action: Action) -> None:
        if self._changes is not None and action.name not in self._known:
            self._prepare()

    def _actions(self) -> Actions:
        return {**self._foreign, **{action.name: action for action in self._core.actions.listed()}}

    def _check(self, rules: tuple[UserRule, ...]) -> None:
        """Judge rules somebody writes. Raises Misplaced. One that stands unchanged was judged before."""
        if self._changes is None:  # saved rules are being loaded: what cannot be followed then is left out, not refused
            return
        actions = self._actions()
        standing = {rule.name: rule for rule in self._standing()}
        for index, rule in enumerate(rules):
            if standing.get(rule.name) != rule:
                try:
                    prepare(rule.rule(), actions)
                except Misplaced as error:
                    raise error.within(index) from None

    def _standing(self) -> tuple[UserRule, ...]:
        return self._core.params.get(self._group).rules

    def _prepare(self) -> None:
        """Prepare all rules; what cannot be followed is left out, and said once."""
        actions = self._actions()
        self._known = frozenset(actions)
        said: dict[str, str] = {}
        own = [self._default(rule, actions, said) for rule in DEFAULTS]
        peoples = [
            self._ready(rule.rule(), actions, f"rules.rules.{index}", said)
            for index, rule in enumerate(self._standing())
            if rule.enabled
        ]
        self._own.follow(RuleSet.of(rule for rule in own if rule is not None))
        self._peoples.follow(RuleSet.of(rule for rule in peoples if rule is not None))
        for name, line in said.items():
            if self._said.get(name) != line:
                # A board without doors lacks what a locked rule asks for: that is how it is built, not a fault.
                log.log(logging.INFO if line.startswith("locked rule") else logging.WARNING, "%s", line)
        self._said = said

    def _default(self, rule: Rule, actions: Actions, said: dict[str, str]) -> ReadyRule | None:
        """A rule of the product with those of its actions that this board has."""
        missing = [do.action for do in rule.actions if do.action not in actions]
        if missing:
            said[rule.name] = f"locked rule {rule.name!r}: this board has no {', no '.join(missing)}"
            rule = replace(rule, actions=tuple(do for do in rule.actions if do.action in actions))
        return self._ready(rule, actions, rule.name, said) if rule.actions else None

    def _ready(self, rule: Rule, actions: Actions, where: str, said: dict[str, str]) -> ReadyRule | None:
        try:
            return prepare(rule, actions)
        except Misplaced as error:
            said[rule.name] = f"rule {rule.name!r} is not followed: {where}.{error}"
            return None
