"""The supervisor and the power switch: no role outlives a power cut, not even one that is just being born."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware.board_process.rom import Booted
from firmware.board_process.rom import Installed as Checkout
from firmware.board_process.supervisor import Child, Supervisor
from firmware.core.errors import Unavailable
from firmware.notify import RESTART
from firmware.options import RunOptions
from firmware.paths import RuntimeDir
from firmware.upgrade.ports import Slot
from hal.clock import SystemClock
from tests.unit.ending import while_ending

PATIENCE_S = 60.0


async def started(supervisor: Supervisor) -> int:
    """The process of control, once there is one."""
    async with asyncio.timeout(PATIENCE_S):
        while (pid := supervisor.children["control"].pid) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # noqa: TID251 - real processes
    return pid


def test_a_role_that_is_being_born_when_the_power_goes_is_killed_before_off_returns(tmp_path: Path) -> None:
    async def main() -> None:
        options: Any = object.__new__(RunOptions)
        supervisor = Supervisor(
            options, RuntimeDir(tmp_path), SystemClock(), ("control",), Checkout(), lambda child: None
        )
        born = asyncio.Event()
        processes: list[asyncio.subprocess.Process] = []

        async def slow_start(role: str) -> asyncio.subprocess.Process:
            await born.wait()
            processes.append(await asyncio.create_subprocess_exec("sleep", "60"))
            return processes[-1]

        supervisor._start = slow_start  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            await supervisor.on()
            for _ in range(10):
                await asyncio.sleep(0)  # noqa: TID251 - real processes
            off = group.create_task(supervisor.off())
            await asyncio.sleep(0)  # noqa: TID251 - real processes
            born.set()
            async with asyncio.timeout(PATIENCE_S):
                await off
            assert [process.returncode for process in processes] == [-9]
            assert supervisor.children["control"].pid is None
            running.cancel()

    asyncio.run(main())


class TwoSlots:
    """A loader that tries slot B once, then starts slot A."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self.started: list[Slot] = []
        self.committed = False

    def boot(self) -> Booted:
        slot = Slot.A if self.started else Slot.B
        self.started.append(slot)
        return Booted(slot=slot, trying=slot is Slot.B, tree=self._tree, image=False, cache=None)

    def on_trial(self, booted: Booted) -> bool:
        return booted.trying and not self.committed

    def power_off(self) -> None:
        raise AssertionError("nobody cut the power")


def test_firmware_on_trial_that_hangs_is_left_when_the_watchdog_runs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware.board_process.supervisor.TRIAL_READY_S", 0.2)

    async def main() -> None:
        options: Any = object.__new__(RunOptions)
        loader = TwoSlots(tmp_path)
        supervisor = Supervisor(options, RuntimeDir(tmp_path), SystemClock(), ("control",), loader, lambda child: None)

        async def hang(role: str) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec("sleep", "60")

        supervisor._start = hang  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            await supervisor.on()
            async with asyncio.timeout(PATIENCE_S):
                while supervisor.booted is None or supervisor.booted.trying:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # noqa: TID251 - real processes
            assert loader.started == [Slot.B, Slot.A]
            await asyncio.sleep(0.5)  # noqa: TID251 - real processes
            assert loader.started == [Slot.B, Slot.A], "what is not on trial has no such watchdog"
            running.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("committed", [True, False])
def test_control_that_crashes_after_the_commit_starts_again_alone_and_before_it_the_board_goes_back(
    tmp_path: Path, committed: bool
) -> None:
    async def main() -> None:
        options: Any = object.__new__(RunOptions)
        loader = TwoSlots(tmp_path)
        supervisor = Supervisor(options, RuntimeDir(tmp_path), SystemClock(), ("control",), loader, lambda child: None)

        async def sleeper(role: str) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec("sleep", "60")

        supervisor._start = sleeper  # type: ignore[method-assign]
        control = supervisor.children["control"]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            await supervisor.on()
            async with asyncio.timeout(PATIENCE_S):
                while control.pid is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # noqa: TID251 - real processes
                first, loader.committed = control.pid, committed
                assert supervisor.on_trial is not committed
                os.kill(first, signal.SIGKILL)
                while control.pid in (None, first):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # noqa: TID251 - real processes
            assert loader.started == ([Slot.B] if committed else [Slot.B, Slot.A])
            assert control.restarts == (1 if committed else 0)
            running.cancel()

    asyncio.run(main())


