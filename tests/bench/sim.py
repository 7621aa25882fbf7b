"""The bench in one process: world, firmware roles and test share one virtual-time loop.

The firmware is built by the real composition root on the simulated wires; the network role joins over the link's
in-memory form and its API is called in-process.
"""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from firmware.access import ReadersService
from firmware.access.entry_table import EntryTable
from firmware.app import Parts, Role, control_role, early_start, guest_role, network_services, picture_places
from firmware.board_process.rom import Rom
from firmware.board_process.scene import furnish
from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.link.channel import Connect
from firmware.core.service import Service
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.carrier import CarrierService
from firmware.interfaces.web.web import Web
from firmware.paths import RuntimeDir, StateDir
from firmware.plan import plan_of
from firmware.upgrade.boot_sim import sim_boot
from firmware.upgrade.ports import Slot
from hal.board import load_board
from hal.sim.peers.button import ButtonPeer
from hal.sim.peers.card_reader import CardReaderPeer
from hal.sim.peers.controller import ControllerPeer
from hal.sim.peers.light import Lamp
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.peers.switch import StrikePeer
from hal.sim.scene.peer import CameraPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import NoSuchPeer, World
from tests.bench.disk import FaultyDisk
from tests.bench.media import CameraFace, Media
from tests.bench.sim_faces import Cable, Controller, Light, Panel, Reader, Relay

