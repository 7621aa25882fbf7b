"""An echo in the simulated room, through cards, mixer, ear and canceller: how much of it is left, second by second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from firmware.audio import InputFacts, OutputFacts, Priority, Sound
from firmware.audio.cleaning import Cleaner, Wishes
from firmware.audio.pcm import Mono16
from firmware.audio.speech import Speech
from hal.buses.speexdsp import SpeexVoice
from hal.sim.sound.measure import Signal
from hal.sounds import InputType, PowerType
from tests.live.sound.studio import Studio
from tests.unit.audio.echo_room import Cleaned, speech


@dataclass
class Desk:
    """Mixer, ear and speech on the cards of a studio."""

    studio: Studio
    sound: Sound
    speech: Speech
    wishes: Wishes


async def at_the_desk(studio: Studio, test: Callable[[Desk], Awaitable[None]]) -> None:
    """Let mixer and canceller run on the cards of the studio, and a test beside them."""
    out = OutputFacts(node="horn", alias="horn", gain_range_db=studio.speaker.gain_range_db)
    inp = InputFacts(
        node="mic",
        alias="mic",
        gain_range_db=studio.microphone.gain_range_db,
        input_types=(InputType.MICROPHONE,),
        power_types=(PowerType.NONE,),
    )
    sound = Sound([out], [inp])
    ear, mixer = sound.ear(), sound.mixer()
    ear.open(studio.microphone)
    desk = Desk(studio, sound, Speech(ear, mixer, SpeexVoice, studio.clock), Wishes(echo_cancellation=True))
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(mixer.run(studio.speaker)),
            group.create_task(desk.speech.run(lambda: desk.wishes)),
        ]
        await studio.passes(0.1)
        await test(desk)
        for task in running:
            task.cancel()
    ear.close()


async def conversation(desk: Desk, s: float, near: Signal | None = None) -> Cleaned:
    """The far end speaks for so long; what the microphone heard of it, at 16 kHz, and what was left of it."""
    far = speech(s, dbfs=-20, seed=1).astype(np.float32)
    frames = round(s * 50)
    plain = Cleaner()
    heard: list[Mono16] = []
    clean: list[Mono16] = []

    async def play() -> None:
        async with desk.sound.mixer().voice(Priority.CALL, name="far end") as voice:
            await voice.play(far)

    async def raw() -> None:
        with desk.sound.ear().listen(depth=1000) as blocks:
            async for block in blocks:
                assert not block.lost
                heard.extend(plain.put(block.samples, np.zeros_like(block.samples)))
                if len(heard) >= frames:
                    return

    async def cleaned() -> None:
        with desk.speech.listen(depth=1000) as speech_frames:
            async for frame in speech_frames:
                assert not frame.lost
                clean.append(frame.samples)
                if len(clean) >= frames:
                    return

    async with asyncio.TaskGroup() as group:
        group.create_task(raw())
        group.create_task(cleaned())
        group.create_task(play())
        if near is not None:
            desk.studio.room.say(near)
    return Cleaned(np.concatenate(heard) / 32768, np.concatenate(clean) / 32768)
