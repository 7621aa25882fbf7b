"""A board with a speaker and a microphone, opened as the firmware opens them, and the simulated room around it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np

from hal.assemble_sound import assemble_sound
from hal.board import parse_board
from hal.clock import SystemClock
from hal.ports import Microphone, SoundHardware, Speaker
from hal.sim.peers.sound import MicrophonePeer, SpeakerPeer
from hal.sim.sound import Room, SoundRig, tone
from hal.sim.sound.measure import Signal
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.sounds import SoundBlock

RATE_HZ = 48000
PATIENCE_S = 120.0

BOARD = """
[product]
name = "Studio"
model = "STUDIO"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
[nodes.horn]
compatible = "audio-out"
device = "plughw:CARD=codec"
gain_min_db = -40
gain_max_db = 12
[nodes.mic]
compatible = "audio-in"
device = "plughw:CARD=codec"
input_types = ["microphone", "line"]
power_types = ["none", "phantom"]
select = "gpio0:5"
power = "gpio0:6"
disable = "gpio0:7"
"""


def pcm(sound: Signal, channels: int = 1) -> bytes:
    """A signal as a player hands it over."""
    whole = np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2")
    return np.repeat(whole, channels).tobytes()


def signal(data: bytes) -> Signal:
    """What a microphone handed over as a signal."""
    return np.frombuffer(data, "<i2") / 32768


@dataclass
class Studio:
    """Everything a test of sound wants to touch."""

    world: World
    rig: SoundRig
    hardware: SoundHardware
    clock: SystemClock

    @property
    def room(self) -> Room:
        return self.rig.room

    @property
    def speaker(self) -> Speaker:
        return self.hardware.speakers["horn"]

    @property
    def microphone(self) -> Microphone:
        return self.hardware.microphones["mic"]

    @property
    def horn(self) -> SpeakerPeer:
        peer = self.world.find("speaker:horn")
        assert isinstance(peer, SpeakerPeer)
        return peer

    @property
    def ear(self) -> MicrophonePeer:
        peer = self.world.find("microphone:mic")
        assert isinstance(peer, MicrophonePeer)
        return peer

    async def passes(self, s: float) -> None:
        """Wait until so much time has passed in the room, whatever the clock on the wall says."""
        until = self.room.heard.count + round(s * self.room.rate_hz)
        while self.room.heard.count < until:
            await self.clock.sleep(0.005)

    async def hear(self, hz: float, *, s: float = 0.6, db: float = -12.0) -> Signal:
        """Play a tone and say what the room heard in the middle of it."""
        sound = pcm(tone(self.speaker.rate_hz, hz, s + 0.4, db=db), self.speaker.channels)
        await self.passes(0.2)  # what was played before has died away
        await self.speaker.play(sound)  # accepted but for the last periods, which are still in the pipe
        heard = self.room.heard.last(round(s * self.room.rate_hz))
        await self.speaker.drain()
        return heard

    async def record(self, s: float) -> list[SoundBlock]:
        """Blocks of the microphone for so long, counted in sound."""
        blocks: list[SoundBlock] = []
        done = asyncio.Event()
        wanted = round(s * 100)

        def take(block: SoundBlock) -> None:
            blocks.append(block)
            if len(blocks) >= wanted:
                done.set()

        self.microphone.listen(take)
        await done.wait()
        self.microphone.listen(None)
        return blocks[:wanted]


def in_the_studio(folder: Path, test: Callable[[Studio], Awaitable[None]], board: str = BOARD) -> None:
    """Open everything, run a test in real time, and close everything."""

    async def main() -> None:
        clock = SystemClock()
        async with AsyncExitStack() as stack:
            world = World(clock, parse_board(board, "studio.toml"))
            stack.callback(world.close)
            rig = SoundRig(world, folder)
            stack.callback(rig.close)
            stack.enter_context(patch.dict(os.environ, rig.environment))
            async with asyncio.TaskGroup() as group:
                room = group.create_task(rig.run())
                wires = SimWires(world)
                try:
                    opened = await assemble_sound(world.board, wires)
                    try:
                        await test(Studio(world, rig, opened.hardware, clock))
                    finally:
                        await opened.close()
                finally:
                    await wires.close()
                    room.cancel()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
