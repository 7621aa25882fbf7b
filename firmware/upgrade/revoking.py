"""Deletions go into the revocation journal as they happen, and out of it into settings that a rollback brought back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from pathlib import Path

from firmware.core.actions import SYSTEM
from firmware.core.context import Core
from firmware.core.errors import NotFound, Refused, StationError
from firmware.core.events import Notice
from firmware.core.vocabulary.access import EntriesChanged
from firmware.core.vocabulary.security import AccountChanged
from firmware.core.vocabulary.station import RoleState
from firmware.core.worker import Worker
from firmware.upgrade.machine import Machine
from firmware.upgrade.revocations import Revocation, RevocationJournal, RevokedKind

AGAIN_S = 5.0

log = logging.getLogger("firmware.upgrade")

# How each kind is deleted: the action and the name of its parameter.
DELETE = {RevokedKind.ENTRY: ("entries.remove", "id"), RevokedKind.ACCOUNT: ("accounts.remove", "name")}


class Revoking:
    """Part of the upgrade service."""

    def __init__(self, core: Core, machine: Machine, worker: Worker, path: Path) -> None:
        self._core = core
        self._machine = machine
        self._worker = worker
        self._journal = RevocationJournal(path)
        self._waiting: deque[Revocation] = deque()
        self._wake = asyncio.Event()
        self._stopped = False
        core.bus.tap(self._note)

    def start(self) -> None:
        """Listen (again)."""
        self._stopped = False

    def stop(self) -> None:
        """Listen no more."""
        self._stopped = True

    async def run(self) -> None:
        """Apply what is due, then write down what is deleted, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._apply_due(), name="revocations due")
            tasks.create_task(self._write_down(), name="revocations written")

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
                    await self._core.clock.sleep(AGAIN_S)
                    continue
                self._waiting.popleft()

    async def _apply_due(self) -> None:
        """Take from these settings what was deleted while another firmware ran."""
        position = self._machine.revocations_due()
        if position is None:
            return
        due = await self._worker.run(lambda: self._journal.since(position))
        for revocation in due:
            await self._apply(revocation)
        while self._machine.on_trial:
            await self._core.clock.sleep(AGAIN_S)  # after a revert they are due once more
        await self._worker.run(self._machine.revocations_done)

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
