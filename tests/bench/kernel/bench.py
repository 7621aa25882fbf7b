"""The bench on a kernel's simulated devices: unmodified firmware with `--hal real`, its roles as processes.

The far end of every line, chip and serial port is the simulator's world, which hangs on the kernel's devices from the
outside. It runs in a guest whose time is virtual (tools/kernel-bench/run.py --virtual), so that durations are exact.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import selectors
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware.board_process.scene import furnish
from firmware.paths import RuntimeDir, StateDir
from hal.board import GpioBus, I2cBus, UartBus, load_board
from hal.clock import SystemClock
from hal.sim.world import World
from tests.bench.base import PASSWORD, USER, BenchBase
from tests.bench.kernel.chips import KernelChips
from tests.bench.kernel.lines import KernelLines
from tests.bench.kernel.patient import patient
from tests.bench.kernel.roles import RUNTIME, Device, Roles
from tests.bench.kernel.stations import KernelSerial
from tests.bench.kernel.telling import LetNobodyIn, Telling

ROLES = ("control", "network")
# What an event may be late by on its way through the API, in the guest's time.
TELL_S = 0.05
# How often it looks whether the firmware asks for a restart. In the guest, looking is what costs.
RESTART_LOOK_S = 0.05
PR_SET_TIMERSLACK = 29
UNTRUSTED = datetime(2000, 1, 1, tzinfo=UTC)

# What a test may ask of the simulator and not of this bench, with the reason of its skip.
LACKS = {
    "disk": "faults of the disk are the simulator's: this firmware writes to a real file system",
    "rows_refuse": "faults of the disk are the simulator's: this firmware writes to a real file system",
    "power_off": "the guest's power is its kernel's, and is not cut within a test",
    "power_on": "the guest's power is its kernel's, and is not cut within a test",
    "cable": "the guest's network port has no cable to pull",
    "camera": "pictures of a scene are the simulator's; vivid shows bars of its own (tests/guest/test_guest_camera.py)",
    "media": "pictures of a scene are the simulator's; vivid shows bars of its own (tests/guest/test_guest_camera.py)",
}


class GuestClock(SystemClock):
    """The guest's own clocks; its wall clock may be set."""

    def step_utc(self, s: float) -> None:
        """Let the wall clock jump."""
        time.clock_settime(time.CLOCK_REALTIME, time.time() + s)  # noqa: TID251 # it is the kernel's clock that is set

    def set_trusted(self, trusted: bool) -> None:
        """Have a wall clock that cannot be right, as without a battery; True has no effect."""
        if not trusted:
            time.clock_settime(time.CLOCK_REALTIME, UNTRUSTED.timestamp())


