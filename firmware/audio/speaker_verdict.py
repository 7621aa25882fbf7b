"""What a speaker test says: calibrate or compare, as pure functions of what was heard.

Three verdicts, because a microphone that hears nothing and a street that is loud say nothing of the speaker
(hardening row 53).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware.audio.speaker_measure import ABOVE_NOISE_DB, Heard, HeardTone
from firmware.core.vocabulary.speaker_test import Finding, ToneFigure, Verdict

# A microphone that lives has more noise of its own than this; effective, dB of a full-scale sine.
LIVING_DBFS = -93.0
OVERDRIVEN = 1e-4
# Overtones of a tenth of the tone are heard as rattling, where calibration had less than half of them.
DISTORTED, DISTORTED_MORE = 0.10, 2.0
# No calibration is made of a speaker that distorts like this: it would hide the fault for ever.
DISTORTED_ALREADY = 0.30
# Surroundings that are louder than this may hide a speaker; effective, dB of a full-scale sine.
LOUD_DBFS = -50.0
# All tones down by so much: the amplifier or the speaker is dead.
DEAD_DB = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with its reasons and figures."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    tones: tuple[ToneFigure, ...]


def calibrate(heard: Heard) -> Judgement:
    """Whether what was heard can be a calibration: PASSED, or why not."""
    tones = tuple(_figure(tone, None) for tone in heard.tones)
    doubts = _doubts_of_microphone(heard)
    unheard = [tone for tone in heard.tones if not _stands_out(tone)]
    if not doubts and unheard:
        # Nothing but the usual noise: it is the speaker that does not play, not the street that is loud.
        silent = len(unheard) == len(heard.tones) and heard.floor_dbfs < LOUD_DBFS
        doubts = (Finding.SILENT if silent else Finding.NOISE,)
    if not doubts and any(tone.distortion > DISTORTED_ALREADY for tone in heard.tones):
        doubts = (Finding.DISTORTED,)
    return Judgement(verdict=Verdict.INCONCLUSIVE if doubts else Verdict.PASSED, findings=doubts, tones=tones)


def compare(heard: Heard, calibrated: Mapping[float, ToneFigure], tolerance_db: float) -> Judgement:
    """The verdict on a speaker, `calibrated` by frequency; `tolerance_db` is how much a tone may differ.

    What is certain counts first: one tone that is heard well and is wrong fails the test, whatever hides the others.
    """
    tones = tuple(_figure(tone, calibrated.get(tone.hz)) for tone in heard.tones)
    doubts = _doubts_of_microphone(heard)
    if any(tone.change_db is None for tone in tones):
        doubts = (Finding.NOT_CALIBRATED, *doubts)
    if doubts:
        return Judgement(verdict=Verdict.INCONCLUSIVE, findings=doubts, tones=tones)
    clear = [tone for tone in tones if not _hidden(tone)]
    faults = _faults(clear, calibrated, tolerance_db)
    if faults:
        return Judgement(verdict=Verdict.FAILED, findings=faults, tones=tones)
    if len(clear) < len(tones):
        return Judgement(verdict=Verdict.INCONCLUSIVE, findings=(Finding.NOISE,), tones=tones)
    return Judgement(verdict=Verdict.PASSED, findings=(), tones=tones)


def _doubts_of_microphone(heard: Heard) -> tuple[Finding, ...]:
    if heard.overdriven > OVERDRIVEN:
        return (Finding.OVERDRIVEN,)
    if heard.floor_dbfs < LIVING_DBFS and any(tone.level_dbfs < LIVING_DBFS for tone in heard.tones):
        return (Finding.MICROPHONE_SILENT,)
    if any(tone.spoilt for tone in heard.tones):
        return (Finding.INTERRUPTED,)
    return ()


def _stands_out(tone: HeardTone) -> bool:
    return tone.level_dbfs >= tone.noise_dbfs + ABOVE_NOISE_DB


def _hidden(tone: ToneFigure) -> bool:
    """Whether the noise could hide what became of a tone as loud as it was at calibration."""
    assert tone.calibrated_dbfs is not None
    return tone.noise_dbfs > tone.calibrated_dbfs - ABOVE_NOISE_DB


def _faults(
    tones: Sequence[ToneFigure], calibrated: Mapping[float, ToneFigure], tolerance_db: float
) -> tuple[Finding, ...]:
    changes = [tone.change_db for tone in tones if tone.change_db is not None]
    found: list[Finding] = []
    if changes and all(change < -DEAD_DB for change in changes):
        return (Finding.SILENT,)
    if any(change < -tolerance_db for change in changes):
        found.append(Finding.QUIETER)
    if any(change > tolerance_db for change in changes):
        found.append(Finding.LOUDER)
    for tone in tones:
        was = calibrated[tone.hz].distortion_percent
        if tone.distortion_percent > max(100 * DISTORTED, DISTORTED_MORE * was):
            found.append(Finding.DISTORTED)
            break
    return tuple(found)


def _figure(tone: HeardTone, calibrated: ToneFigure | None) -> ToneFigure:
    was = None if calibrated is None else calibrated.level_dbfs
    return ToneFigure(
        hz=tone.hz,
        level_dbfs=round(tone.level_dbfs, 2),
        noise_dbfs=round(tone.noise_dbfs, 2),
        # Noise has no overtones, and beside a tone that is not there it would have many.
        distortion_percent=round(100 * tone.distortion, 2) if _stands_out(tone) else 0.0,
        calibrated_dbfs=was,
        change_db=None if was is None else round(tone.level_dbfs - was, 2) + 0.0,  # never "-0.0"
    )
