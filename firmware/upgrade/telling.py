"""The outcome of an upgrade, rollback or reset goes into the journal: once, at whatever moment the power goes.

The record keeps the outcome until the journal has it. Where the power went between the two, the next start looks
whether it stands there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from firmware.core.actions import Invocation
from firmware.core.context import Core
from firmware.core.errors import NotFound
from firmware.core.vocabulary.station import JournalPage, JournalQuery
from firmware.core.vocabulary.upgrade import UpgradeEnded
from firmware.upgrade.machine import Machine

# Longer than a line of the journal takes until it is on the medium.
JOURNALLED_S = 5.0
# As many of its newest lines as the journal gives out at once.
LINES = 1000


class Telling:
    """Part of the upgrade service; `noted` carries a change of the record out and survives a medium that fails."""

    def __init__(self, core: Core, machine: Machine, noted: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        self._core = core
        self._machine = machine
        self._noted = noted
        self._known: str | None = None  # the outcome that was told, or that the journal had already
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Tell of an outcome that a former start left untold."""
        last = self._machine.record.last
        if last is None:
            return
        if last.told or await self._in_journal(last.id):
            self._known = last.id
            self._news.set()
        else:
            self.tell()

    def tell(self) -> None:
        """Publish the newest outcome, unless that was done."""
        last = self._machine.record.last
        if last is None or last.id == self._known:
            return
        self._known = last.id
        self._news.set()
        self._core.bus.publish(
            UpgradeEnded(
                upgrade=last.id,
                what=last.what,
                outcome=last.outcome.value,
                why=last.why,
                before=last.before,
                after=last.after,
            )
        )

    async def run(self) -> None:
        """Note in the record what the journal has by now, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            told = self._known
            await self._core.clock.sleep(JOURNALLED_S)
            if told is not None:
                await self._noted(partial(self._machine.told, told))

    async def _in_journal(self, id: str) -> bool:
        try:
            page = await self._core.actions.invoke(Invocation(action="journal.read", params=JournalQuery(limit=LINES)))
        except NotFound:
            return False  # nobody keeps a journal here
        assert isinstance(page, JournalPage)
        return any(line.topic == UpgradeEnded.topic and line.fields["upgrade"] == id for line in page.lines)