E = TypeVar("E", bound=Event)
USER, PASSWORD = "admin", "bench-password"
SETTLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure a test took: measured, expected, and the tolerance of this bench."""

    name: str
    value: float
    expected: float
    tolerance: float


class SimBench:
    """The simulator as a bench. `play` runs one test on it, in a loop of its own."""

    tolerance_s = 0.0

    def __init__(self, state: Path, board: str = "door_station") -> None:
        self._state = state
        self._board = load_board(board)
        self._runtime = RuntimeDir(state.with_name(state.name + ".run"))
        self._rom = Rom(StateDir(state), self._runtime)
        self._slot = Slot.A
        self._powered_ns: int | None = None
        self._wanted = asyncio.Event()
        self._life = asyncio.Lock()  # one start or end of the firmware at a time
        self.starts = 0
        self._stack = AsyncExitStack()
        self._events: list[Event] = []
        self.measurements: list[Measurement] = []
        self.disk = FaultyDisk()
        self.media = Media(self)
        self.began_s = 0.0
        self.was_set_up = False  # before this start
        self.world: World
        self.web: Web
        self.clock: VirtualClock
        self._control: Role
        self._network: Role
        self._http: httpx.AsyncClient
        self._transport: httpx.ASGITransport

    @property
    def state(self) -> Path:
        """The state directory of the device."""
        return self._state

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

    async def param(self, group: str) -> dict[str, Any]:
        """The parameters of a group."""
        answer = await self.api("GET", f"/params/{group}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

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

    def file(self, role: str, name: str) -> Path:
        """A file among the settings of a role."""
        return StateDir(self._state).settings(self._slot, role) / name

    def flip(self, role: str, name: str, at: bytes = b"") -> None:
        """Rot: one bit of a file changes, in its middle or where the bytes `at` begin."""
        path = self.file(role, name)
        raw = bytearray(path.read_bytes())
        raw[raw.index(at) if at else len(raw) // 2] ^= 0x04
        path.write_bytes(bytes(raw))

    # needs, figures, time

    def needs(self, *names: str) -> None:
        """What the test touches; on the simulator a missing thing is a failure."""
        for name in names:
            try:
                self.world.find(name)
            except NoSuchPeer as missing:
                raise AssertionError(f"this board has no {name}: {missing}") from missing

    def measure(self, name: str, value: float, expected: float) -> None:
        """Note a figure, and fail when it is outside this bench's tolerance."""
        figure = Measurement(name, value, expected, self.tolerance_s)
        self.measurements.append(figure)
        assert abs(value - expected) <= self.tolerance_s, figure

    async def until(self, check: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until `check` holds."""
        end_ns = self.clock.now_ns() + round(within_s * 1e9)
        while not check():
            assert self.clock.now_ns() < end_ns, f"not seen within {within_s} s"
            await self.clock.sleep(0.01)

    async def advance(self, s: float) -> None:
        """Let time pass."""
        await self.clock.sleep(s)

    async def settle(self) -> None:
        """Let everything that follows at once, follow."""
        await self.clock.sleep(SETTLE_S)

    # faces

    def reader(self, name: str) -> Reader:
        """A reader."""
        peer = self.world.find(f"reader:{name}")
        assert isinstance(peer, CardReaderPeer)
        return Reader(peer)

    def controller(self, name: str = "controller") -> Controller:
        """The door controller at our Wiegand output."""
        peer = self.world.find(f"controller:{name}")
        assert isinstance(peer, ControllerPeer)
        return Controller(self, peer)

    def panel(self, name: str) -> Panel:
        """Somebody's panel on our second serial port."""
        peer = self.world.find(f"panel:{name}")
        assert isinstance(peer, OsdpPanelPeer)
        return Panel(peer)

    def relay(self, name: str) -> Relay:
        """A relay with its strike."""
        peer = self.world.find(f"relay:{name}")
        assert isinstance(peer, StrikePeer)
        return Relay(self, peer)

    def light(self, name: str) -> Light:
        """A light of the product."""
        peer = self.world.find(f"led:{name}")
        assert isinstance(peer, Lamp)
        return Light(peer)

    def loop(self, name: str) -> LoopPeer:
        """A contact, a request to exit, or what is wired to a terminal."""
        peer = self.world.find(name)
        assert isinstance(peer, LoopPeer)
        return peer

    def button(self, name: str) -> ButtonPeer:
        """A button."""
        peer = self.world.find(f"button:{name}")
        assert isinstance(peer, ButtonPeer)
        return peer

    # the device's own account of itself

    async def api(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A request to the native API as the administrator."""
        return await self._http.request(method, path, json=body)

    async def http(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Any request to the device, as the administrator unless `auth` says otherwise."""
        return await self._http.request(method, f"http://127.0.0.1{path}", **how)

    def stranger(self) -> httpx.AsyncClient:
        """A client that has not logged in."""
        return httpx.AsyncClient(transport=self._transport, base_url="http://127.0.0.1")

    async def enrol(self, card: str | None = None, **more: Any) -> str:
        """Add an entry; returns its id."""
        body = {"name": f"holder {card or 'of a PIN'}", **({"card": card} if card else {}), **more}
        answer = await self.api("POST", "/entries", json.loads(json.dumps(body)))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def action(self, name: str, /, **params: Any) -> httpx.Response:
        """Invoke an action."""
        return await self.api("POST", f"/actions/{name}", params)

    async def params(self, group: str, /, **wishes: Any) -> httpx.Response:
        """Change parameters of a group."""
        return await self.api("PATCH", f"/params/{group}", wishes)

    def events(self, topic: str) -> list[Any]:
        """Everything published under a topic since the firmware started, in order."""
        return [event for event in self._events if event.topic == topic]

    def states(self, topic: str) -> list[Any]:
        """The retained states of a topic, as control has them."""
        return [state for state in self._control.core.bus.states() if state.topic == topic]

    async def event(self, topic: str, within_s: float = 30.0, **fields: object) -> Any:
        """The first event of a topic with these field values; waits for it."""

        def fitting() -> list[Any]:
            return [
                event
                for event in self.events(topic)
                if all(str(getattr(event, name)) == str(value) for name, value in fields.items())
            ]

        await self.until(lambda: bool(fitting()), within_s)
        return fitting()[0]

    def chain(self, event: Event) -> list[str]:
        """The topics that led to an event, first cause first."""
        by_id = {each.id: each for each in self._events}
        found = [event]
        while found[0].cause in by_id:
            found.insert(0, by_id[found[0].cause])
        return [each.topic for each in found]


Play = Callable[..., Awaitable[None]]
