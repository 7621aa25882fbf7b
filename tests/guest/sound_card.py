"""A board file's sound on the guest's sound cards: opened as the media role opens it, on the real wires."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hal.assemble_sound import assemble_sound
from hal.board import load_board
from hal.buses.real import RealWires
from hal.clock import SystemClock
from hal.ports import SoundHardware
from hal.sim.sound import tone
from hal.sim.sound.measure import Signal
from hal.sounds import SoundBlock

RATE_HZ = 48000
BLOCKS_PER_S = 100
PATIENCE_S = 120.0

PRODUCT = """
[product]
name = "Studio"
model = "STUDIO"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
"""


@dataclass
class Ear:
    """Everything that a microphone has heard, as signal, and how many blocks it lost."""

    blocks: list[SoundBlock] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, block: SoundBlock) -> None:
        self.blocks.append(block)
        self.came.set()

    async def hears(self, s: float) -> None:
        """Wait until so much more has been heard."""
        until = len(self.blocks) + round(s * BLOCKS_PER_S)
        while len(self.blocks) < until:
            self.came.clear()
            await self.came.wait()

    def take(self) -> Signal:
        """What was heard since the last time."""
        heard = np.frombuffer(b"".join(block.samples for block in self.blocks), "<i2") / 32768
        self.blocks.clear()
        return heard


def pcm(hz: float, s: float, db: float) -> bytes:
    """A tone as a player hands it over."""
    return np.clip(np.rint(tone(RATE_HZ, hz, s, db=db) * 32768), -32768, 32767).astype("<i2").tobytes()


def with_sound(folder: Path, nodes: str, test: Callable[[SoundHardware], Awaitable[None]]) -> None:
    """Write a board file with these nodes, open its sound, run a test, close everything. Raises BusError."""
    path = folder / "studio.toml"
    path.write_text(PRODUCT + nodes)

    async def main() -> None:
        board = load_board(path)
        wires = RealWires(board.buses, SystemClock())
        try:
            opened = await assemble_sound(board, wires)
            try:
                await test(opened.hardware)
            finally:
                await opened.close()
        finally:
            await wires.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
