"""The service of the speaker test in virtual time: its actions, what it keeps, and what it leaves as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from firmware.app import kept_by_restore
from firmware.audio import Priority
from firmware.audio.speaker_test import FILE, SpeakerTestService
from firmware.audio.speaker_tones import TonePlan
from firmware.core.errors import Busy, Refused, Unavailable
from firmware.core.vocabulary.speaker_test import (
    Finding,
    SpeakerCalibrated,
    SpeakerTask,
    SpeakerTested,
    SpeakerTestResult,
    SpeakerTestState,
    Verdict,
)
from firmware.paths import StateDir
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Slot
from firmware.upgrade.settings_tree import Keeping, SettingsTrees
from tests.unit.audio.chamber import Chamber, in_the_chamber


def service(chamber: Chamber) -> tuple[SpeakerTestService]:
    return (SpeakerTestService(chamber.core, chamber.sound),)


def state(chamber: Chamber) -> SpeakerTestState:
    found = chamber.core.bus.state(SpeakerTestState)
    assert found is not None
    return found


async def result_of(chamber: Chamber) -> SpeakerTestResult:
    result = await chamber.act("speaker_test.run")
    assert isinstance(result, SpeakerTestResult)
    return result


def said(result: SpeakerTestResult) -> tuple[Verdict, tuple[Finding, ...]]:
    return result.verdict, result.findings


def loudest(chamber: Chamber, since: int = 0) -> float:
    """The highest sample that the card has played from a period on."""
    return max((float(np.abs(block).max()) for block in chamber.air.given[since:]), default=0.0)


def test_it_calibrates_then_passes_and_says_so_in_state_and_events_with_the_cause(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        assert said(await result_of(chamber)) == (Verdict.INCONCLUSIVE, (Finding.NOT_CALIBRATED,))
        assert loudest(chamber) == 0  # nothing is played for an answer that is known
        made = await chamber.act("speaker_test.calibrate")
        assert state(chamber).calibrated_at == made.calibrated_at
        assert state(chamber).result is None  # the one before is not about this calibration
        result = await result_of(chamber)
        assert said(result) == (Verdict.PASSED, ())
        assert [tone.change_db for tone in result.tones] == pytest.approx([0] * 4, abs=0.1)
        assert (state(chamber).running, state(chamber).result) == (None, result)
        told = [fact for fact in chamber.facts if isinstance(fact, SpeakerTested | SpeakerCalibrated)]
        assert [type(fact) for fact in told] == [SpeakerTested, SpeakerCalibrated, SpeakerTested]
        assert {fact.cause for fact in told} == {"b1-api-7"}

    in_the_chamber(tmp_path, service, test)


def test_a_calibration_is_kept_over_a_restart_and_forgotten_with_the_settings(tmp_path: Path) -> None:
    async def first(chamber: Chamber) -> None:
        await chamber.act("speaker_test.calibrate")

    async def then(chamber: Chamber) -> None:
        chamber.air.loss_db = 3.0
        result = await result_of(chamber)
        assert [tone.change_db for tone in result.tones] == pytest.approx([-3] * 4, abs=0.1)
        await chamber.store.remove(FILE)

    async def after(chamber: Chamber) -> None:
        assert state(chamber).calibrated_at is None
        assert said(await result_of(chamber)) == (Verdict.INCONCLUSIVE, (Finding.NOT_CALIBRATED,))

    for test in (first, then, after):
        in_the_chamber(tmp_path, service, test)


@pytest.mark.parametrize("soft", [True, False], ids=["restore", "factory default"])
def test_a_reset_forgets_the_calibration_with_the_settings_of_the_slot(tmp_path: Path, soft: bool) -> None:
    place = StateDir(tmp_path).settings(Slot.A, "media")

    async def first(chamber: Chamber) -> None:
        await chamber.act("speaker_test.calibrate")

    async def after(chamber: Chamber) -> None:
        assert said(await result_of(chamber)) == (Verdict.INCONCLUSIVE, (Finding.NOT_CALIBRATED,))

    in_the_chamber(place, service, first)
    assert any(FILE in path.name for path in place.iterdir())
    trees = SettingsTrees(FileMedium(tmp_path), Keeping(kept=kept_by_restore()))
    trees.renew(Slot.A, "reset-1", soft=soft)
    in_the_chamber(place, service, after)


def test_a_saved_calibration_that_makes_no_sense_is_none_and_a_new_one_mends_it(tmp_path: Path) -> None:
    async def spoil(chamber: Chamber) -> None:
        await chamber.store.save(FILE, b'{"calibrated_at": "yesterday", "tones": []}')

    async def test(chamber: Chamber) -> None:
        assert said(await result_of(chamber)) == (Verdict.INCONCLUSIVE, (Finding.NOT_CALIBRATED,))
        await chamber.act("speaker_test.calibrate")
        assert said(await result_of(chamber)) == (Verdict.PASSED, ())

    in_the_chamber(tmp_path, service, spoil)
    in_the_chamber(tmp_path, service, test)


def test_a_calibration_that_is_refused_says_why_and_the_one_before_stands(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        made = await chamber.act("speaker_test.calibrate")
        chamber.air.faults.add("dead")
        with pytest.raises(Refused, match="nothing is heard of the tones; the calibration stays what it was"):
            await chamber.act("speaker_test.calibrate")
        chamber.air.faults.clear()
        chamber.air.room.noise_dbfs = -14.0
        with pytest.raises(Refused, match="the surroundings are too loud"):
            await chamber.act("speaker_test.calibrate")
        chamber.air.room.noise_dbfs = -75.0
        assert state(chamber).calibrated_at == made.calibrated_at
        told = [fact.findings for fact in chamber.facts if isinstance(fact, SpeakerCalibrated)]
        assert told == [(), (Finding.SILENT,), (Finding.NOISE,)]
        assert said(await result_of(chamber)) == (Verdict.PASSED, ())

    in_the_chamber(tmp_path, service, test)


def test_row_53_volume_and_mute_are_the_tests_own_and_peoples_again_when_the_last_sample_is_out(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        await chamber.act("speaker_test.calibrate")
        await chamber.patch("audio", horn={"gain_db": -30.0, "muted": True}, mic={"muted": True, "gain_db": -20.0})
        assert said(await result_of(chamber)) == (Verdict.PASSED, ())
        begun = len(chamber.air.given)
        async with chamber.mixer.voice(Priority.CLIP) as voice:
            await voice.play(np.full(4800, 0.5, np.float32))
        assert loudest(chamber, begun) == 0  # muted, as people want it
        await chamber.patch("audio", horn={"muted": False})
        async with chamber.mixer.voice(Priority.CLIP) as voice:
            await voice.play(np.full(4800, 0.5, np.float32))
        assert loudest(chamber, begun) == pytest.approx(0.5 * 10 ** (-30 / 20), rel=0.01)

    in_the_chamber(tmp_path, service, test)


def test_one_at_a_time_and_neither_during_a_call(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        await chamber.act("speaker_test.calibrate")
        async with asyncio.TaskGroup() as group:
            running = group.create_task(chamber.act("speaker_test.calibrate"))
            await chamber.clock.sleep(1.0)
            assert state(chamber).running is SpeakerTask.CALIBRATION
            for action in ("speaker_test.run", "speaker_test.calibrate"):
                with pytest.raises(Busy, match="a calibration runs"):
                    await chamber.act(action)
            await running
        async with chamber.mixer.voice(Priority.CALL, name="call 7") as voice:
            await voice.play(np.zeros(4800, np.float32))
            with pytest.raises(Busy, match="'call 7' is on the speaker"):
                await chamber.act("speaker_test.run")
            assert state(chamber).running is None

    in_the_chamber(tmp_path, service, test)


def test_what_plays_beside_it_is_silent_meanwhile_and_does_not_spoil_the_figures(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        await chamber.act("speaker_test.calibrate")
        chance = np.random.default_rng(3)

        async def music() -> None:
            async with chamber.mixer.voice(Priority.CLIP, name="music") as voice:
                while True:
                    await voice.play((0.3 * chance.standard_normal(480)).astype(np.float32))

        async with asyncio.TaskGroup() as group:
            playing = group.create_task(music())
            await chamber.clock.sleep(0.5)
            result = await result_of(chamber)
            playing.cancel()
        assert [tone.change_db for tone in result.tones] == pytest.approx([0] * 4, abs=0.2)
        assert result.verdict is Verdict.PASSED

    in_the_chamber(tmp_path, service, test)


def test_who_asked_and_goes_leaves_silence_and_the_volume_behind(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        await chamber.patch("audio", horn={"gain_db": -30.0})
        asked = asyncio.get_running_loop().create_task(chamber.act("speaker_test.calibrate"))
        await chamber.clock.sleep(0.8)  # in the first tone
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()
        assert state(chamber).running is None
        begun = len(chamber.air.given) + 10
        await chamber.clock.sleep(1.0)
        assert loudest(chamber, begun) == 0
        async with chamber.mixer.voice(Priority.CLIP) as voice:
            await voice.play(np.full(4800, 0.5, np.float32))
        assert loudest(chamber, begun) == pytest.approx(0.5 * 10 ** (-30 / 20), rel=0.01)
        await chamber.act("speaker_test.calibrate")

    in_the_chamber(tmp_path, service, test)


def test_row_53_a_switch_thrown_before_or_meanwhile_is_no_verdict(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        await chamber.act("speaker_test.calibrate")
        chamber.switch(off=True)
        assert said(await result_of(chamber)) == (Verdict.INCONCLUSIVE, (Finding.MICROPHONE_DISABLED,))
        chamber.switch(off=False)
        await chamber.clock.sleep(0.2)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(result_of(chamber))
            await chamber.clock.sleep(1.5)
            chamber.switch(off=True)
        assert said(running.result()) == (Verdict.INCONCLUSIVE, (Finding.MICROPHONE_DISABLED,))

    in_the_chamber(tmp_path, service, test)


def test_a_block_that_was_lost_costs_a_second_try_and_no_verdict(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        await chamber.act("speaker_test.calibrate")
        plan = TonePlan()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(result_of(chamber))
            await chamber.clock.sleep(plan.starts_s()[0] + 0.25)
            chamber.air.lose_next = True
        assert said(running.result()) == (Verdict.PASSED, ())
        seconds = len(chamber.air.given) * 0.01
        assert seconds > 3 * plan.length_s

    in_the_chamber(tmp_path, service, test)


def test_without_its_card_it_is_unavailable_and_no_test_runs(tmp_path: Path) -> None:
    async def test(chamber: Chamber) -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(asyncio.wait_for(_unavailable(chamber), None))
            await chamber.clock.sleep(1.0)
            chamber.air.unplug()
        assert running.result()
        assert state(chamber).running is None
        with pytest.raises(Unavailable):
            await chamber.act("speaker_test.calibrate")

    in_the_chamber(tmp_path, service, test)


async def _unavailable(chamber: Chamber) -> bool:
    with pytest.raises(Unavailable):
        await chamber.act("speaker_test.calibrate")
    return True
