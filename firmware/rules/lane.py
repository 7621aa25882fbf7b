"""One row of rules at work: facts come in order, and what follows is carried out in order.

The product's own rules and people's have a lane each, so that nothing people write delays the door. What
another role has to do is sent and not waited for; what takes long here goes on beside the next fact.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.errors import Exhausted, Invalid, StationError, Unavailable
from firmware.core.events import Event, Notice, Operation
from firmware.core.vocabulary.rules import RuleFailed
from firmware.rules.chains import ACTIONS, LENGTH, Chains, Onward
from firmware.rules.engine import Consequence, RuleSet, Unfit, decide
from hal.errors import HalError

# Commands under way that are not waited for; what comes beyond is refused.
UNDER_WAY = 64
# How long the next fact waits for what this one asks of this role.
PATIENCE_S = 0.25

log = logging.getLogger(__name__)


class Lane:
    """Follows one set of rules; `follow` may replace it at any time, and no fact is lost by that."""

    def __init__(self, core: Core, chains: Chains, name: str, *, first: bool) -> None:
        """A lane that is not `first` lets what is due already go before it decides."""
        self._core = core
        self._chains = chains
        self._name = name
        self._first = first
        self._rules = RuleSet()
        self._listening: deque[Subscription] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._lost = 0

    def follow(self, rules: RuleSet) -> None:
        """Follow these rules from now on."""
        before = self._rules.triggers()
        self._rules = rules
        triggers = rules.triggers()
        if triggers == before and self._listening:
            return
        former = self._listening[-1] if self._listening else None
        # RuleFailed stands in when there is no trigger: a subscription without classes would get every fact.
        self._listening.append(self._core.bus.subscribe(*(triggers or {RuleFailed}), retained=False))
        if former is not None:
            former.close()

    def close(self) -> None:
        """Hear no more."""
        for subscription in self._listening:
            subscription.close()
        self._listening.clear()

    async def run(self) -> None:
        """Follow facts until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                notice = await self._next()
                if not self._first:
                    await self._core.clock.sleep(0)
                if notice.operation in (Operation.HAPPENED, Operation.CHANGED):
                    await self._hear(notice.event, group)

    async def _next(self) -> Notice:
        """The next fact, the rest of a former subscription first."""
        while True:
            subscription = self._listening[0]
            try:
                notice = await subscription.get()
            except StopAsyncIteration:
                self._listening.popleft()
                self._lost = 0
                continue
            if subscription.lost > self._lost:
                self._tell_lost(subscription.lost - self._lost, notice.event)
                self._lost = subscription.lost
            return notice

    def _tell_lost(self, count: int, event: Event) -> None:
        log.error("%s rules fell behind and lost %d facts", self._name, count)
        self._core.bus.publish(
            RuleFailed(rule="", action="", code=Exhausted.code, message=f"{count} facts came too fast and were lost"),
            cause=event,
        )

    async def _hear(self, event: Event, group: asyncio.TaskGroup) -> None:
        found = decide(event, self._rules, self._core.bus)
        if not found:
            return
        match self._chains.onward(event, len(found)):
            case Onward.STOP:
                message = f"stopped: the rules go in a circle ({LENGTH} facts in a row, or {ACTIONS} actions, from one)"
                self._failed(found[0].rule, "", Exhausted.code, message, event.id)
                return
            case Onward.STOPPED_BEFORE:
                return
            case Onward.GO:
                pass
        here: deque[Consequence] = deque()
        for each in found:
            if isinstance(each, Unfit):
                self._failed(each.rule, each.action, Invalid.code, each.message, event.id)
            elif not each.foreign:
                here.append(each)
            elif len(self._under_way) < UNDER_WAY:
                self._let_go(group.create_task(self._carry_out_all(deque((each,))), name=f"rule {each.rule}"))
            else:
                self._refuse((each,))
        if here:
            await self._in_order(here, group)

    async def _in_order(self, here: deque[Consequence], group: asyncio.TaskGroup) -> None:
        task = group.create_task(self._carry_out_all(here), name=f"rule {here[0].rule}")
        await asyncio.wait((task,), timeout=PATIENCE_S)
        if task.done():
            return
        if len(self._under_way) < UNDER_WAY:
            log.warning("rule %s: %s takes long; the next fact does not wait for it", here[0].rule, here[0].action)
            self._let_go(task)
            return
        task.cancel()
        self._refuse(tuple(here))

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _refuse(self, consequences: Sequence[Consequence]) -> None:
        for each in consequences:
            message = f"{UNDER_WAY} actions of rules are under way already"
            self._failed(each.rule, each.action, Exhausted.code, message, each.cause)

    async def _carry_out_all(self, here: deque[Consequence]) -> None:
        # A rule's later actions say that its earlier ones were done: no green light for a door that did not open.
        broken: set[str] = set()
        while here:
            if here[0].rule not in broken and not await self._carry_out(here[0]):
                broken.add(here[0].rule)
            here.popleft()

    async def _carry_out(self, each: Consequence) -> bool:
        try:
            if each.foreign:
                await self._core.link.command(each.action, each.params, each.caller, cause=each.cause)
            else:
                await self._core.actions.invoke(each)
        except StationError as error:
            self._failed(each.rule, each.action, error.code, str(error), each.cause)
        except HalError as error:
            self._failed(each.rule, each.action, Unavailable.code, str(error), each.cause)
        except Exception:  # a fault of one action's owner must not end the rules that open doors
            log.exception("rule %s: the owner of %s failed", each.rule, each.action)
            message = f"{each.action}: failed inside; the log says how"
            self._failed(each.rule, each.action, Unavailable.code, message, each.cause)
        else:
            return True
        return False

    def _failed(self, rule: str, action: str, code: str, message: str, cause: str | None) -> None:
        self._core.bus.publish(RuleFailed(rule=rule, action=action, code=code, message=message), cause=cause)
