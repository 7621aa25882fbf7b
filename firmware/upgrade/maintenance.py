"""Service `maintenance`: what an administrator may do to the device as a whole; for now, restart it.

Manuals, "Maintenance": Restart restarts the device and changes none of its settings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.vocabulary.device import BootState, RestartAsked

log = logging.getLogger(__name__)

# So that the answer reaches who asked before the network role ends.
ANSWER_S = 0.3


class MaintenanceService:
    """Owns `device.restart` and publishes `BootState`.

    `restart` asks for a restart of the whole device; it blocks, and raises OSError. `facts` is what the boot loader
    says, None where it says nothing.
    """

    name: ClassVar[str] = "maintenance"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, restart: Callable[[], None], facts: BootState | None = None) -> None:
        self._core = core
        self._restart = restart
        self._facts = facts
        self._wanted = asyncio.Event()

    async def start(self) -> None:
        """Say what was started, and offer the action."""
        if self._facts is not None:
            self._core.bus.publish(self._facts)
            if not self._facts.loader_current:
                log.warning(
                    "the boot loader is too old for upgrades (%s)", self._facts.loader_built or "of no known date"
                )
        self._core.actions.register(
            "device.restart",
            Nothing,
            self._ask_restart,
            summary="Restart the whole device; no setting changes.",
            level=Level.ADMIN,
        )

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
        self._core.bus.publish(RestartAsked(by=invocation.caller.name), cause=invocation.cause)
        self._wanted.set()
        return NOTHING
