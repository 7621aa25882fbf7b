"""Service `sound_detector`: says when it becomes loud at an audio input, and when quiet again.

Source: manual 000, Detectors, Audio detection. The alarm level is a setting of the input.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from firmware.audio.ear import Ear, EarBlock
from firmware.audio.loudness import Crossing, Crossings, Loudness
from firmware.audio.pcm import PERIODS_PER_S
from firmware.audio.settings import AudioGroup
from firmware.audio.sound import Sound
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.sound_detection import SoundDetection, SoundFell, SoundPassed, SoundRose
from firmware.core.vocabulary.speaker_test import SpeakerTestState

AGAIN_S = 1.0


class SoundDetectorService:
    """Publishes `SoundDetection` of every input, and `SoundRose`, `SoundFell` and `SoundPassed`."""

    name: ClassVar[str] = "sound_detector"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"microphone"})

    def __init__(self, core: Core, sound: Sound) -> None:
        self._core = core
        self._sound = sound
        self._watches: list[_Watch] = []

    async def start(self) -> None:
        """The levels are settings of the inputs, which `sound` has loaded."""

    async def run(self) -> None:
        """Listen at every input until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._watches = [_Watch(self._core, node, ear) for node, ear in self._sound.ears.items()]
            for watch in self._watches:
                group.create_task(watch.run(), name=f"sound detection {watch.node}")

    async def stop(self) -> None:
        """Nothing can be told any more, except that what was loud is over."""
        for watch in self._watches:
            watch.deafen(self._core.clock.now_ns())
        self._watches = []
        for node in self._sound.ears:
            self._core.bus.forget(SoundDetection, node)


class _Watch:
    """One input."""

    def __init__(self, core: Core, node: str, ear: Ear) -> None:
        self._core = core
        self.node = node
        self._ear = ear
        self._loudness = Loudness()
        self._crossings = Crossings(self._alarm_level)

    @property
    def _alarm_level(self) -> int:
        group = self._core.params.find(AudioGroup.group)
        assert isinstance(group, AudioGroup)
        return group.input(self.node).alarm_level

    async def run(self) -> None:
        while True:
            try:
                with self._ear.listen() as blocks:
                    async for block in blocks:
                        self._hear(block)
            except Unavailable:
                self.deafen(self._core.clock.now_ns())
                await self._core.clock.sleep(AGAIN_S)

    def deafen(self, t_ns: int) -> None:
        """Nothing can be heard from now on: that is neither loud nor quiet, and the end of what was loud."""
        self._loudness.forget()
        since_ns = self._crossings.since_ns
        crossing = self._crossings.deafen(t_ns)
        self._crossings.set_level(self._alarm_level)
        state = self._show(listening=False)
        if crossing is not None:
            self._tell(crossing, 0, (t_ns - since_ns) / 1e9, state)

    def _hear(self, block: EarBlock) -> None:
        # What the speaker test plays is loud, and says nothing of the surroundings.
        if not self._ear.hears or self._tested():
            self.deafen(block.t_ns)
            return
        if self._crossings.alarm_level != self._alarm_level:
            self._crossings.set_level(self._alarm_level)
        since_ns = self._crossings.since_ns
        loudness = self._loudness.hear(block.level.rms_dbfs, 1 / PERIODS_PER_S)
        crossing = self._crossings.hear(loudness, block.t_ns)
        state = self._show(listening=True)
        if crossing is not None:
            self._tell(crossing, round(loudness), (block.t_ns - since_ns) / 1e9, state)

    def _tested(self) -> bool:
        state = self._core.bus.state(SpeakerTestState)
        return state is not None and state.running is not None

    def _tell(self, crossing: Crossing, level: int, loud_s: float, state: SoundDetection) -> None:
        bus, alarm_level = self._core.bus, self._crossings.alarm_level
        rising = crossing is Crossing.RISE
        if rising:
            bus.publish(SoundRose(input=self.node, alarm_level=alarm_level, level=level), cause=state)
        else:
            fell = SoundFell(input=self.node, alarm_level=alarm_level, level=level, loud_s=round(loud_s, 2))
            bus.publish(fell, cause=state)
        bus.publish(SoundPassed(input=self.node, alarm_level=alarm_level, level=level, rising=rising), cause=state)

    def _show(self, *, listening: bool) -> SoundDetection:
        state = SoundDetection(
            input=self.node,
            alarm_level=self._crossings.alarm_level,
            above=self._crossings.above,
            listening=listening,
        )
        return self._core.bus.publish(state)
