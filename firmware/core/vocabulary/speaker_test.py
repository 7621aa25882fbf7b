"""Words of the speaker test: what was heard of each tone, verdicts, and the state of calibration and test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from firmware.core.events import Pulse, State, topic


class Verdict(StrEnum):
    """What a speaker test found; INCONCLUSIVE says nothing of the speaker (hardening row 53)."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Finding(StrEnum):
    """Why a test failed (the first four) or could not tell (the others)."""

    SILENT = "silent"  # nothing of any tone arrives
    QUIETER = "quieter"  # a tone has lost more than the tolerance
    LOUDER = "louder"  # a tone has gained more than the tolerance
    DISTORTED = "distorted"  # overtones that were not there
    NOT_CALIBRATED = "not_calibrated"
    NOISE = "noise"  # the surroundings are too loud beside the tones
    MICROPHONE_DISABLED = "microphone_disabled"
    MICROPHONE_SILENT = "microphone_silent"  # not even its own noise
    OVERDRIVEN = "overdriven"  # the microphone was at its limit
    INTERRUPTED = "interrupted"  # sound was lost on its way out or in


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneFigure:
    """One tone as it was heard: a full-scale sine is 0 dBFS, noise is that of the third of an octave around the tone.

    `calibrated_dbfs` and `change_db` are None where there is no calibration to compare with.
    """

    hz: float
    level_dbfs: float
    noise_dbfs: float
    distortion_percent: float
    calibrated_dbfs: float | None = None
    change_db: float | None = None


class SpeakerTask(StrEnum):
    """What is being done with the tones."""

    CALIBRATION = "calibration"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTestResult:
    """What a test found, with the reasons and the figures."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    tones: tuple[ToneFigure, ...]
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerCalibration:
    """What was heard when the speaker was calibrated."""

    calibrated_at: datetime
    tones: tuple[ToneFigure, ...]


@topic("audio/speaker_test")
@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTestState(State):
    """The speaker test: what runs now, when it was calibrated, and the last result since then or since the start."""

    running: SpeakerTask | None = None
    calibrated_at: datetime | None = None
    result: SpeakerTestResult | None = None


@topic("audio/speaker_test/result")
@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTested(Pulse):
    """A speaker test has ended. Source: manual 000, Send an email if a speaker test fails."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    tones: tuple[ToneFigure, ...]


@topic("audio/speaker_test/calibrated")
@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerCalibrated(Pulse):
    """The speaker was calibrated, or could not be (`findings` say why; then the calibration before stands)."""

    calibrated: bool
    findings: tuple[Finding, ...]
    tones: tuple[ToneFigure, ...]