def test_a_restart_that_is_asked_for_as_the_power_goes_neither_happens_nor_stops_the_board(tmp_path: Path) -> None:
    async def main() -> None:
        options: Any = object.__new__(RunOptions)
        supervisor = Supervisor(
            options, RuntimeDir(tmp_path), SystemClock(), ("control",), Checkout(), lambda child: None
        )

        async def sleeper(role: str) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec("sleep", "60")

        supervisor._start = sleeper  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            await supervisor.on()
            pid = str(await started(supervisor))
            off = group.create_task(supervisor.off())
            await asyncio.sleep(0)  # noqa: TID251 - real processes
            assert not off.done()
            # Killed, and not yet gone: what it said last is read now.
            supervisor._heard({"LINTEL_ROLE": "control", "MAINPID": pid, RESTART: "1"})
            async with asyncio.timeout(PATIENCE_S):
                await off
            await asyncio.sleep(0.1)  # noqa: TID251 - real processes
            assert supervisor.children["control"].pid is None
            await supervisor.on()
            assert await started(supervisor)
            running.cancel()

    asyncio.run(main())


class Counting(Checkout):
    """A loader that counts its starts."""

    starts = 0

    def boot(self) -> Booted:
        self.starts += 1
        return super().boot()


def test_a_restart_that_is_asked_for_again_while_it_is_done_is_one_restart(tmp_path: Path) -> None:
    async def main() -> None:
        options: Any = object.__new__(RunOptions)
        loader = Counting()
        supervisor = Supervisor(options, RuntimeDir(tmp_path), SystemClock(), ("control",), loader, lambda child: None)

        async def sleeper(role: str) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec("sleep", "60")

        supervisor._start = sleeper  # type: ignore[method-assign]
        control = supervisor.children["control"]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            await supervisor.on()
            async with asyncio.timeout(PATIENCE_S):
                while control.pid is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # noqa: TID251 - real processes
                first = control.pid
                asked = {"LINTEL_ROLE": "control", "MAINPID": str(first), RESTART: "1"}
                supervisor._heard(asked)
                await asyncio.sleep(0)  # noqa: TID251 - the restart has begun, and control has not ended yet
                assert control.pid == first
                supervisor._heard(asked)
                while control.pid in (None, first):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # noqa: TID251 - real processes
            second = control.pid
            await asyncio.sleep(0.3)  # noqa: TID251 - real processes
            assert (loader.starts, control.pid) == (2, second)
            running.cancel()

    asyncio.run(main())


class Broken(Checkout):
    """A loader that finds nothing to start, from the second time on."""

    def __init__(self) -> None:
        self.tries = 0

    def boot(self) -> Booted:
        self.tries += 1
        if self.tries > 1:
            raise Unavailable("boot", "slot A cannot be started: it is closed")
        return super().boot()


def test_a_restart_that_finds_no_firmware_leaves_the_board_dark_and_the_bench_is_told_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        options: Any = object.__new__(RunOptions)
        loader = Broken()
        supervisor = Supervisor(options, RuntimeDir(tmp_path), SystemClock(), ("control",), loader, lambda child: None)

        async def sleeper(role: str) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec("sleep", "60")

        supervisor._start = sleeper  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            await supervisor.on()
            pid = str(await started(supervisor))
            supervisor._heard({"LINTEL_ROLE": "control", "MAINPID": pid, RESTART: "1"})
            async with asyncio.timeout(PATIENCE_S):
                while loader.tries < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # noqa: TID251 - real processes
            await asyncio.sleep(0.1)  # noqa: TID251 - real processes
            assert not running.done()
            assert supervisor.children["control"].pid is None
            with pytest.raises(Unavailable, match="it is closed"):
                await supervisor.on()
            running.cancel()

    asyncio.run(main())
    assert "it is closed" in capsys.readouterr().err


DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"


def test_a_role_that_does_not_end_is_killed_also_where_the_supervisor_is_cancelled() -> None:
    async def main() -> None:
        deaf = await asyncio.create_subprocess_exec(sys.executable, "-c", DEAF, stdout=asyncio.subprocess.PIPE)
        assert deaf.stdout is not None
        await deaf.stdout.readline()
        async with asyncio.timeout(PATIENCE_S):
            await while_ending(Supervisor._end([Child("media", deaf)], 0.2))
        assert deaf.returncode == -signal.SIGKILL

    asyncio.run(main())
