"""The simulated world of a device whose roles are units: as `lintel run` has it, without starting a role.

world.py BOARD STATE RUNTIME, started as a unit of its own.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from firmware.board_process.bench import BenchServer
from firmware.board_process.process import sound_rig
from firmware.board_process.rom import Rom
from firmware.board_process.scene import furnish
from firmware.board_process.supervisor import Supervisor
from firmware.cli.run import parse
from firmware.core.identity import load_or_draw
from firmware.notify import notify
from firmware.paths import RuntimeDir, StateDir
from hal.board import load_board
from hal.clock import SystemClock
from hal.sim.remote import WorldServer
from hal.sim.world import World


async def serve(name: str, state: StateDir, runtime: RuntimeDir) -> None:
    """Be there until killed."""
    clock, board = SystemClock(), load_board(name)
    state.prepare()
    rom = Rom(state, runtime)
    rom.furnish()
    rom.boot()
    options = parse(["--board", name, "--state", str(state.root)])
    nobody = Supervisor(options, runtime, clock, (), rom, lambda child: None, {})
    world = World(clock, board, identity=load_or_draw(state.identity))
    furnish(world)
    rig = sound_rig(world, runtime.sound)
    server = WorldServer(world, runtime.world)
    bench = BenchServer(world, nobody, runtime.bench, options, clock, rig)
    await server.start()
    await bench.start()
    notify(READY=1)
    await (rig.run() if rig is not None else asyncio.Event().wait())


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], StateDir(Path(sys.argv[2])), RuntimeDir(Path(sys.argv[3]))))
