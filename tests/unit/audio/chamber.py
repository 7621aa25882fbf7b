"""A speaker and a microphone in one room, in virtual time: real drivers, mixer and ear, and services on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firmware.audio import Mixer, Sound
from firmware.audio.ear import Ear
from firmware.audio.service import SoundService
from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.events import Event, Notice
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.service import Service
from firmware.core.services import Services
from firmware.core.store import Store
from firmware.core.vocabulary.station import StorageProblem
from firmware.media_sound import audio_facts
from firmware.sensing import InputLinesService
from hal.assemble import assemble
from hal.assemble_sound import AssembledSound, assemble_sound
from hal.board import parse_board
from hal.errors import BusError
from hal.sim.peers.button import ButtonPeer
from hal.sim.sound.room import Cone, Room
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.sounds import PcmBlock
from hal.wires import LostHandler, PcmHandler

RATE_HZ = 48_000
PERIOD = 480
PERIOD_S = 0.010
DEPTH = 6
ADMIN = Caller("root", Level.ADMIN, "api")
BOARD = """
[product]
name = "Chamber"
model = "CHAMBER"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
[nodes.horn]
compatible = "audio-out"
device = "plughw:CARD=codec"
gain_min_db = -40
[nodes.mic]
compatible = "audio-in"
device = "plughw:CARD=codec"
disable = "gpio0:7"
"""


class Air(SimWires):
    """Both cards, on one clock, and the room between them; a period passes every 10 ms while it is on."""

    period_frames = PERIOD
    underruns = 0

    def __init__(self, world: World, clock: VirtualClock) -> None:
        super().__init__(world)
        self.room = Room(RATE_HZ)
        self.faults: set[str] = set()
        self.loss_db = 0.0
        self.given: list[np.ndarray[Any, np.dtype[np.float64]]] = []  # what the card played, one block a period
        self.lose_next = False
        self.gone = ""
        self._clock_of_air = clock
        self._cone = Cone(RATE_HZ, PERIOD)
        self._queue: list[bytes] = []
        self._moved = asyncio.Event()
        self._handler: PcmHandler | None = None
        self._lost: LostHandler | None = None

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        if self.gone:
            raise BusError(owner, self.gone)
        return self

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        return self

    async def write(self, samples: bytes) -> None:
        while len(self._queue) >= DEPTH and not self.gone:
            self._moved.clear()
            await self._moved.wait()
        if self.gone:
            raise BusError("horn", self.gone)
        self._queue.append(samples)

    async def drain(self) -> None:
        while self._queue and not self.gone:
            self._moved.clear()
            await self._moved.wait()
        if self.gone:
            raise BusError("horn", self.gone)

    def receive(self, handler: PcmHandler | None) -> None:
        self._handler = handler

    def on_lost(self, handler: LostHandler | None) -> None:
        self._lost = handler

    def unplug(self) -> None:
        """The card goes."""
        self.gone = "the card is gone"
        self._moved.set()
        if self._lost is not None:
            self._lost(BusError("mic", self.gone))

    async def close(self) -> None:
        self._handler = None

    async def run(self) -> None:
        """Let time pass in the room."""
        while True:
            await self._clock_of_air.sleep(PERIOD_S)
            data = self._queue.pop(0) if self._queue else bytes(2 * PERIOD)
            self._moved.set()
            played = np.frombuffer(data, "<i2") / 32768
            self.given.append(played)
            heard = self.room.carry(self._cone.move(played, self.faults, self.loss_db))
            whole = np.clip(np.rint(heard * 32768), -32768, 32767).astype("<i2").tobytes()
            lost, self.lose_next = self.lose_next, False
            if self._handler is not None and not lost:
                self._handler(PcmBlock(self._clock_of_air.now_ns(), whole))


class Chamber:
    """What a test of a service of sound touches."""

    def __init__(self, clock: VirtualClock, root: Path) -> None:
        self.clock = clock
        self.world = World(clock, parse_board(BOARD, "chamber.toml"))
        self.air = Air(self.world, clock)
        self.sound = Sound(*audio_facts(self.world.board))
        self.alarms: list[tuple[str, StorageProblem | None]] = []
        self.store = Store(root, clock, alarm=lambda what, problem, detail: self.alarms.append((what, problem)))
        bus = Bus(clock, role="media", boot="b1")
        actions = ActionTable()
        params = Params(self.store, bus, lambda *_: None)
        self.core = Core(
            role="media",
            clock=clock,
            bus=bus,
            actions=actions,
            link=LocalLink(actions, params),
            params=params,
            store=self.store,
            shared=self.store,
        )
        self.facts: list[Event] = []
        bus.tap(self._note)

    def _note(self, notice: Notice) -> None:
        self.facts.append(notice.event)

    @property
    def mixer(self) -> Mixer:
        return self.sound.mixer()

    @property
    def ear(self) -> Ear:
        return self.sound.ear()

    def switch(self, off: bool) -> None:
        """The microphone-disable switch of the device."""
        peer = self.world.find("microphone:mic").parts["disable"]
        assert isinstance(peer, ButtonPeer)
        peer.hold() if off else peer.release()

    async def act(self, action: str, **data: Any) -> Any:
        """Send a command as an interface does; returns the answer."""
        params = self.core.actions.parse(action, data)
        return await self.core.actions.invoke(Invocation(action=action, params=params, caller=ADMIN, cause="b1-api-7"))

    async def patch(self, group: str, **values: object) -> None:
        """Change parameters as an interface does."""
        await self.core.params.change(group, values, ADMIN)
        await self.clock.sleep(0.001)

    async def _open(self) -> AssembledSound:
        return await assemble_sound(self.world.board, self.air)

    async def run(
        self, make: Callable[[Chamber], Sequence[Service]], test: Callable[[Chamber], Awaitable[None]]
    ) -> None:
        await self.store.start()
        up = asyncio.Event()
        control = await assemble(self.world.board, self.air, self.clock)
        lines = InputLinesService(self.core, control.hardware)
        services = (lines, SoundService(self.core, self.sound, self._open), *make(self))
        loop = self.clock.loop
        air = loop.create_task(self.air.run())
        running = loop.create_task(Services(self.core.bus, self.clock, "media").run(services, up.set))
        try:
            await up.wait()
            await self.clock.sleep(0.05)
            await test(self)
        finally:
            for task in (running, air):
                task.cancel()
            await asyncio.wait((running, air))
            await self.store.close()
            await control.close()
            await self.air.close()
            self.world.close()


def in_the_chamber(
    root: Path, make: Callable[[Chamber], Sequence[Service]], test: Callable[[Chamber], Awaitable[None]]
) -> None:
    """Run a test in virtual time with the sound service and those that `make` makes."""

    async def main(clock: VirtualClock) -> None:
        await Chamber(clock, root).run(make, test)

    virtual_run(main)
