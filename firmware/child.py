"""One role (or all of them) as a process: builds it on its wires, says that it is ready, ends it in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from firmware import VERSION
from firmware.app import Parts, Role, control_role, early_start, guest_role, network_services
from firmware.board_process.supervisor import EX_CONFIG
from firmware.core.errors import Invalid, StationError
from firmware.core.link.channel import Connect, connect_unix, push_unix
from firmware.core.services import ServiceCrashed
from firmware.core.vocabulary.certificates import HttpState
from firmware.core.vocabulary.device import NetworkState
from firmware.core.vocabulary.rtsp import RtspState
from firmware.core.vocabulary.security import SetupState
from firmware.core.vocabulary.station import ServicePhase, ServiceState
from firmware.notify import RESTART, notify
from firmware.options import RunOptions
from firmware.paths import RuntimeDir, StateDir
from firmware.roles import has_sound, roles_for
from firmware.upgrade.boot_sim import sim_boot
from firmware.upgrade.boot_single import SingleBoot
from firmware.upgrade.boot_tryboot import RASPBERRY_PI, TrybootBoot
from firmware.upgrade.ports import Boot
from hal.board import Board, load_board
from hal.buses.parent import die_with_parent
from hal.clock import Clock, SystemClock
from hal.errors import BoardError, HalError
from hal.wires import CameraWires, Wires

if TYPE_CHECKING:
    from firmware.media import MediaWires
    from hal.buses.real import RealWires
    from hal.sim.remote import RemoteWires

# How long a role knocks at the world or at control before it gives up and is started again.
PATIENCE_S = 10.0
# A role that is not ready by then collects garbage all the same.
START_S = 30.0

log = logging.getLogger("firmware.child")


def run_role(options: RunOptions) -> int:
    """Run the role of `options` until told to stop; returns the exit code. Errors of settings end with EX_CONFIG."""
    if parent := os.environ.get("LINTEL_PARENT"):
        die_with_parent(int(parent))
    role = options.role or "all"
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {role} %(name)s %(levelname)s %(message)s")
    state = StateDir(options.state)
    try:
        board = load_board(options.board)
        runtime = RuntimeDir.of(state)
        state.prepare()
        asyncio.run(_until_told(Child(options, board, state, runtime).run()))
    except (BoardError, Invalid) as error:
        return _complain(role, error, EX_CONFIG)
    except (StationError, HalError) as error:
        return _complain(role, error, 1)
    except ExceptionGroup as group:
        return _judge(role, group)
    return 0


def _judge(role: str, group: ExceptionGroup[Exception]) -> int:
    """One line for what ended the role; settings that cannot work are not tried again."""
    for error in _leaves(group):
        cause = error.__cause__ if isinstance(error, ServiceCrashed) else error
        if isinstance(cause, BoardError | Invalid):
            return _complain(role, cause, EX_CONFIG)
    for error in _leaves(group):
        if not isinstance(error, ServiceCrashed | StationError | HalError):
            log.critical("%s ended", role, exc_info=error)
    first = next(_leaves(group))
    if isinstance(first, ServiceCrashed):
        return 1  # in the log already, as the crash of its service
    return _complain(role, first, 1)


def _leaves(group: BaseException) -> Iterator[BaseException]:
    if isinstance(group, BaseExceptionGroup):
        for error in group.exceptions:
            yield from _leaves(error)
    else:
        yield group


def _complain(role: str, error: BaseException, code: int) -> int:
    print(f"lintel: {role}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return code


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT, then end in order."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    told = False

    def tell() -> None:
        nonlocal told
        told = True
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        await work
    except asyncio.CancelledError:
        if not told:
            raise


def boot_control(options: RunOptions, state: StateDir, runtime: RuntimeDir) -> Boot:
    """The boot control of this device."""
    if options.hal == "sim":
        return sim_boot(state.boot, runtime.root, partial(ask_restart, options.role or "all"))
    found = TrybootBoot(RASPBERRY_PI)
    try:
        found.running()
    except OSError as error:
        return SingleBoot(error.strerror or str(error))
    return found


def powered_ns(options: RunOptions, runtime: RuntimeDir) -> int | None:
    """When the power came, in the time of `Clock.now_ns`; None for a role that does not ask, or asks again.

    The monotonic clock of Linux counts from the start of the kernel; a simulated board has no kernel of its own.
    """
    if options.role not in ("control", "all", None) or not runtime.first_start():
        return None
    return int(os.environ.get("LINTEL_POWERED_NS", "0")) if options.hal == "sim" else 0


def ask_restart(role: str) -> None:
    """Ask the board process for a restart of the whole device."""
    notify(**{RESTART: 1}, MAINPID=os.getpid(), LINTEL_ROLE=role)


def _end(*_: object) -> None:
    """The board process is gone, and with it everything this process is for."""
    os.kill(os.getpid(), signal.SIGTERM)


class Child:
    """The process of one role, or of all."""

    def __init__(self, options: RunOptions, board: Board, state: StateDir, runtime: RuntimeDir) -> None:
        self._options = options
        self._runtime = runtime
        self._clock = SystemClock()
        boot = boot_control(options, state, runtime)
        self._parts = Parts(
            board=board,
            state=state,
            clock=self._clock,
            simulated=options.hal == "sim",
            boot=boot,
            slot=boot.running(),
            powered_ns=powered_ns(options, runtime),
            machine=options.sets_machine,
        )
        self._board = board

    async def run(self) -> None:
        """Build and run. Raises what the role raises."""
        role = self._options.role
        self._clock.call_later(START_S, gc.enable)
        if role in ("control", "all"):
            self._parts = early_start(self._parts)
            if self._parts.upgrade is not None and self._parts.upgrade.restart:
                await asyncio.Event().wait()  # the device restarts: this start goes no further
        if role == "all":
            await self._all()
        elif role == "control":
            async with self._wires() as wires, control_role(self._parts, wires, self._runtime.link) as control:
                await control.run(self._ready(control))
        elif role == "media":
            from firmware.media import media_role

            link = self._runtime.link
            async with self._media_wires() as opened, media_role(self._parts, opened, link, self._runtime) as media:
                await media.run(self._ready(media))
        else:
            async with guest_role(self._parts, "network", self._runtime.link, self._network()) as network:
                await network.run(self._ready(network))

    async def _all(self) -> None:
        async with self._wires() as wires, control_role(self._parts, wires, self._runtime.link) as control:
            up = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(control.run(up.set), name="control")
                await up.wait()
                if "media" in roles_for(self._board):
                    media_up = asyncio.Event()
                    group.create_task(self._all_media(media_up.set), name="media")
                    await media_up.wait()
                async with guest_role(self._parts, "network", self._runtime.link, self._network()) as network:
                    await network.run(self._ready(network))

    async def _all_media(self, up: Callable[[], None]) -> None:
        from firmware.media import media_role

        link = self._runtime.link
        async with self._media_wires() as wires, media_role(self._parts, wires, link, self._runtime) as media:
            await media.run(up)

    def _network(self) -> Any:
        host, port = self._options.http
        options = self._options
        bench = self._runtime.bench if options.hal == "sim" else None
        return network_services(
            self._parts, host, port, web=options.web, https=options.https, rtsp=options.rtsp, reach=self._reach,
            hands=self._runtime.viewers,
            voices=partial(connect_unix, self._runtime.voices), bench=bench,
            listener=self._runtime.listener, memory=self._runtime.memory("network"), discovery=options.found_at,
        )  # fmt: skip

    def _reach(self, source: str) -> Connect:
        return partial(push_unix, self._runtime.video(source))

    @asynccontextmanager
    async def _wires(self) -> AsyncIterator[Wires]:
        opened = await self._open_wires(self._clock)
        try:
            yield opened
        finally:
            await opened.close()

    @asynccontextmanager
    async def _media_wires(self) -> AsyncIterator[MediaWires]:
        from firmware.media import MediaWires

        async with AsyncExitStack() as undo:
            cameras = await self._open_cameras() if "camera" in self._board.capabilities else None
            if cameras is not None:
                undo.push_async_callback(cameras.close)
            sound = await self._open_wires(self._clock) if has_sound(self._board) else None
            undo.pop_all()
        wires = MediaWires(cameras=cameras, sound=sound)
        try:
            yield wires
        finally:
            await wires.close()

    async def _open_cameras(self) -> CameraWires:
        if self._options.hal == "real":
            from hal.buses.cameras import RealCameraWires

            return RealCameraWires(self._board.buses, self._clock)
        from hal.sim.remote.cameras import RemoteCameraWires

        return await RemoteCameraWires.connect(self._runtime.world, self._clock, lost=_end, within_s=PATIENCE_S)

    async def _open_wires(self, clock: Clock) -> RealWires | RemoteWires:
        if self._options.hal == "real":
            from hal.buses.real import RealWires

            return RealWires(self._board.buses, clock)
        from hal.sim.remote import RemoteWires

        return await RemoteWires.connect(self._runtime.world, clock, lost=_end, within_s=PATIENCE_S)

    def _ready(self, role: Role) -> Callable[[], None]:
        def say() -> None:
            gc.collect()
            gc.freeze()
            gc.enable()
            reported = self._said(role)
            notify(READY=1, MAINPID=os.getpid(), LINTEL_ROLE=self._options.role or "all", VERSION=VERSION, **reported)

        return say

    def _said(self, role: Role) -> dict[str, str]:
        if role.core.role != "network":
            return {}
        from firmware.interfaces.api.service import ApiService
        from firmware.security import AccountsService

        said: dict[str, str] = {}
        for service in role.services:
            if isinstance(service, ApiService):
                state = role.core.bus.state(ServiceState, "network", service.name)
                if state is not None and state.phase is ServicePhase.FAILED:
                    raise Invalid("--http", state.reason)
                at = role.core.bus.state(HttpState) or HttpState(http="", https="")
                said |= {"HTTP": at.http, "HTTPS": at.https, "FINGERPRINT": at.fingerprint}
                events = role.core.bus.state(RtspState)
                said |= {"RTSP": events.rtsp} if events is not None else {}
                if self._parts.simulated:
                    role.core.bus.publish(NetworkState(up=True, detail=at.http or at.https))
            elif isinstance(service, AccountsService):
                setup = role.core.bus.state(SetupState)
                if setup is not None and setup.needed:
                    said |= {"SETUP": "needed", "CODE": service.setup_code}
        return said
