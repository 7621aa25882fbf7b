"""Service `doors`: the one place where a door is released, whoever asks.

A card, a rule, an interface and a telephone digit all arrive as the same action `door.release`. The
relays are off before the service starts and whenever it ends, however it ends.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import ClassVar

from firmware.access.config import AccessConfig, DoorConfig
from firmware.access.leaf import Leaf
from firmware.access.settings import DoorSettings, DoorsGroup, doors_group
from firmware.access.strike import Strike
from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import NotFound, Unavailable
from firmware.core.events import Event
from firmware.core.vocabulary.access import DoorAlarmKind, ExitParams, LockParams, ReleaseParams
from hal.errors import HalError, nearest
from hal.ports import Hardware

log = logging.getLogger("firmware.access")


@dataclass(slots=True)
class _Door:
    strike: Strike
    leaf: Leaf


class DoorsService:
    """Owns `door.release`, `door.lock` and the parameter group `doors`; publishes everything about doors."""

    name: ClassVar[str] = "doors"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"relay"})

    def __init__(self, core: Core, hardware: Hardware, config: AccessConfig) -> None:
        """Raises Invalid for a node that is not on the board."""
        config.check(hardware)
        self._core = core
        self._limits_s = {name: hardware.relays[door.relay].max_on_s for name, door in config.doors.items()}
        self._group = doors_group(self._limits_s, self._settings)
        self._doors = {name: self._build(name, door, hardware) for name, door in config.doors.items()}
        self._open = False
        self._failures: asyncio.Queue[HalError] = asyncio.Queue()

    def _build(self, name: str, config: DoorConfig, hardware: Hardware) -> _Door:
        strike = Strike(
            name,
            hardware.relays[config.relay],
            hardware.alias(config.relay),
            self._core.bus,
            self._core.clock,
            moved=lambda cause: self._moved(name, cause),
            stuck=lambda detail: self._stuck(name, detail),
            failed=lambda error: self._failures.put_nowait(error),
        )
        leaf = Leaf(
            name,
            config,
            strike,
            None if config.contact is None else hardware.inputs[config.contact],
            None if config.rex is None else hardware.inputs[config.rex],
            self._core.bus,
            self._core.clock,
            lambda: self._settings(name),
        )
        return _Door(strike, leaf)

    async def start(self) -> None:
        """Load the settings, follow relays and loops, and say how every door is."""
        self._core.params.declare(self._group)
        await self._core.params.load(self._group)
        self._core.actions.register(
            "door.release", ReleaseParams, self._release, summary="Release a door's strike for a time."
        )
        self._core.actions.register("door.lock", LockParams, self._lock, summary="End a door's release now.")
        self._core.actions.register(
            "exit.press", ExitParams, self._press_exit, summary="Simulate a press of a door's exit button.",
            level=Level.ADMIN,
        )  # fmt: skip
        for door in self._doors.values():
            door.strike.watch()
            door.leaf.watch()
        self._open = True

    async def run(self) -> None:
        """Keep the doors until cancelled. Raises HalError when a relay cannot be switched off at its time."""
        try:
            raise await self._failures.get()
        finally:
            self._close_all()

    async def stop(self) -> None:
        """Lock every door and let go of it."""
        self._close_all()

    def _close_all(self) -> None:
        self._open = False
        for name, door in self._doors.items():
            error = door.strike.close()
            if error is not None:
                log.error("the strike of door %s could not be switched off: %s", name, error)
            door.leaf.close()

    def _settings(self, door: str) -> DoorSettings:
        if DoorsGroup.group not in self._core.params:
            return DoorSettings(hold_s=min(DoorSettings().hold_s, self._limits_s[door]))
        return self._core.params.get(DoorsGroup).of(door)

    def _moved(self, door: str, cause: Event | str | None) -> None:
        self._doors[door].leaf.strike_moved(cause)

    def _stuck(self, door: str, detail: str | None) -> None:
        self._doors[door].leaf.alarm(DoorAlarmKind.STRIKE, detail)

    def _find(self, action: str, name: str) -> _Door:
        door = self._doors.get(name)
        if door is None:
            raise NotFound(f"{action}.door", f"no door {name!r}{nearest(name, self._doors)}")
        if not self._open:
            raise Unavailable(action, "the doors are not running")
        return door

    async def _release(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, ReleaseParams)
        door = self._find("door.release", wish.door)
        settings = self._settings(wish.door)
        hold_s = settings.hold_s if wish.hold_s is None else wish.hold_s
        door.strike.release(hold_s, by=invocation.caller.name, repeat=settings.repeat, cause=invocation.cause)
        return NOTHING

    async def _lock(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, LockParams)
        self._find("door.lock", wish.door).strike.lock(invocation.cause)
        return NOTHING

    async def _press_exit(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, ExitParams)
        self._find("exit.press", wish.door).leaf.press_exit(invocation.caller.name, invocation.cause)
        return NOTHING
