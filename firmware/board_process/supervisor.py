"""Children of the board process: one process a role, restarted within a second when it crashes.

A role says that it is ready over the sd_notify protocol. Exit code 78 (sysexits.h, EX_CONFIG) means that
starting again cannot help: the whole device stops with the line the role printed. While firmware is being tried
the board plays its watchdog instead: what ends, refuses or never gets ready resets the board, into the default slot.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from firmware.board_process.rom import Booted
from firmware.core.errors import Unavailable
from firmware.notify import RESTART, parse
from firmware.options import RunOptions
from firmware.paths import RuntimeDir
from hal.clock import Clock, Timer, within

EX_CONFIG = 78
RESTART_S = 0.1
RESTART_LIMIT_S = 0.8
STEADY_S = 10.0
STOP_S = 5.0
GUESTS_STOP_S = 2.0
# How long firmware that is being tried may take until every role is ready: the watchdog of the simulated board.
TRIAL_READY_S = 60.0
# The roles without which there is no device.
HUB = ("control", "all")


class RoleRefused(Exception):
    """A role ended with EX_CONFIG, and has said why in a line of its own."""


@dataclass(slots=True)
class Child:
    """One role as a process: the running one, and how often it was restarted."""

    role: str
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    started_ns: int = 0
    ready_ns: int = 0  # when it said so; 0 until then
    said: Mapping[str, str] = field(default_factory=dict)
    living: asyncio.Lock = field(default_factory=asyncio.Lock)  # held from before its birth to its end

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None


class Loader(Protocol):
    """What chooses the firmware at each start: the boot ROM of a simulated board."""

    def boot(self) -> Booted:
        """Choose, and make it runnable; blocks. Raises Unavailable when nothing can be started."""

    def on_trial(self, booted: Booted) -> bool:
        """Whether what was started is still only being tried."""

    def power_off(self) -> None:
        """Forget what a power cut forgets."""


class Supervisor:
    """Keeps the roles of one device running while the power is on."""

    def __init__(
        self,
        options: RunOptions,
        runtime: RuntimeDir,
        clock: Clock,
        roles: tuple[str, ...],
        loader: Loader,
        said: Callable[[Child], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`said(child)` is called whenever a role reports something; `environment` is added to that of every role."""
        self._options = options
        self._runtime = runtime
        self._clock = clock
        self._loader = loader
        self._said = said
        self._environment = dict(environment or {})
        self._supplied = False
        self._runs = asyncio.Event()  # roles may run: there is power, and the loader has chosen
        self._powered_ns = 0
        self._switching = asyncio.Lock()  # one change of the power, or restart, at a time
        self._wanted = asyncio.Event()  # a restart
        self._watchdog: Timer | None = None
        self._cuts = 0
        self._stopping = False
        self.children = {role: Child(role) for role in roles}
        self.booted: Booted | None = None

    @property
    def on_trial(self) -> bool:
        """Whether the firmware that runs is being tried; no longer from its commit on."""
        return self.booted is not None and self._loader.on_trial(self.booted)

    async def run(self) -> None:
        """Start and restart the roles until cancelled; they are stopped on the way out. Raises RoleRefused."""
        loop = asyncio.get_running_loop()
        listener, _ = await loop.create_datagram_endpoint(
            lambda: _Reports(self._heard), local_addr=str(self._runtime.notify), family=1
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._restarts(), name="restarts")
                for child in self.children.values():
                    group.create_task(self._keep(child), name=f"keep {child.role}")
        finally:
            listener.close()
            await self.stop()

    async def on(self) -> None:
        """Power on: the boot ROM chooses, the roles start. Harmless when it is on. Raises Unavailable."""
        async with self._switching:
            self._supplied = True
            if not self._runs.is_set():
                await self._start_up()

    async def off(self) -> None:
        """Power off: kill all roles at once, as a power cut does, and wait until every one is gone."""
        self._supplied = False
        self._cut()  # at once, whatever is going on
        async with self._switching:
            self._cut()
            await self._gone()
            self._loader.power_off()

    async def restart(self) -> None:
        """End every role in order, then start as after power on; nothing when the power is off. Raises Unavailable."""
        async with self._switching:
            if not self._supplied:
                return
            self._let_go()
            await self._end_all()
            await self._gone()
            if self._supplied:
                await self._start_up()

    async def _start_up(self) -> None:
        self._powered_ns = self._clock.now_ns()
        # The ROM reads and unpacks: a thread's work, so that the world goes on.
        booted = await asyncio.to_thread(self._loader.boot)
        if not self._supplied:
            return
        self.booted = booted
        for note in self.booted.notes:
            print(f"lintel: boot: {note}", file=sys.stderr, flush=True)
        if self.booted.trying:
            self._watchdog = self._clock.call_later(TRIAL_READY_S, self._bark)
        self._runs.set()

    def _cut(self) -> None:
        self._let_go()
        for child in self.children.values():
            if child.pid is not None and child.process is not None:
                child.process.kill()

    def _let_go(self) -> None:
        self._runs.clear()
        self._cuts += 1
        self._wanted.clear()
        self.booted = None
        self._calm()

    async def _gone(self) -> None:
        for child in self.children.values():
            async with child.living:
                pass

    async def _restarts(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()  # also where the power is off and nothing comes of it, or this would never wait again
            try:
                await self.restart()
            except Unavailable as error:  # the board stays dark, and `power on` tries again
                print(f"lintel: boot: {error.message}", file=sys.stderr, flush=True)

    def _bark(self) -> None:
        self._watchdog = None
        self._wanted.set()

    def _calm(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    async def stop(self) -> None:
        """End every role properly: asked first, killed after `STOP_S`."""
        self._stopping = True
        self._calm()
        self._runs.clear()
        await self._end_all()

    async def _end_all(self) -> None:
        guests = [child for child in self.children.values() if child.role not in HUB]
        # Guests live on control's link: they go first, so that nobody has to report the other's end.
        await self._end(guests, GUESTS_STOP_S)
        await self._end(list(self.children.values()), STOP_S)

    @staticmethod
    async def _end(children: list[Child], patience_s: float) -> None:
        running = [child.process for child in children if child.pid is not None and child.process]
        for process in running:
            process.terminate()
        try:
            async with within(patience_s):
                for process in running:
                    await process.wait()
        except TimeoutError:
            for process in running:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def _keep(self, child: Child) -> None:
        delay_s = RESTART_S
        while not self._stopping:
            while not self._runs.is_set():  # the power may go again before this wakes up
                await self._runs.wait()
            async with child.living:
                child.started_ns = self._clock.now_ns()
                child.said, child.ready_ns = {}, 0
                cuts = self._cuts
                child.process = await self._start(child.role)
                if cuts != self._cuts:  # the power went while it was being born
                    child.process.kill()
                code = await child.process.wait()
            if not self._runs.is_set():
                continue  # killed by the power switch, or told to stop: that is no crash
            if (code == EX_CONFIG or child.role in HUB) and self.on_trial:
                self._runs.clear()
                self._wanted.set()
                continue
            if code == EX_CONFIG:
                raise RoleRefused(child.role)
            child.restarts += 1
            lived_s = (self._clock.now_ns() - child.started_ns) / 1e9
            delay_s = RESTART_S if lived_s > STEADY_S else min(RESTART_LIMIT_S, delay_s * 2)
            await self._clock.sleep(delay_s)

    async def _start(self, role: str) -> asyncio.subprocess.Process:
        assert self.booted is not None
        environment = os.environ | {
            **self._environment,
            **self.booted.environment(),
            "LINTEL_RUNTIME": str(self._runtime.root),
            "LINTEL_PARENT": str(os.getpid()),
            "LINTEL_POWERED_NS": str(self._powered_ns),
            "NOTIFY_SOCKET": str(self._runtime.notify),
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the folder where somebody stands is not the firmware, even if it looks like it
            "-m",
            "firmware",
            *self._options.words(role),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            # A terminal's Ctrl-C goes to the board process alone, which stops its children in order.
            start_new_session=True,
        )

    def _heard(self, fields: Mapping[str, str]) -> None:
        child = self.children.get(fields.get("LINTEL_ROLE", ""))
        if child is None or str(child.pid) != fields.get("MAINPID"):
            return
        if fields.get(RESTART) == "1":
            # A restart that is under way already is the one that is asked for.
            if child.role in HUB and self._runs.is_set():
                self._wanted.set()
            return
        child.said = {**child.said, **fields}
        if fields.get("READY") == "1" and not child.ready_ns:
            child.ready_ns = self._clock.now_ns()
        if all(each.said.get("READY") == "1" for each in self.children.values()):
            self._calm()
        self._said(child)


class _Reports(asyncio.DatagramProtocol):
    def __init__(self, heard: Callable[[Mapping[str, str]], None]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self._heard(parse(data))
