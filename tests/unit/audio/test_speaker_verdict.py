"""The speaker test without a card: what it says of the simulated room, and of figures it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.audio.speaker_measure import ABOVE_NOISE_DB, Heard, HeardTone, measure
from firmware.audio.speaker_tones import sound_of
from firmware.audio.speaker_verdict import Judgement, calibrate, compare
from firmware.core.vocabulary.speaker_test import Finding, ToneFigure, Verdict
from tests.unit.audio.acoustics import PLAN, RATE_HZ, recording

TOLERANCE_DB = 6.0


@pytest.fixture(scope="module")
def calibrated() -> dict[float, ToneFigure]:
    judged = calibrate(measure(recording(), RATE_HZ, PLAN))
    assert judged.verdict is Verdict.PASSED
    return {tone.hz: tone for tone in judged.tones}


def judged_of(calibrated: dict[float, ToneFigure], **what: object) -> Judgement:
    return compare(measure(recording(**what), RATE_HZ, PLAN), calibrated, TOLERANCE_DB)  # type: ignore[arg-type]


def changes(judged: Judgement) -> list[float]:
    return [tone.change_db for tone in judged.tones if tone.change_db is not None]


@pytest.mark.parametrize(
    ("late_s", "ppm"), [(0.0, 0.0), (0.042, 100.0), (0.333, -200.0), (0.55, 300.0)], ids=["now", "pipe", "late", "last"]
)
def test_a_sound_speaker_passes_within_a_fifth_of_a_decibel_however_late_it_is(calibrated, late_s, ppm):
    judged = judged_of(calibrated, late_s=late_s, ppm=ppm, seed=5)
    assert (judged.verdict, judged.findings) == (Verdict.PASSED, ())
    assert changes(judged) == pytest.approx([0, 0, 0, 0], abs=0.2)


@pytest.mark.parametrize("loss_db", [1.0, 3.0, -3.0])
def test_a_loss_within_the_tolerance_passes_and_is_reported_as_what_it_is(calibrated, loss_db):
    judged = judged_of(calibrated, loss_db=loss_db, seed=6)
    assert judged.verdict is Verdict.PASSED
    assert changes(judged) == pytest.approx([-loss_db] * 4, abs=0.1)


@pytest.mark.parametrize(
    ("fault", "finding"),
    [("muffled", Finding.QUIETER), ("dead", Finding.SILENT), ("distorted", Finding.DISTORTED)],
)
def test_row_53_a_speaker_with_a_fault_fails_for_that_fault(calibrated, fault, finding):
    judged = judged_of(calibrated, faults={fault}, seed=7)
    assert judged.verdict is Verdict.FAILED
    assert finding in judged.findings


def test_a_torn_cone_that_is_as_loud_as_before_fails_by_its_overtones(calibrated):
    torn = judged_of(calibrated, faults={"distorted"}, loss_db=0.0, seed=8)
    loud = {tone.hz: tone for tone in calibrate(measure(recording(loss_db=12.0), RATE_HZ, PLAN)).tones}
    judged = compare(measure(recording(faults={"distorted"}), RATE_HZ, PLAN), loud, TOLERANCE_DB)
    assert judged.findings == (Finding.DISTORTED,)
    assert all(tone.distortion_percent > 20 for tone in torn.tones)


@pytest.mark.parametrize("faults", [set(), {"dead"}], ids=["sound", "dead"])
def test_row_53_loud_noise_is_no_verdict_on_the_speaker(calibrated, faults):
    judged = judged_of(calibrated, noise_dbfs=-14.0, faults=faults, seed=9)
    assert (judged.verdict, judged.findings) == (Verdict.INCONCLUSIVE, (Finding.NOISE,))


def test_row_53_a_microphone_without_even_its_own_noise_is_no_verdict(calibrated):
    heard = measure(np.zeros(RATE_HZ * 5), RATE_HZ, PLAN)
    judged = compare(heard, calibrated, TOLERANCE_DB)
    assert (judged.verdict, judged.findings) == (Verdict.INCONCLUSIVE, (Finding.MICROPHONE_SILENT,))
    assert calibrate(heard).findings == (Finding.MICROPHONE_SILENT,)


@pytest.mark.parametrize("dies_s", [0.2, 1.0, 2.0])
def test_row_53_a_microphone_that_dies_meanwhile_is_no_verdict(calibrated, dies_s):
    sound = recording()
    sound[round(dies_s * RATE_HZ) :] = 0
    judged = compare(measure(sound, RATE_HZ, PLAN), calibrated, TOLERANCE_DB)
    assert (judged.verdict, judged.findings) == (Verdict.INCONCLUSIVE, (Finding.MICROPHONE_SILENT,))


def test_row_53_a_microphone_at_its_limit_is_no_verdict(calibrated):
    judged = judged_of(calibrated, noise_dbfs=-4.0)
    assert (judged.verdict, judged.findings) == (Verdict.INCONCLUSIVE, (Finding.OVERDRIVEN,))


@pytest.mark.parametrize("tone", range(4))
def test_row_53_a_block_that_was_lost_in_a_tone_is_no_verdict(calibrated, tone):
    sound = recording()
    at = round((0.13 + PLAN.starts_s()[tone] + 0.2) * RATE_HZ)
    sound = np.concatenate([sound[:at], sound[at + RATE_HZ // 100 :]])
    judged = compare(measure(sound, RATE_HZ, PLAN), calibrated, TOLERANCE_DB)
    assert (judged.verdict, judged.findings) == (Verdict.INCONCLUSIVE, (Finding.INTERRUPTED,))


def test_without_a_calibration_of_every_tone_there_is_no_verdict(calibrated):
    fewer = {hz: tone for hz, tone in calibrated.items() if hz != PLAN.hz[2]}
    judged = judged_of(fewer)
    assert (judged.verdict, judged.findings) == (Verdict.INCONCLUSIVE, (Finding.NOT_CALIBRATED,))


@pytest.mark.parametrize(
    ("what", "finding"),
    [
        ({"noise_dbfs": -18.0}, Finding.NOISE),
        ({"faults": {"dead"}}, Finding.SILENT),
        ({"faults": {"distorted"}}, Finding.DISTORTED),
    ],
    ids=["noise", "dead", "distorted"],
)
def test_a_calibration_that_would_hide_a_fault_is_refused_with_the_reason(what, finding):
    judged = calibrate(measure(recording(**what), RATE_HZ, PLAN))
    assert (judged.verdict, judged.findings) == (Verdict.INCONCLUSIVE, (finding,))


def test_a_card_of_a_low_rate_carries_only_the_tones_that_it_can():
    assert PLAN.at(8000).hz == PLAN.hz[:3]
    assert PLAN.at(48000) == PLAN


def test_the_tones_stand_in_the_plan_and_their_level_is_that_of_the_plan():
    sound = sound_of(PLAN, RATE_HZ)
    assert len(sound) == round(PLAN.length_s * RATE_HZ)
    heard = measure(np.concatenate([sound, np.zeros(RATE_HZ)]), RATE_HZ, PLAN)
    assert [tone.level_dbfs for tone in heard.tones] == pytest.approx([PLAN.level_dbfs] * 4, abs=0.01)
    assert heard.late_s == 0


def test_a_recording_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="are no recording of the tones"):
        measure(np.zeros(RATE_HZ), RATE_HZ, PLAN)


levels = st.floats(-90, 0)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Heard, dict[float, ToneFigure], float]:
    tones, calibrated = [], {}
    for hz in PLAN.hz:
        was = draw(st.floats(-60, -10))
        calibrated[hz] = ToneFigure(hz=hz, level_dbfs=was, noise_dbfs=-100, distortion_percent=draw(st.floats(0, 8)))
        tones.append(
            HeardTone(
                hz=hz,
                level_dbfs=draw(levels),
                noise_dbfs=draw(levels),
                silence_dbfs=-90,
                distortion=draw(st.floats(0, 1.5)),
            )
        )
    heard = Heard(tones=tuple(tones), floor_dbfs=-70, overdriven=0, late_s=0)
    return heard, calibrated, draw(st.floats(1, 20))


@given(situations())
def test_no_speaker_passes_with_a_tone_outside_the_tolerance_or_hidden_by_noise(situation):
    heard, calibrated, tolerance_db = situation
    judged = compare(heard, calibrated, tolerance_db)
    inside = all(abs(tone.level_dbfs - calibrated[tone.hz].level_dbfs) <= tolerance_db + 0.01 for tone in heard.tones)
    clear = [tone for tone in heard.tones if tone.noise_dbfs <= calibrated[tone.hz].level_dbfs - ABOVE_NOISE_DB + 0.01]
    if judged.verdict is Verdict.PASSED:
        assert inside
        assert len(clear) == len(heard.tones)
    if judged.verdict is Verdict.FAILED:
        assert clear, "a verdict needs at least one tone that noise cannot hide"
    assert (judged.verdict is Verdict.PASSED) == (not judged.findings)
    assert len(judged.tones) == len(heard.tones)
