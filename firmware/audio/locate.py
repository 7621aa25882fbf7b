"""Service `locate`: while the device is to be found, its speakers call.

The state `device/identify` says when (`device.locate` sets it); the lights follow it in control. Source: manual 000,
Locate device.
"""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar

import numpy as np

from firmware.audio.mixer import Mixer, Priority
from firmware.audio.pcm import PERIOD, RATE_HZ, Mono
from firmware.audio.sound import Sound
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.device import IdentifyState

VOICE = "locate"
# Three rising notes and a pause, once in 1.2 s: easy to tell from a bell, and from where it comes.
NOTES_HZ = (880.0, 1320.0, 1760.0)
NOTE_S, PAUSE_S, FADE_S = 0.12, 0.84, 0.010
LEVEL_DBFS = -12.0
DUCK_DB = 20.0
AGAIN_S = 1.0

log = logging.getLogger("firmware.audio")


def call() -> Mono:
    """One call: the notes and the pause after them."""
    frames = round(NOTE_S * RATE_HZ)
    at = np.arange(frames)
    ramp = np.minimum(1.0, (at + 1) / (FADE_S * RATE_HZ))
    shape = 10 ** (LEVEL_DBFS / 20) * ramp * ramp[::-1]
    notes = [shape * np.sin(2 * np.pi * hz / RATE_HZ * at) for hz in NOTES_HZ]
    return np.concatenate([*notes, np.zeros(round(PAUSE_S * RATE_HZ))]).astype(np.float32)


class LocateService:
    """Plays the call on every speaker, at the volume that people have set."""

    name: ClassVar[str] = "locate"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"speaker"})

    def __init__(self, core: Core, sound: Sound) -> None:
        self._core = core
        self._sound = sound
        self._wanted = asyncio.Event()
        self._call = call()

    async def start(self) -> None:
        """Silent until a state says otherwise."""
        self._wanted.clear()

    async def run(self) -> None:
        """Call while the state says so, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for node, mixer in self._sound.mixers.items():
                group.create_task(self._call_on(mixer), name=f"locate {node}")
            with self._core.bus.subscribe(IdentifyState) as states:
                async for notice in states:
                    state = notice.event
                    wanted = isinstance(state, IdentifyState) and state.active and state.sound
                    self._wanted.set() if wanted else self._wanted.clear()

    async def stop(self) -> None:
        """The calls end with `run`."""
        self._wanted.clear()

    async def _call_on(self, mixer: Mixer) -> None:
        while True:
            await self._wanted.wait()
            try:
                await self._calls(mixer)
            except StationError as error:
                # Without its card now, or too much plays: the light still shows which device it is.
                log.warning("%s: no call to be located by: %s", mixer.name, error)
                await self._core.clock.sleep(AGAIN_S)

    async def _calls(self, mixer: Mixer) -> None:
        """One call after the other; the last is broken off when the state says so."""
        async with mixer.voice(Priority.LOCATE, name=VOICE, duck_db=DUCK_DB) as voice:
            at = 0
            while self._wanted.is_set():
                await voice.play(self._call[at : at + PERIOD])
                at = (at + PERIOD) % len(self._call)
            voice.cancel()
