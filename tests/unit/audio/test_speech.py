"""The ear for speech on drivers in virtual time: who hears what, settings, and devices without the library."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from firmware.audio import Priority
from firmware.audio.cleaning import MakeFilter
from firmware.audio.speech import Hearing, Speech, SpeechFrame
from firmware.audio.speech_service import SpeechService, speeches
from firmware.core.errors import Unavailable
from firmware.core.service import Service
from firmware.core.vocabulary.speech import SpeechState
from hal.buses.speexdsp import SpeexVoice
from hal.errors import BusError
from hal.sim.sound import tone
from tests.unit.audio.chamber import RATE_HZ, Chamber, in_the_chamber
from tests.unit.audio.echo_room import speech as talk


def missing(rate_hz: int, frame: int, tail_ms: int) -> SpeexVoice:
    raise BusError("speexdsp", "libspeexdsp.so.1 cannot be loaded")


class Room:
    """Makes the service and keeps the speech of the one input."""

    def __init__(self, make_filter: MakeFilter = SpeexVoice) -> None:
        self._make_filter = make_filter
        self.speech: Speech

    def __call__(self, chamber: Chamber) -> Sequence[Service]:
        inputs = speeches(chamber.core, chamber.sound, self._make_filter)
        self.speech = inputs["mic"]
        return (SpeechService(chamber.core, inputs),)


async def hear(speech: Speech, frames: int) -> list[SpeechFrame]:
    """So many frames."""
    found: list[SpeechFrame] = []
    with speech.listen() as hearing:
        async for frame in hearing:
            found.append(frame)
            if len(found) == frames:
                break
    return found


async def to_the_end(hearing: Hearing) -> None:
    async for _ in hearing:
        pass


def loudness_db(frames: list[SpeechFrame]) -> float:
    sound = np.concatenate([frame.samples for frame in frames]) / 32768
    return float(10 * np.log10(2 * np.mean(sound * sound) + 1e-12))


def state(chamber: Chamber) -> SpeechState:
    found = chamber.core.bus.state(SpeechState, "mic")
    assert found is not None
    return found


def test_two_listeners_hear_the_same_frames_of_twenty_milliseconds(tmp_path: Path) -> None:
    room = Room()

    async def test(chamber: Chamber) -> None:
        chamber.air.room.say(tone(RATE_HZ, 700, 5.0, db=-20))
        one, two = await asyncio.gather(hear(room.speech, 50), hear(room.speech, 50))
        assert [frame.t_ns for frame in one] == [frame.t_ns for frame in two]
        assert {frame.t_ns - before.t_ns for before, frame in pairwise(one)} == {20_000_000}
        assert {len(frame.samples) for frame in one} == {320}
        assert not any(frame.lost for frame in one)
        assert loudness_db(one[10:]) == pytest.approx(-20, abs=0.3)

    in_the_chamber(tmp_path, room, test)


def test_a_listener_that_is_behind_is_told_how_much_it_missed(tmp_path: Path) -> None:
    room = Room()

    async def test(chamber: Chamber) -> None:
        with room.speech.listen(depth=10) as hearing:
            await chamber.clock.sleep(1.0)
            frames = [await anext(hearing) for _ in range(12)]
        assert sum(frame.lost for frame in frames) > 30
        between_ns = frames[-1].t_ns - frames[0].t_ns
        assert between_ns == 20_000_000 * (len(frames) - 1 + sum(frame.lost for frame in frames[1:]))

    in_the_chamber(tmp_path, room, test)


def test_the_setting_takes_the_echo_away_and_the_state_tells_how_well(tmp_path: Path) -> None:
    room = Room()

    async def test(chamber: Chamber) -> None:
        await chamber.patch("audio", mic={"echo_cancellation": True})

        async def far_end() -> None:
            async with chamber.mixer.voice(Priority.CALL) as voice:
                await voice.play(talk(8.0, dbfs=-20, seed=1).astype(np.float32))

        async with asyncio.TaskGroup() as group:
            group.create_task(far_end())
            begin = await hear(room.speech, 1)
            assert begin
            frames = group.create_task(hear(room.speech, 350))
            await chamber.clock.sleep(6.5)
            shown = state(chamber)
        heard = frames.result()
        assert (shown.available, shown.echo_cancellation, shown.listeners) == (True, True, 1)
        assert shown.echo_loss_db is not None
        assert shown.echo_loss_db > 15
        assert loudness_db(heard[250:350]) < loudness_db(heard[5:50]) - 8

    in_the_chamber(tmp_path, room, test)


def test_without_the_library_sound_comes_as_it_is_and_the_state_says_why(tmp_path: Path) -> None:
    room = Room(missing)

    async def test(chamber: Chamber) -> None:
        await chamber.patch("audio", mic={"noise_cancellation": True})
        await chamber.clock.sleep(3.0)
        assert (state(chamber).available, state(chamber).detail) == (False, "libspeexdsp.so.1 cannot be loaded")
        chamber.air.room.say(tone(RATE_HZ, 700, 5.0, db=-20))
        assert loudness_db((await hear(room.speech, 60))[10:]) == pytest.approx(-20, abs=0.3)

    in_the_chamber(tmp_path, room, test)


def test_a_microphone_that_goes_is_told_to_who_listens(tmp_path: Path) -> None:
    room = Room()

    async def test(chamber: Chamber) -> None:
        with room.speech.listen() as hearing:
            await anext(hearing)
            chamber.air.unplug()
            with pytest.raises(Unavailable, match="no microphone"):
                await to_the_end(hearing)
        assert room.speech.listeners == 0

    in_the_chamber(tmp_path, room, test)


def test_while_nobody_listens_nothing_is_computed(tmp_path: Path) -> None:
    room = Room()

    async def test(chamber: Chamber) -> None:
        await chamber.clock.sleep(1.0)
        assert not chamber.mixer.taps
        assert not chamber.ear.listeners
        await hear(room.speech, 5)
        await chamber.clock.sleep(0.1)
        assert not chamber.mixer.taps
        assert not chamber.ear.listeners

    in_the_chamber(tmp_path, room, test)
