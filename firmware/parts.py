"""What a role is made of, whichever role it is: what it is built from, its stores, and how it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.program_log import program_log
from firmware.core.service import Service
from firmware.core.services import Services
from firmware.core.store import Alarm, Store
from firmware.core.store_disk import Disk
from firmware.core.vocabulary.station import StorageAlarm, StorageProblem
from firmware.paths import StateDir
from firmware.upgrade.boot_tryboot import ask_systemd
from firmware.upgrade.ports import Boot, Slot
from hal.board import Board
from hal.clock import Clock

if TYPE_CHECKING:
    from firmware.upgrade.waking import Start


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a role is built from, whichever way the device runs."""

    board: Board
    state: StateDir
    clock: Clock
    simulated: bool
    disk: Disk | None = None  # None: the file system of this machine
    boot: Boot | None = None  # None: nothing can be upgraded or reset (tests of single parts)
    slot: Slot = Slot.A
    powered_ns: int | None = None  # when the power came, at the first start since then
    upgrade: Start | None = None  # what the early start found; None: no boot control, or its storage fails
    machine: bool = False  # whether the network and the clock of this machine are set, by its own services

    def restart(self) -> None:
        """Ask for a restart of the whole device. Raises OSError."""
        ask_systemd() if self.boot is None else self.boot.restart()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role that is built: its core, and its services in the order of their start."""

    core: Core
    services: tuple[Service, ...]
    ready: Callable[[], None]

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run the services until cancelled; `ready` is called once all have started. Raises what a vital one raises."""

        def started() -> None:
            self.ready()
            ready()

        with program_log(self.core.bus, self.core.clock):
            await Services(self.core.bus, self.core.clock, self.core.role).run(self.services, started)


def new_stores(parts: Parts, role: str, alarm: Alarm) -> tuple[Store, Store]:
    """The two stores of a role, not started: settings of the running slot, and what belongs to no slot."""
    roots = (parts.state.settings(parts.slot, role), parts.state.shared(role))
    store, shared = (Store(root, parts.clock, alarm=alarm, disk=parts.disk) for root in roots)
    return store, shared


@asynccontextmanager
async def started(*stores: Store) -> AsyncIterator[None]:
    """Stores at work, closed at the end."""
    async with AsyncExitStack() as stack:
        for store in stores:
            await store.start()
            stack.push_async_callback(store.close)
        yield


def alarm_on(bus: Bus) -> Alarm:
    """Storage trouble as states on a bus."""

    def alarm(what: str, problem: StorageProblem | None, detail: str) -> None:
        if problem is None:
            bus.forget(StorageAlarm, bus.role, what)
        else:
            bus.publish(StorageAlarm(role=bus.role, what=what, problem=problem, detail=detail))

    return alarm


def damaged_params(bus: Bus) -> Callable[[str, str], None]:
    """Saved parameters that cannot be used, as an alarm."""
    return lambda file, why: alarm_on(bus)(file, StorageProblem.DAMAGED, why)
