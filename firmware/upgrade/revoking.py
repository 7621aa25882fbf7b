"""Deletions go into the revocation journal as they happen, and out of it into settings that a rollback brought back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

from firmware.core.actions import NOTHING, SYSTEM, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.deletions import KEPT
from firmware.core.errors import NotFound, Refused, StationError, Unavailable
from firmware.core.events import Notice
from firmware.core.vocabulary.access import EntriesChanged
from firmware.core.vocabulary.security import AccountChanged
from firmware.core.vocabulary.station import RoleState
from firmware.core.vocabulary.upgrade import UpgradeNote
from firmware.core.worker import Worker
from firmware.upgrade.machine import Machine, reason_of
from firmware.upgrade.revocations import LARGEST, Revocation, RevocationJournal, RevokedKind

AGAIN_S = 5.0

log = logging.getLogger("firmware.upgrade")

# How each kind is deleted: the action and the name of its parameter.
DELETE = {RevokedKind.ENTRY: ("entries.remove", "id"), RevokedKind.ACCOUNT: ("accounts.remove", "name")}


class Revoking:
    """Part of the upgrade service. Owns `deletions.kept`."""

    def __init__(
        self, core: Core, machine: Machine, worker: Worker, path: Path, show: Callable[[], None] = lambda: None
    ) -> None:
        """`show` puts a changed record on the bus."""
        self._core = core
        self._machine = machine
        self._worker = worker
        self._show = show
        self._journal = RevocationJournal(path)
        self._waiting: deque[Revocation] = deque()
        self._wake = asyncio.Event()
        self._turned = asyncio.Event()  # something was written, or could not be
        self._trouble = ""  # why the first that waits could not be written
        self._writes = False
        self._stopped = False
        self.applied = machine.revocations_due() is None  # what is due has been taken from the settings
        core.bus.tap(self._note)

    def start(self) -> None:
        """Listen (again), and offer the action."""
        self._stopped = False
        self._writes = True
        self._core.actions.register(
            KEPT,
            Nothing,
            self._kept,
            summary="Answer once every deletion so far is kept for a rollback.",
            level=Level.SYSTEM,
            private=True,
        )

    def stop(self) -> None:
        """Listen no more."""
        self._stopped = True

    async def run(self) -> None:
        """Apply what is due, and write down what is deleted, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._apply_due(), name="revocations due")
                tasks.create_task(self._write_down(), name="revocations written")
        finally:
            self._writes = False
            self._turned.set()

    def _note(self, notice: Notice) -> None:
        if self._stopped:
            return
        match notice.event:
            case EntriesChanged(change="removed", entry=id):
                self._waiting.append(Revocation(RevokedKind.ENTRY, id))
            case AccountChanged(change="removed", name=name):
                self._waiting.append(Revocation(RevokedKind.ACCOUNT, name))
            case _:
                return
        self._wake.set()

    # what is deleted now

    async def _kept(self, _: Invocation) -> Nothing:
        """Raises Unavailable when the medium refuses: it is tried again, and a rollback before then knows nothing."""
        self._trouble = ""
        while self._waiting:
            if self._trouble or not self._writes:
                why = self._trouble or "the upgrade service does not run"
                raise Unavailable("deletions", f"deleted, but a rollback could bring it back ({why})")
            self._turned.clear()
            await self._turned.wait()
        return NOTHING

    async def _write_down(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                revocation = self._waiting[0]
                try:
                    await self._worker.run(lambda it=revocation: self._journal.append(it))  # type: ignore[misc]
                except OSError as error:
                    log.error("a deletion could not be written into the revocation journal yet: %s", error)
                    self._trouble = reason_of(error)
                    self._turned.set()
                    await self._core.clock.sleep(AGAIN_S)
                    continue
                self._waiting.popleft()
                self._turned.set()
            await self._bound()

    async def _bound(self) -> None:
        """Keep the journal from growing for ever: what nobody needs goes, and in the end the way back."""
        try:
            closed = await self._worker.run(self._shrink)
        except OSError as error:
            log.error("the revocation journal could not be made shorter: %s", error)
            return
        if closed:
            text = "so much was deleted since the upgrade that the way back was closed"
            self._core.bus.publish(UpgradeNote(text=text))
            self._show()

    def _shrink(self) -> bool:
        """Whether the way back had to be closed. On the worker. Raises OSError."""
        if self._journal.size() <= LARGEST:
            return False
        needed = self._machine.revocations_needed()
        self._journal.drop(self._journal.length() if needed is None else needed)
        if self._journal.size() <= LARGEST // 2 or not self._machine.close_way_back():
            return False
        self._journal.drop(self._journal.length())
        return True

    # what was deleted while another firmware ran

    async def _apply_due(self) -> None:
        """Take from these settings what was deleted while another firmware ran."""
        position = self._machine.revocations_due()
        if position is None:
            return
        for revocation in await self._due(position):
            await self._apply(revocation)
        self.applied = True
        while self._machine.on_trial:
            await self._core.clock.sleep(AGAIN_S)  # after a revert they are due once more
        await self._worker.run(self._machine.revocations_done)

    async def _due(self, position: int) -> tuple[Revocation, ...]:
        """Read as often as it takes: a trial that cannot know who was deleted ends, and the old firmware waits."""
        while True:
            try:
                return await self._worker.run(lambda: self._journal.since(position))
            except OSError as error:
                log.error("the revocation journal cannot be read: %s", error)
                await self._core.clock.sleep(AGAIN_S)

    async def _apply(self, revocation: Revocation) -> None:
        """One deletion, tried until its owner answers: the network role may still be starting."""
        if revocation.kind not in DELETE:
            return
        action, parameter = DELETE[revocation.kind]
        while True:
            try:
                await self._core.link.command(action, {parameter: revocation.id}, SYSTEM)
                return
            except NotFound as error:
                # The owner knows no such thing, or this device has no owner of such things: it is gone already.
                if error.where != "action" or self._all_ready():
                    return
            except Refused as error:
                log.error("%s stays although it was deleted: %s", revocation.id, error)
                return
            except StationError as error:
                log.warning("%s is not deleted yet: %s", revocation.id, error)
            await self._core.clock.sleep(AGAIN_S)

    def _all_ready(self) -> bool:
        states = self._core.bus.states(RoleState)
        return len(states) > 1 and all(state.ready for state in states)