def exact_loop() -> asyncio.AbstractEventLoop:
    """A loop whose timers are as exact as the kernel's: the usual selector waits for whole milliseconds."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refuses exact timers")
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class KernelBench(BenchBase[GuestClock]):
    """One device in the guest. `play` runs one test on it, in a loop of its own."""

    tolerance_s = 0.02
    lacks = LACKS

    def __init__(self, state: Path, board: str = "door_station") -> None:
        super().__init__(state)
        board = patient(board, state.parent)
        self._board = load_board(board)
        self._device = Device(board, state, free_port(), state.with_name(state.name + ".log"))
        self._life = asyncio.Lock()
        self.clock = GuestClock()
        self.restart_look_s = RESTART_LOOK_S
        self.starts = 0
        self.was_set_up = False  # before this start
        self.lines: KernelLines
        self.roles: Roles
        self._telling: Telling
        self._listening: asyncio.Task[None] | None = None
        self._strangers: list[httpx.AsyncClient] = []

    def __getattr__(self, name: str) -> Any:
        if name in self.lacks:
            pytest.skip(self.lacks[name])
        raise AttributeError(name)

    def play(self, test: Callable[..., Coroutine[Any, Any, None]], arguments: dict[str, Any]) -> None:
        """Run a test on a device that has just started; it fails when a role ends by itself."""

        async def whole() -> None:
            async with self._soldered():
                await self.start()
                self.began_s = self.world.now_s
                tasks = [asyncio.create_task(work) for work in (test(**arguments), self._restarts())]  # noqa: TID251
                try:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                    self._check_alive()
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.wait(tasks)
                    for stranger in self._strangers:
                        await stranger.aclose()
                    await self.stop()

        with asyncio.Runner(loop_factory=exact_loop) as runner:
            runner.run(whole())
        shutil.rmtree(self._state, ignore_errors=True)

    @asynccontextmanager
    async def _soldered(self) -> AsyncIterator[None]:
        """The world, hung on the kernel's devices."""
        StateDir(self._state).prepare()
        self.world = World(self.clock, self._board, stepped=True, serial=KernelSerial)
        furnish(self.world)
        closers: list[Callable[[], None]] = [self.world.close]
        try:
            for name, bus in self._board.buses.items():
                if isinstance(bus, GpioBus):
                    nets = {line.offset: net for line, net in self.world.nets.items() if line.bus == name}
                    self.lines = KernelLines(Path(bus.chip), nets)
                    closers.append(self.lines.close)
                elif isinstance(bus, I2cBus):
                    closers.append(KernelChips(self.world.i2c(name)).close)
                elif isinstance(bus, UartBus):
                    serial = self.world.uart(name)
                    assert isinstance(serial, KernelSerial)
                    serial.begin(Path(bus.device))
            self.roles = Roles(self._device, self.clock)
            try:
                yield
            finally:
                await self.roles.close()
        finally:
            for close in reversed(closers):
                close()

    # the firmware's life

    async def start(self) -> None:
        """Start the roles on the world as it is."""
        self._events.clear()
        for role in ROLES:
            await self.roles.start(role)
        base = f"http://127.0.0.1:{self._device.port}"
        self._http = httpx.AsyncClient(base_url=f"{base}/api/v1", auth=(USER, PASSWORD), timeout=60)
        made = await self._http.post("/setup", json={"name": USER, "password": PASSWORD})
        self.was_set_up = made.status_code == 409
        self._telling = Telling(self._http, self._events)
        try:
            await self._listen(self._telling.run())
        except LetNobodyIn:
            await self._listen(self._telling.run_at_the_link(RuntimeDir(RUNTIME), self.clock))
        self.starts += 1

    async def _listen(self, telling: Coroutine[Any, Any, None]) -> None:
        """Hear the device from here on. Raises what ends it before it has begun."""
        self._listening = asyncio.create_task(telling)  # noqa: TID251
        begun = asyncio.create_task(self._telling.connected.wait())  # noqa: TID251
        async with asyncio.timeout(30):
            await asyncio.wait((self._listening, begun), return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self._listening.done():
            await self._listening

    async def stop(self) -> None:
        """End the roles in order; the world stays."""
        await self._hang_up()
        for role in reversed(ROLES):
            if role in self.roles.processes:
                await self.roles.stop(role)

    async def _hang_up(self) -> None:
        """Hear the rest of what the device tells, and nothing more."""
        if self._listening is not None:
            await self.clock.sleep(TELL_S)
            self._listening.cancel()
            await asyncio.wait((self._listening,))
            self._listening = None
            await self._http.aclose()

    async def leave_control_alone(self) -> None:
        """End every other role, and with it the API and its events."""
        await self._hang_up()
        await self.roles.stop("network")

    async def restart(self) -> None:
        """Stop and start the firmware."""
        async with self._life:
            await self.stop()
            await self.start()

    async def _restarts(self) -> None:
        """Restart the whole device when the firmware asks for it."""
        while True:
            await self.clock.sleep(self.restart_look_s)
            if self.roles.restart_asked():
                await self.restart()

    async def restarted(self, starts: int, within_s: float = 30.0) -> None:
        """Wait until the device has started more often than `starts` times, and is ready."""
        await self.until(lambda: self.starts > starts, within_s)

    def _check_alive(self) -> None:
        for role, process in self.roles.processes.items():
            # The network role ends with its link and is started again by systemd: a test that ends control knows.
            expected = role == "network" and self.roles.starts["control"] > self.starts
            assert expected or process.returncode is None, (
                f"{role} ended with {process.returncode}:\n{self.roles.log()}"
            )

    # its own account of itself

    def stranger(self) -> httpx.AsyncClient:
        """A client that has not logged in; it ends with the test."""
        self._strangers.append(httpx.AsyncClient(base_url=self.origin, timeout=60))
        return self._strangers[-1]

    def states(self, topic: str) -> list[Any]:
        """The retained states of a topic, as the API tells them."""
        return [state for key, state in self._telling.states.items() if key[0] == topic]


@functools.cache
def names_in(code: Any) -> frozenset[str]:
    """Every attribute and global that a function's code names, itself and what is nested in it."""
    nested = [names_in(constant) for constant in code.co_consts if hasattr(constant, "co_names")]
    return frozenset(code.co_names).union(*nested)


def lacking(test: Callable[..., Any], lacks: Mapping[str, str] = LACKS) -> str | None:
    """Why a test cannot run on a bench: the first thing it lacks that the test, or a function of its module, asks."""
    waiting, seen = [test], set()
    while waiting:
        function = waiting.pop()
        seen.add(function)
        names = names_in(function.__code__)
        for name in sorted(names & lacks.keys()):
            return lacks[name]
        used = (function.__globals__.get(name) for name in names)
        waiting += [found for found in used if hasattr(found, "__code__") and found not in seen]
    return None
