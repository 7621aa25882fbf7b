"""Children of the board process: one process a role, restarted within a second when it crashes.

A role says that it is ready over the sd_notify protocol. Exit code 78 (sysexits.h, EX_CONFIG) means that
starting again cannot help: the whole device stops with the line the role printed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware.notify import parse
from firmware.options import RunOptions
from firmware.paths import RuntimeDir, StateDir
from hal.clock import Clock

EX_CONFIG = 78
RESTART_S = 0.1
RESTART_LIMIT_S = 0.8
STEADY_S = 10.0
STOP_S = 5.0
GUESTS_STOP_S = 2.0


class RoleRefused(Exception):
    """A role ended with EX_CONFIG, and has said why in a line of its own."""


@dataclass(slots=True)
class Child:
    """One role as a process: the running one, and how often it was restarted."""

    role: str
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    started_ns: int = 0
    said: Mapping[str, str] = field(default_factory=dict)
    living: asyncio.Lock = field(default_factory=asyncio.Lock)  # held from before its birth to its end

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None


class Supervisor:
    """Keeps the roles of one device running while the power is on."""

    def __init__(
        self,
        options: RunOptions,
        runtime: RuntimeDir,
        clock: Clock,
        roles: tuple[str, ...],
        said: Callable[[Child], None],
    ) -> None:
        """`said(child)` is called whenever a role reports something."""
        self._options = options
        self._runtime = runtime
        self._clock = clock
        self._said = said
        self._power = asyncio.Event()
        self._cuts = 0
        self._stopping = False
        self.children = {role: Child(role) for role in roles}

    async def run(self) -> None:
        """Start and restart the roles until cancelled; they are stopped on the way out. Raises RoleRefused."""
        loop = asyncio.get_running_loop()
        listener, _ = await loop.create_datagram_endpoint(
            lambda: _Reports(self._heard), local_addr=str(self._runtime.notify), family=1
        )
        try:
            async with asyncio.TaskGroup() as group:
                for child in self.children.values():
                    group.create_task(self._keep(child), name=f"keep {child.role}")
        finally:
            listener.close()
            await self.stop()

    def power(self, on: bool) -> None:
        """Let the roles run, or kill them all at once as a power cut does."""
        if on:
            self._power.set()
            return
        self._power.clear()
        self._cuts += 1
        for child in self.children.values():
            if child.pid is not None and child.process is not None:
                child.process.kill()

    async def off(self) -> None:
        """Power off, and wait until every role is gone."""
        self.power(on=False)
        for child in self.children.values():
            async with child.living:
                pass

    async def stop(self) -> None:
        """End every role properly: asked first, killed after `STOP_S`."""
        self._stopping = True
        self._power.clear()
        guests = [child for child in self.children.values() if child.role not in ("control", "all")]
        # Guests live on control's link: they go first, so that nobody has to report the other's end.
        await self._end(guests, GUESTS_STOP_S)
        await self._end(list(self.children.values()), STOP_S)

    @staticmethod
    async def _end(children: list[Child], patience_s: float) -> None:
        running = [child.process for child in children if child.pid is not None and child.process]
        for process in running:
            process.terminate()
        try:
            async with asyncio.timeout(patience_s):
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
            await self._power.wait()
            async with child.living:
                child.started_ns = self._clock.now_ns()
                child.said = {}
                cuts = self._cuts
                child.process = await self._start(child.role)
                if cuts != self._cuts:  # the power went while it was being born
                    child.process.kill()
                code = await child.process.wait()
            if code == EX_CONFIG:
                raise RoleRefused(child.role)
            if not self._power.is_set():
                continue  # killed by the power switch, or told to stop: that is no crash
            child.restarts += 1
            lived_s = (self._clock.now_ns() - child.started_ns) / 1e9
            delay_s = RESTART_S if lived_s > STEADY_S else min(RESTART_LIMIT_S, delay_s * 2)
            await self._clock.sleep(delay_s)

    async def _start(self, role: str) -> asyncio.subprocess.Process:
        slot = StateDir(self._options.state).slot_a.resolve()
        environment = os.environ | {
            "PYTHONPATH": str(slot),
            "LINTEL_RUNTIME": str(self._runtime.root),
            "LINTEL_PARENT": str(os.getpid()),
            "NOTIFY_SOCKET": str(self._runtime.notify),
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
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
        child.said = {**child.said, **fields}
        self._said(child)


class _Reports(asyncio.DatagramProtocol):
    def __init__(self, heard: Callable[[Mapping[str, str]], None]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self._heard(parse(data))
