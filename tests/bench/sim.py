"""The bench in one process: world, firmware roles and test share one virtual-time loop.

The firmware is built by the real composition root on the simulated wires; the network role joins over the link's
in-memory form and its API is called in-process.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from firmware.access import ReadersService
from firmware.access.entry_table import EntryTable
from firmware.app import Parts, Role, control_role, early_start, guest_role, network_services, picture_places
from firmware.board_process.rom import Rom
from firmware.board_process.scene import furnish
from firmware.core.actions import SYSTEM
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.link.channel import Connect
from firmware.core.params import Group
from firmware.core.service import Service
from firmware.core.store import Store
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.carrier import CarrierService
from firmware.interfaces.web.web import Web
from firmware.paths import RuntimeDir, StateDir
from firmware.plan import plan_of
from firmware.system import NetworkService, SimNetwork
from firmware.upgrade.boot_sim import sim_boot
from hal.board import load_board
from hal.sim.scene.peer import CameraPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from tests.bench.base import PASSWORD, USER, BenchBase
from tests.bench.disk import FaultyDisk
from tests.bench.media import CameraFace, Media
from tests.bench.sim_faces import Cable


class SimBench(BenchBase[VirtualClock]):
    """The simulator as a bench. `play` runs one test on it, in a loop of its own."""

    def __init__(self, state: Path, board: str = "door_station") -> None:
        super().__init__(state)
        self._board = load_board(board)
        self._runtime = RuntimeDir(state.with_name(state.name + ".run"))
        self._rom = Rom(StateDir(state), self._runtime)
        self._powered_ns: int | None = None
        self._wanted = asyncio.Event()
        self._life = asyncio.Lock()  # one start or end of the firmware at a time
        self.starts = 0
        self._stack = AsyncExitStack()
        self.disk = FaultyDisk()
        self.media = Media(self)
        self.was_set_up = False  # before this start
        self._control: Role
        self._network: Role
        self.web: Web
        self._transport: httpx.ASGITransport

    def play(self, test: Callable[..., Coroutine[Any, Any, None]], arguments: dict[str, Any]) -> None:
        """Run a test between power on and power off; it fails when it leaves anything behind."""

        async def whole(clock: VirtualClock) -> None:
            self.clock = clock
            self._runtime.root.mkdir()
            StateDir(self._state).prepare()
            self._rom.furnish()
            self.disk.loop = clock.loop
            self.world = World(clock, self._board)
            furnish(self.world)
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    await self._boot()
                    restarting = group.create_task(self._restarts(), name="restarts")
                    self.began_s = self.world.now_s
                    try:
                        await test(**arguments)
                    finally:
                        restarting.cancel()
                        await asyncio.wait((restarting,))
                        await self.stop()
            finally:
                self.world.close()

        virtual_run(whole)
        shutil.rmtree(self._state, ignore_errors=True)
        shutil.rmtree(self._runtime.root)

    # the firmware's life

    async def _boot(self) -> None:
        """What the board does when power comes: its ROM chooses the slot, the firmware starts."""
        while True:
            booted = self._rom.boot()
            assert not booted.image, "this bench runs the code of its own process, from whichever slot"
            self._slot, self._powered_ns = booted.slot, self.clock.now_ns()
            goes_on = await self.start()
            self._powered_ns = None
            if goes_on:
                return
            await self._wanted.wait()
            self._wanted.clear()

    async def _restarts(self) -> None:
        """Restart the whole device when the firmware asks for it."""
        while True:
            await self._wanted.wait()
            async with self._life:
                self._wanted.clear()
                await self.stop()
                await self._boot()

    def _ask_restart(self) -> None:
        # Called on the firmware's writer thread.
        self.clock.loop.call_soon_threadsafe(self._wanted.set)

    async def restarted(self, starts: int, within_s: float = 30.0) -> None:
        """Wait until the device has started more often than `starts` times, and is ready."""
        await self.until(lambda: self.starts > starts, within_s)

    async def power_off(self) -> None:
        """Cut the power: nothing that the firmware does from here on reaches the world or the disk."""
        async with self._life:
            self._wanted.clear()
            self.world.power(False)
            self.disk.error = errno.EIO
            await self.stop()
            self.disk.error = None
            self._rom.power_off()

    async def power_on(self, *held: str) -> None:
        """Give it power, with fingers on these buttons."""
        for name in held:
            self.button(name).hold()
        async with self._life:
            self.world.power(True)
            await self._boot()

    async def start(self) -> bool:
        """Start the firmware on the world as it is; False when it wants a restart of the device instead."""
        self._events.clear()
        state = StateDir(self._state)
        parts = Parts(
            board=self._board,
            state=state,
            clock=self.clock,
            simulated=True,
            disk=self.disk,
            boot=sim_boot(state.boot, self._runtime.root, self._ask_restart),
            slot=self._slot,
            powered_ns=self._powered_ns,
        )
        parts = early_start(parts)
        if parts.upgrade is not None and parts.upgrade.restart:
            return False
        wires = SimWires(self.world)
        self._stack.push_async_callback(wires.close)
        self._control = await self._stack.enter_async_context(control_role(parts, wires))
        self._control.core.bus.tap(lambda notice: self._events.append(notice.event))
        await self._run(self._control)
        hub = self._control.core.link
        make = network_services(parts, "127.0.0.1", 0, web=True)

        def without_sockets(core: Core, info: DeviceInfo) -> tuple[Service, ...]:
            return tuple(service for service in make(core, info) if service.name != "api")

        self._network = await self._stack.enter_async_context(
            guest_role(parts, "network", hub.join, without_sockets)  # type: ignore[attr-defined]
        )
        await self._run(self._network)
        from firmware.interfaces.faces import guarded
        from firmware.interfaces.video.views import Views
        from firmware.interfaces.web.web import Web

        views = Views(self._network.core, picture_places(self._board, self.media.reach))
        watching = self._group.create_task(views.run(), name="views")
        self._stack.callback(watching.cancel)
        self.web = Web(self._network.core, plan=plan_of(self._board))
        await self.web.start()
        app = guarded(self._network.core, web=self.web, views=views)
        self._transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 40000))
        self._http = await self._stack.enter_async_context(
            httpx.AsyncClient(
                transport=self._transport,
                base_url="http://127.0.0.1/api/v1",
                auth=(USER, PASSWORD),
            )
        )
        made = await self._http.post("/setup", json={"name": USER, "password": PASSWORD})
        self.was_set_up = made.status_code == 409
        self.starts += 1
        self.media.parts = parts
        return True

    async def camera(self, name: str) -> CameraFace:
        """A camera with its scene; the media role, which most tests do without, starts with the first one."""
        await self.media.start()
        peer = self.world.find(f"camera:{name}")
        assert isinstance(peer, CameraPeer)
        return CameraFace(self, peer)

    async def enter(self, role: AbstractAsyncContextManager[Role]) -> Role:
        """Build one more role and run it as long as the firmware runs."""
        entered = await self._stack.enter_async_context(role)
        await self._run(entered)
        return entered

    @property
    def join(self) -> Connect:
        """How a role joins control."""
        join: Connect = self._control.core.link.join  # type: ignore[attr-defined]
        return join

    async def _run(self, role: Role) -> None:
        up = asyncio.Event()
        task = self._group.create_task(role.run(up.set), name=role.core.role)

        async def end() -> None:
            task.cancel()
            await asyncio.wait((task,))

        self._stack.push_async_callback(end)
        await up.wait()

    async def stop(self) -> None:
        """End the firmware in order; the world stays."""
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    async def restart(self) -> None:
        """Stop and start the firmware, as a supervisor does after a crash."""
        async with self._life:
            await self.stop()
            await self.start()  # or the board starts it again

    @asynccontextmanager
    async def cable(self) -> AsyncIterator[Cable]:
        """A network cable to pull: the carrier service of real boards, on a folder like the kernel's."""
        core, cable = self._network.core, Cable(self._state.parent / "net")
        service = CarrierService(core, cable.root)
        await service.start()
        task = self._group.create_task(service.run(), name=service.name)
        try:
            yield cable
        finally:
            task.cancel()
            await asyncio.wait((task,))
            await service.stop()

    # its own account of itself

    @property
    def control_bus(self) -> Bus:
        """The bus of control, for facts that would take long to come about."""
        return self._control.core.bus

    def kept(self, group: str) -> dict[str, Any]:
        """The parameters of a group of control, without a request, which can itself change something."""
        return self._control.core.params.find(group).model_dump(mode="json")

    async def change_from_inside(self, group: str, **wishes: Any) -> None:
        """Change parameters of control without a request."""
        await self._control.core.params.change(group, wishes, SYSTEM)

    @property
    def network_port(self) -> SimNetwork:
        """The stand-in that follows the network settings, to be slow or to fail."""
        service = next(each for each in self._control.services if isinstance(each, NetworkService))
        port: Any = service.port
        assert isinstance(port, SimNetwork)
        return port

    @contextmanager
    def actions_lost(self) -> Iterator[None]:
        """Control does not answer the network role, as while it starts anew."""
        link: Any = self._network.core.link

        async def invoke(*_: Any) -> Any:
            raise Unavailable("link", "control went away")

        link.invoke = invoke
        try:
            yield
        finally:
            del link.invoke

    def store(self) -> Store:
        """What control keeps."""
        return self._control.core.store

    def declare(self, group: type[Group]) -> None:
        """Declare parameters of the network role whose service needs sockets and is not here."""
        self._network.core.params.declare(group)

    def stranger(self) -> httpx.AsyncClient:
        """A client that has not logged in."""
        return httpx.AsyncClient(transport=self._transport, base_url="http://127.0.0.1")

    def states(self, topic: str) -> list[Any]:
        """The retained states of a topic, as control has them."""
        return [state for state in self._control.core.bus.states() if state.topic == topic]

    # its storage

    def rows_refuse(self, code: int | None) -> None:
        """Let every write under the entry list fail with this code of SQLite, as a sick disk makes it; None ends it."""
        access = next(service for service in self._control.services if isinstance(service, ReadersService))
        table: Any = access._entries._table
        for name in ("_change", "copying"):
            vars(table).pop(name, None)
        if code is None:
            return

        def refuse() -> Any:
            error = sqlite3.OperationalError("the disk refuses")
            error.sqlite_errorcode = code
            raise error

        def copying() -> Any:
            found = EntryTable.copying(table)
            vars(found)["step"] = refuse
            return found

        table._change, table.copying = refuse, copying


Play = Callable[..., Awaitable[None]]
