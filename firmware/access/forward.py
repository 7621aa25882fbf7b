"""What the entry list does not know goes to the door controller, beside everything else.

Every question is a task of its own, a few at a time for each reader; keys go one after the other, in order. Whoever
comes to a reader meanwhile is decided at once. A controller that is not there, fails or does not answer
within `FORWARD_WITHIN_S` is LOST and grants nothing: what else a lost controller may mean is its room's own parameter.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from firmware.core.actions import Invocation
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.controller import ForwardAnswer, ForwardParams, Verdict

ACTION = "controller.forward"
FORWARD_WITHIN_S = 10.0
AT_ONCE = 4  # for each reader
KEYS = 64

log = logging.getLogger("firmware.access")

Said = Callable[[ForwardAnswer], None]


@dataclass(frozen=True, slots=True)
class _Question:
    params: ForwardParams
    cause: str | None
    said: Said


class Forwarder:
    """Asks the controller for all readers."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._questions: asyncio.Queue[_Question] = asyncio.Queue()
        self._keys: asyncio.Queue[_Question] = asyncio.Queue(KEYS)
        self._under_way: Counter[str] = Counter()

    def ask(self, params: ForwardParams, said: Said, *, cause: str | None) -> bool:
        """Ask about a credential; `said` is called with the answer. False when too much is under way already."""
        if self._under_way[params.reader] >= AT_ONCE:
            return False
        self._under_way[params.reader] += 1
        self._questions.put_nowait(_Question(params, cause, said))
        return True

    def key(self, params: ForwardParams) -> bool:
        """Pass one key on, behind those before it; False when too many wait already."""
        try:
            self._keys.put_nowait(_Question(params, None, lambda answer: None))
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Carry questions and keys until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pass_keys())
            while True:
                tasks.create_task(self._carry(await self._questions.get()))

    async def _carry(self, question: _Question) -> None:
        try:
            answer = await self._answer(question)
        finally:
            self._under_way[question.params.reader] -= 1
        question.said(answer)

    async def _pass_keys(self) -> None:
        while True:
            question = await self._keys.get()
            answer = await self._answer(question)
            if answer.verdict is Verdict.LOST:
                log.warning(
                    "a key of reader %s did not reach the controller: %s", question.params.reader, answer.reason
                )

    async def _answer(self, question: _Question) -> ForwardAnswer:
        invocation = Invocation(action=ACTION, params=question.params, cause=question.cause)
        try:
            async with asyncio.timeout(FORWARD_WITHIN_S):
                return await self._core.link.invoke(invocation, ForwardAnswer)
        except TimeoutError:
            return ForwardAnswer(verdict=Verdict.LOST, reason=f"no answer in {FORWARD_WITHIN_S:g} s")
        except StationError as error:
            return ForwardAnswer(verdict=Verdict.LOST, reason=str(error))
        except Exception as error:  # a fault of the controller's room must not end the service that opens doors
            log.exception("the controller failed inside")
            return ForwardAnswer(verdict=Verdict.LOST, reason=f"failed inside ({type(error).__name__})")
