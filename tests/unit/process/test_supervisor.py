"""The supervisor and the power switch: no role outlives a power cut, not even one that is just being born."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from firmware.board_process.rom import Installed as Checkout
from firmware.board_process.supervisor import Supervisor
from firmware.options import RunOptions
from firmware.paths import RuntimeDir
from hal.clock import SystemClock


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
            async with asyncio.timeout(5):
                await off
            assert [process.returncode for process in processes] == [-9]
            assert supervisor.children["control"].pid is None
            running.cancel()

    asyncio.run(main())
