"""A house for clips in virtual time: the real service, mixer, speaker driver and store; only the card is not real."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware.audio.clips.service import ClipsService
from firmware.audio.settings import OutputFacts
from firmware.audio.sound import Sound
from firmware.core.actions import ActionTable, Caller, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.clips import ClipAddParams, ClipState, ClipView
from hal.drivers.audio_out import AudioOut
from hal.drivers.sound import Gain
from hal.errors import BusError
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.audio.card import Card

OPERATOR = Caller("olga", Level.OPERATOR, "api")
RATE_HZ = 48_000


class House:
    """One start of the service on a state directory."""

    def __init__(self, root: Path, clock: VirtualClock) -> None:
        self.clock = clock
        self.root = root
        self.spool = root / "spool"
        self.events: list[Event] = []
        self.bus = Bus(clock, role="media", boot=secrets.token_hex(4))
        self.bus.tap(lambda notice: self.events.append(notice.event))
        self.store = Store(root / "media", clock, alarm=lambda *what: None)
        actions = ActionTable()
        params = Params(self.store, self.bus, lambda file, why: None)
        self.core = Core(
            role="media",
            clock=clock,
            bus=self.bus,
            actions=actions,
            link=LocalLink(actions, params),
            params=params,
            store=self.store,
            shared=self.store,
        )
        self.sound = Sound([OutputFacts(node="speaker1", alias="horn", gain_range_db=(-40.0, 12.0))], [])
        self.card = Card(clock)
        gain = Gain("speaker1", RATE_HZ, (-40.0, 12.0))
        self._speaker = AudioOut("speaker1", self.card, rate_hz=RATE_HZ, channels=1, gain=gain)
        self.service = ClipsService(self.core, self.sound, self.spool)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[House]:
        """Start, serve, stop."""
        await self.store.start()
        mixer = self.clock.loop.create_task(self.sound.mixers["speaker1"].run(self._speaker))
        await self.service.start()
        service = self.clock.loop.create_task(self.service.run())
        try:
            await self.clock.sleep(0.001)
            yield self
        finally:
            for task in (service, mixer):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, BusError):
                    await task
            await self.service.stop()
            await self._speaker.close()
            await self.store.close()

    async def ask(self, action: str, /, *, cause: str | None = None, **words: Any) -> Any:
        """An action as an operator; the answer as JSON values."""
        return await self.core.link.command(action, words, OPERATOR, cause=cause)

    async def add(self, file: bytes, filename: str = "bell.wav", name: str | None = None) -> ClipView:
        """A file comes as from the network role."""
        spooled = secrets.token_hex(16)
        self.spool.mkdir(exist_ok=True)
        (self.spool / spooled).write_bytes(file)
        params = ClipAddParams(spool=spooled, filename=filename, name=name)
        return await self.core.link.invoke(Invocation(action="clip.add", params=params, caller=OPERATOR), ClipView)

    def clips(self) -> dict[str, ClipState]:
        """What there is, by name."""
        return {state.name: state for state in self.bus.states(ClipState)}

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def files(self) -> set[str]:
        """The names in the folder of the clips."""
        return {path.name for path in (self.root / "media" / "clips").iterdir()}

    def pcm(self, clip: str) -> npt.NDArray[np.float64]:
        """The sound of a clip as it is kept, full scale 1."""
        return np.frombuffer((self.root / "media" / "clips" / f"{clip}.pcm").read_bytes(), "<i2") / 32768

    async def silence(self) -> npt.NDArray[np.float64]:
        """Wait until nothing plays; what has been heard, from its first sample that is not silent to its last."""
        await self.clock.sleep(0.5)
        heard = self.card.out
        loud = np.flatnonzero(heard)
        return heard[loud[0] : loud[-1] + 1] if len(loud) else heard[:0]


def in_the_house(
    tmp_path: Path, *tests: Callable[[House], Awaitable[None]], between: Callable[[Path], None] = lambda root: None
) -> None:
    """Run tests in virtual time, each in a start of its own on the same state directory."""

    async def main(clock: VirtualClock) -> None:
        for number, test in enumerate(tests):
            if number:
                between(tmp_path)
            async with House(tmp_path, clock).running() as house:
                await test(house)

    virtual_run(main)
