"""Roles of a device for tests of the link: control with its hub, and roles that join it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.errors import Unavailable
from firmware.core.link.awaited import Awaited
from firmware.core.link.channel import Channel, connect_unix
from firmware.core.link.client import LinkClient
from firmware.core.link.hub import Hub
from firmware.core.params import Group, Params, param
from firmware.core.vocabulary.access import (
    LockParams,
)
from firmware.core.vocabulary.station import ServicePhase, ServiceState
from hal.sim.time import VirtualClock

ADMIN = Caller("ada", Level.ADMIN, "api")
VIEWER = Caller("vera", Level.VIEWER, "api")
AUDIO = ServiceState(service="audio", role="media", phase=ServicePhase.RUNNING)


class MemoryKeeper:
    """Keeps parameters for a test."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def load(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def save(self, name: str, data: bytes) -> None:
        self.kept[name] = data


# What a role that may not have come yet is going to own.
AWAITED = Awaited(actions={"scene.learn": "media"}, private_actions={"scene.lend": "media"}, groups={"scene": "media"})


class ControlGroup(Group):
    group: ClassVar[str] = "control"
    hold_s: float = param(7.0, "Release time", gt=0, le=60)


class NetworkGroup(Group):
    group: ClassVar[str] = "network"
    port: int = param(8080, "HTTP port", ge=1, le=65535)
    password: str = param("", "A secret", secret=True)


class SceneGroup(Group):
    group: ClassVar[str] = "scene"
    still_s: float = param(10.0, "How long it is still", gt=0)


class Role:
    """The core of one role."""

    def __init__(self, name: str, clock: VirtualClock, boot: str = "b1") -> None:
        self.bus = Bus(clock, role=name, boot=boot)
        self.actions = ActionTable()
        self.params = Params(MemoryKeeper(), self.bus, print)
        self.told: list[Invocation] = []
        self.link: LinkClient
        self.task: asyncio.Task[None]

    async def note(self, invocation: Invocation) -> None:
        self.told.append(invocation)


class Device:
    """Control with its hub; roles join over one of the two forms."""

    def __init__(self, clock: VirtualClock, path: Path | None, group: asyncio.TaskGroup) -> None:
        self.clock = clock
        self.path = path
        self.group = group
        self.control = Role("control", clock, "c1")
        self.hub = Hub(self.control.bus, self.control.actions, self.control.params, clock, path=path, awaited=AWAITED)

    async def start(self) -> None:
        await self.hub.start()
        self.hub_task = self.group.create_task(self.hub.run())

    async def connect(self) -> Channel:
        return await self.hub.join() if self.path is None else await connect_unix(self.path)

    async def join(self, name: str, prepare: Callable[[Role], None] = lambda role: None, boot: str = "b1") -> Role:
        role = Role(name, self.clock, boot)
        prepare(role)
        connect = self.path if self.path is not None else self.hub.join
        role.link = LinkClient(role.bus, role.actions, role.params, self.clock, connect)
        await role.link.start()
        role.task = self.group.create_task(self._run(role))
        return role

    async def _run(self, role: Role) -> None:
        try:
            await role.link.run()
        except Unavailable as error:
            role.ended = error.message

    async def leave(self, role: Role) -> None:
        role.task.cancel()
        await role.link.stop()
        await self.settle()

    async def settle(self) -> None:
        """Let everything that is under way arrive."""
        for _ in range(60):
            await self.clock.sleep(0)


def offers_release(role: Role) -> None:
    role.actions.register("clip.play", LockParams, role.note, summary="Play a clip")


def offers_port(role: Role) -> None:
    role.params.declare(NetworkGroup)
