"""Service `maintenance`: what an administrator or the reset button may do to the device as a whole.

Manuals, "Maintenance": Restart changes no setting. Restore returns most settings to their defaults and keeps the
network identity (the parameters of scope KEEP). Factory default returns all of them. Both are a wish in the record
of the device, on the medium before anybody is told yes, and a restart that carries it out before any service of the
next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, Protocol

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.device import DevicePhase, Phase, RestartAsked, RestartFor
from firmware.upgrade.record import ResetKind

# So that the answer reaches who asked before the network role ends.
ANSWER_S = 0.3


class Desk(Protocol):
    """Where a reset is written down: the upgrade state machine, which may have another thing under way."""

    async def ask_reset(self, kind: ResetKind, by: str) -> None:
        """Write the wish down; `by` is `api` or `button`. Raises Busy, Unavailable."""


class MaintenanceService:
    """Owns `device.restart`, `device.restore` and `device.factory_default`."""

    name: ClassVar[str] = "maintenance"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, restart: Callable[[], None], desk: Desk | None) -> None:
        """`restart` asks for a restart of the whole device, blocking; without a `desk` nothing can be reset."""
        self._core = core
        self._restart = restart
        self._desk = desk
        self._wanted = asyncio.Event()

    async def start(self) -> None:
        """Offer the actions."""
        for name, owner, summary in (
            ("device.restart", self._ask_restart, "Restart the whole device; no setting changes."),
            (
                "device.restore",
                self._ask_restore,
                "Return all settings but the network identity to their defaults, and restart.",
            ),
            (
                "device.factory_default",
                self._ask_default,
                "Return all settings to their defaults, delete what was recorded, and restart.",
            ),
        ):
            self._core.actions.register(name, Nothing, owner, summary=summary, level=Level.ADMIN)

    async def run(self) -> None:
        """Restart when it was asked for. Raises Unavailable when the machine refuses."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._core.clock.sleep(ANSWER_S)
            # Behind whatever still waits to be written, on the thread that may block.
            await self._core.shared.run(self._restart, what="restart", writes=False)

    async def stop(self) -> None:
        """Nothing to give back."""

    async def _ask_restart(self, invocation: Invocation) -> Nothing:
        return self._go(RestartFor.RESTART, invocation)

    async def _ask_restore(self, invocation: Invocation) -> Nothing:
        return await self._reset(ResetKind.SOFT, RestartFor.RESTORE, invocation)

    async def _ask_default(self, invocation: Invocation) -> Nothing:
        return await self._reset(ResetKind.HARD, RestartFor.FACTORY_DEFAULT, invocation)

    async def _reset(self, kind: ResetKind, what: RestartFor, invocation: Invocation) -> Nothing:
        if self._desk is None:
            raise Unavailable(invocation.action, "there is no record to write it into; the log says why")
        await self._desk.ask_reset(kind, "button" if invocation.caller.via == "button" else "api")
        self._core.bus.publish(DevicePhase(phase=Phase.RESTORING, detail=what.value), cause=invocation.cause)
        return self._go(what, invocation)

    def _go(self, what: RestartFor, invocation: Invocation) -> Nothing:
        self._core.bus.publish(RestartAsked(what=what, by=invocation.caller.name), cause=invocation.cause)
        self._wanted.set()
        return NOTHING
