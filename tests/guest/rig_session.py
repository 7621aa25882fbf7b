"""What the tests of a rig in the guest share: a look at it, and a session of behaviour tests over played wires."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.kernel.bench import exact_loop
from tests.bench.rig.bench import look_over
from tests.bench.rig.wiring import Wiring
from tests.guest.wire_player import WirePlayer

Making = Callable[[], WirePlayer]


def wires_of(wiring: Wiring) -> dict[int, int]:
    """The probe line of each line of the board, as the file says."""
    return {wire.line.offset: wire.probe.offset for wire in wiring.wires}


@contextmanager
def played(make: Making) -> Iterator[asyncio.Runner]:
    """Wires that are played while this block runs something on the runner."""
    with asyncio.Runner(loop_factory=exact_loop) as runner:

        async def begin() -> WirePlayer:
            return make().__enter__()

        player = runner.run(begin())
        try:
            yield runner
        finally:
            player.__exit__()


def found_on(wiring: Wiring, make: Making) -> list[str]:
    """What the look at a rig finds when its wires are really these."""

    async def look() -> list[str]:
        return await asyncio.wait_for(look_over(wiring), 60)

    with played(make) as runner:
        return runner.run(look())


def bench_run(runner: asyncio.Runner, file: Path, *words: str) -> tuple[int, str]:
    """A whole session of the behaviour tests on a rig; its status and what it printed."""

    async def run() -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "--color=no", "--timeout=0", f"--bench=rig:{file}", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    return runner.run(run())
