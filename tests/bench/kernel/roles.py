"""The roles of a device as processes of their own, as systemd has them: started, told to stop, killed, started again.

The firmware is what ships, with `--hal real`. This end plays systemd: it hears who is ready (sd_notify) and sees the
file by which the firmware asks for a restart of the machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from firmware.notify import parse
from firmware.paths import CHECKOUT
from hal.clock import Clock
from tests.bench.kernel.processes import Nursery, RoleProcess

# Where the firmware expects its runtime directory on a board (systemd/, firmware/upgrade/boot_tryboot.py).
RUNTIME = Path("/run/lintel")
ASKED = RUNTIME / "restart-asked"
STARTED = RUNTIME / "started"
PATIENCE_S = 120.0
UNITS = CHECKOUT / "systemd"


def watchdog_s(role: str) -> float:
    """How long systemd waits for a role's beat: WatchdogSec of its unit; 0 where it does not watch."""
    found = re.search(r"^WatchdogSec=(\d+)s$", (UNITS / f"lintel-{role}.service").read_text(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@dataclass(frozen=True, slots=True)
class Device:
    """What the roles of one device are started with."""

    board: str
    state: Path
    port: int
    log: Path

    def words(self, role: str) -> list[str]:
        """The words of `lintel` that start a role."""
        words = ["run", "--no-web", "--role", role, "--hal", "real", "--board", self.board]
        words += ["--state", str(self.state), "--http", f"127.0.0.1:{self.port}", "--https", "off", "--rtsp", "off"]
        return words


class Roles:
    """The processes of one device; `close` ends them all."""

    def __init__(self, device: Device, clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self.processes: dict[str, RoleProcess] = {}
        self._nursery = Nursery.of_this_session()
        self._nursery.attach()
        self.starts: Counter[str] = Counter()
        self.said: dict[str, dict[str, str]] = {}
        self.fed_ns: dict[str, int] = {}  # when a role fed its watchdog last
        shutil.rmtree(RUNTIME, ignore_errors=True)  # of the device of the test before
        RUNTIME.mkdir()
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notices.bind(str(RUNTIME / "notify"))
        asyncio.get_running_loop().add_reader(self._notices, self._noticed)

    def _noticed(self) -> None:
        fields = parse(self._notices.recv(65536))
        if fields == {"WATCHDOG": "1"}:
            self.fed_ns["control"] = self._clock.now_ns()  # the only role that is watched
            return
        self.said.setdefault(fields.get("LINTEL_ROLE", ""), {}).update(fields)

    def pid(self, role: str) -> int:
        """The process of a role."""
        return self.processes[role].pid

    async def start(self, role: str) -> None:
        """Start a role and wait until it is ready."""
        self.said.pop(role, None)
        environment = os.environ | {
            "LINTEL_RUNTIME": str(RUNTIME),
            "NOTIFY_SOCKET": str(RUNTIME / "notify"),
            "PYTHONPATH": str(CHECKOUT),
            "WATCHDOG_USEC": str(round(watchdog_s(role) * 1e6)),
        }
        process = await self._nursery.start(self._device.words(role), environment, self._device.log)
        self.processes[role] = process
        self.starts[role] += 1
        end_ns = self._clock.now_ns() + round(PATIENCE_S * 1e9)
        while self.said.get(role, {}).get("READY") != "1":
            if self.restart_asked():  # before it was ready: a reset that is carried out while it starts
                await self.kill(role)
                await self.start(role)
                return
            assert process.returncode is None, f"{role} ended with {process.returncode}:\n{self.log()}"
            assert self._clock.now_ns() < end_ns, f"{role} was not ready within {PATIENCE_S} s:\n{self.log()}"
            await self._clock.sleep(0.02)

    async def stop(self, role: str) -> None:
        """Tell a role to end, and wait until it has."""
        await self._end(role, signal.SIGTERM)

    async def kill(self, role: str) -> None:
        """End a role as it stands."""
        await self._end(role, signal.SIGKILL)

    async def _end(self, role: str, number: signal.Signals) -> None:
        process = self.processes.pop(role)
        if process.returncode is None:
            process.send_signal(number)
        await asyncio.wait_for(process.wait(), PATIENCE_S)

    def starved(self, role: str) -> bool:
        """Whether systemd would end a role now, because it has not fed its watchdog."""
        return self._clock.now_ns() - self.fed_ns[role] > watchdog_s(role) * 1e9

    def restart_asked(self) -> bool:
        """Whether the firmware has asked for a restart of the machine since the last time.

        The machine's runtime directory does not survive that restart, and with it goes the mark of a first start.
        """
        asked = ASKED.exists()
        if asked:
            ASKED.unlink()
            STARTED.unlink(missing_ok=True)
        return asked

    def log(self) -> str:
        """The end of what the roles printed."""
        return self._device.log.read_text(errors="replace")[-4000:] if self._device.log.exists() else ""

    async def close(self) -> None:
        """Stop what still runs."""
        for role in reversed(tuple(self.processes)):
            await self.stop(role)
        self._nursery.detach()
        asyncio.get_running_loop().remove_reader(self._notices)
        self._notices.close()
