"""The sound detector on ear and drivers in virtual time: rises, falls, and when it can tell nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from firmware.audio.detection import SoundDetectorService
from firmware.audio.speaker_test import SpeakerTestService
from firmware.core.errors import Invalid
from firmware.core.vocabulary.sound_detection import SoundDetection, SoundFell, SoundPassed, SoundRose
from hal.sim.sound import tone
from tests.unit.audio.chamber import RATE_HZ, Chamber, in_the_chamber


def service(chamber: Chamber) -> tuple[SoundDetectorService, SpeakerTestService]:
    return SoundDetectorService(chamber.core, chamber.sound), SpeakerTestService(chamber.core, chamber.sound)


def state(chamber: Chamber) -> SoundDetection:
    found = chamber.core.bus.state(SoundDetection, "mic")
    assert found is not None
    return found


def told(chamber: Chamber) -> list[SoundRose | SoundFell | SoundPassed]:
    return [fact for fact in chamber.facts if isinstance(fact, SoundRose | SoundFell | SoundPassed)]


def ways(chamber: Chamber) -> list[bool]:
    """Of what was told: whether it was a rise; rises and falls come by turns, each with its passing."""
    facts = told(chamber)
    found = [isinstance(fact, SoundRose) for fact in facts if not isinstance(fact, SoundPassed)]
    assert found == [fact.rising for fact in facts if isinstance(fact, SoundPassed)]
    return found


def test_a_loud_sound_rises_once_and_falls_half_a_second_after_its_end(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        assert (state(chamber).above, state(chamber).listening, state(chamber).alarm_level) == (False, True, 50)
        chamber.air.room.say(tone(RATE_HZ, 700, 2.0, db=-20))
        await chamber.clock.sleep(1.0)
        assert state(chamber).above
        await chamber.clock.sleep(4.0)
        rose, passed, fell, passed_again = told(chamber)
        assert isinstance(rose, SoundRose)
        assert isinstance(fell, SoundFell)
        assert isinstance(passed, SoundPassed)
        assert isinstance(passed_again, SoundPassed)
        assert (rose.input, rose.alarm_level, passed.rising, passed_again.rising) == ("mic", 50, True, False)
        assert 50 <= rose.level <= 72
        assert fell.level < 47
        # The sound, the decay of 15 dB and more by time weighting F, and half a second of quiet.
        assert fell.loud_s == pytest.approx(2.0 + 0.5 + 0.5, abs=0.25)
        assert not state(chamber).above

    in_the_chamber(tmp_path, service, test)


def test_a_sound_below_the_level_is_nothing_and_a_lower_level_makes_it_an_alarm(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        chamber.air.room.say(tone(RATE_HZ, 700, 20.0, db=-45))  # loudness 36
        await chamber.clock.sleep(2.0)
        assert not told(chamber)
        await chamber.patch("audio", mic={"alarm_level": 30})
        await chamber.clock.sleep(0.5)
        assert (state(chamber).above, state(chamber).alarm_level) == (True, 30)
        for wrong in (-1, 101, "loud"):
            with pytest.raises(Invalid, match=r"audio\.mic\.alarm_level"):
                await chamber.patch("audio", mic={"alarm_level": wrong})
        assert state(chamber).alarm_level == 30

    in_the_chamber(tmp_path, service, test)


def test_a_microphone_that_is_off_tells_nothing_neither_loud_nor_quiet(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        chamber.switch(off=True)
        await chamber.clock.sleep(1.0)
        chamber.air.room.say(tone(RATE_HZ, 700, 60.0, db=-20))
        await chamber.clock.sleep(1.0)
        assert (state(chamber).above, state(chamber).listening) == (False, False)
        assert not told(chamber)
        chamber.switch(off=False)
        await chamber.clock.sleep(1.0)
        assert (state(chamber).above, state(chamber).listening) == (True, True)
        chamber.air.unplug()
        await chamber.clock.sleep(0.5)
        assert chamber.core.bus.state(SoundDetection, "mic") is None or not state(chamber).listening

    in_the_chamber(tmp_path, service, test)


async def goes_off(chamber: Chamber) -> None:
    chamber.switch(off=True)


async def goes_away(chamber: Chamber) -> None:
    chamber.air.unplug()


async def is_muted(chamber: Chamber) -> None:
    await chamber.patch("audio", mic={"muted": True})


async def is_turned_off(chamber: Chamber) -> None:
    await chamber.patch("audio", mic={"enabled": False})


@pytest.mark.parametrize("happens", [goes_off, goes_away, is_muted, is_turned_off])
def test_whoever_heard_a_rise_hears_its_fall_also_when_nothing_can_be_heard_any_more(
    tmp_path: Path, happens: Callable[[Chamber], Awaitable[None]]
) -> None:
    async def test(chamber: Chamber) -> None:
        chamber.air.room.say(tone(RATE_HZ, 700, 60.0, db=-20))
        await chamber.clock.sleep(2.0)
        assert ways(chamber) == [True]
        await happens(chamber)
        await chamber.clock.sleep(1.0)
        assert ways(chamber) == [True, False]
        (fell,) = (fact for fact in told(chamber) if isinstance(fact, SoundFell))
        assert (fell.alarm_level, fell.level) == (50, 0)
        assert fell.loud_s == pytest.approx(2.0, abs=0.2)
        assert (state(chamber).above, state(chamber).listening) == (False, False)
        assert fell.cause == state(chamber).id
        await chamber.clock.sleep(5.0)
        assert ways(chamber) == [True, False]

    in_the_chamber(tmp_path, service, test)


def test_the_end_of_the_service_is_the_fall_of_what_was_loud(tmp_path: Path) -> None:
    chambers: list[Chamber] = []

    async def test(chamber: Chamber) -> None:
        chambers.append(chamber)
        chamber.air.room.say(tone(RATE_HZ, 700, 60.0, db=-20))
        await chamber.clock.sleep(1.0)
        assert ways(chamber) == [True]

    in_the_chamber(tmp_path, service, test)
    (chamber,) = chambers
    assert ways(chamber) == [True, False]
    assert chamber.core.bus.state(SoundDetection, "mic") is None


def test_the_speaker_test_ends_what_was_loud_before_it(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        chamber.air.room.say(tone(RATE_HZ, 700, 2.0, db=-20))
        await chamber.clock.sleep(1.0)
        async with asyncio.TaskGroup() as group:
            group.create_task(chamber.act("speaker_test.calibrate"))
            await chamber.clock.sleep(0.3)
            assert ways(chamber) == [True, False]
        await chamber.clock.sleep(1.0)
        assert ways(chamber) == [True, False]

    in_the_chamber(tmp_path, service, test)


def test_another_level_while_it_is_loud_is_no_second_rise_where_the_sound_is_above_it_too(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        chamber.air.room.say(tone(RATE_HZ, 700, 4.0, db=-20))  # loudness 71
        await chamber.clock.sleep(1.0)
        for level in (60, 40):
            await chamber.patch("audio", mic={"alarm_level": level})
            await chamber.clock.sleep(1.0)
            assert ways(chamber) == [True]
            assert (state(chamber).above, state(chamber).alarm_level) == (True, level)
        await chamber.clock.sleep(4.0)
        assert ways(chamber) == [True, False]
        (fell,) = (fact for fact in told(chamber) if isinstance(fact, SoundFell))
        assert (fell.alarm_level, fell.loud_s) == (40, pytest.approx(5.0, abs=0.5))

    in_the_chamber(tmp_path, service, test)


@pytest.mark.parametrize("level", [73, 95])
def test_a_level_above_the_sound_of_now_is_a_fall(tmp_path: Path, level: int) -> None:
    async def test(chamber: Chamber) -> None:
        chamber.air.room.say(tone(RATE_HZ, 700, 60.0, db=-20))  # loudness 71: within the hysteresis of 73
        await chamber.clock.sleep(1.0)
        await chamber.patch("audio", mic={"alarm_level": level})
        await chamber.clock.sleep(1.0)
        assert ways(chamber) == [True, False]
        assert (state(chamber).above, state(chamber).alarm_level) == (False, level)

    in_the_chamber(tmp_path, service, test)


def test_the_tones_of_a_speaker_test_are_no_alarm(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(chamber.act("speaker_test.calibrate"))
            await chamber.clock.sleep(1.5)
            assert not state(chamber).listening
        await chamber.clock.sleep(1.0)
        assert state(chamber).listening
        assert not told(chamber)

    in_the_chamber(tmp_path, service, test)
