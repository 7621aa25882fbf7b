"""Service `speaker_test`: calibrates the speaker, tests it against the calibration, and says what came of it.

Source: manual 000, Calibrate and run a remote speaker test. The calibration goes with the settings of the slot: a
factory default forgets it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import ClassVar

from firmware.audio.sound import Sound
from firmware.audio.speaker_measure import Heard
from firmware.audio.speaker_run import TonePlayer
from firmware.audio.speaker_tones import TonePlan
from firmware.audio.speaker_verdict import Judgement, calibrate, compare
from firmware.core.actions import Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Busy, Invalid, Refused, StationError, Unavailable
from firmware.core.params import Group, param
from firmware.core.store_file import Damaged
from firmware.core.values import decode, encode
from firmware.core.vocabulary.speaker_test import (
    Finding,
    SpeakerCalibrated,
    SpeakerCalibration,
    SpeakerTask,
    SpeakerTested,
    SpeakerTestResult,
    SpeakerTestState,
    Verdict,
)

FILE = "speaker-calibration"

log = logging.getLogger("firmware.audio")


class SpeakerTestSettings(Group):
    """What the speaker test allows."""

    group: ClassVar[str] = "speaker_test"

    tolerance_db: float = param(6.0, "How much a tone may differ from its calibration (dB).", ge=1, le=20)


class SpeakerTestService:
    """Owns `speaker_test.calibrate` and `speaker_test.run`; publishes `SpeakerTestState`."""

    name: ClassVar[str] = "speaker_test"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"speaker", "microphone"})

    def __init__(self, core: Core, sound: Sound, plan: TonePlan | None = None) -> None:
        self._core = core
        self._player = TonePlayer(sound, core.clock, TonePlan() if plan is None else plan)
        self._state = SpeakerTestState()
        self._calibration: SpeakerCalibration | None = None
        self._group: asyncio.TaskGroup | None = None
        self._unread = False

    async def start(self) -> None:
        """Load the calibration and offer the actions."""
        self._core.params.declare(SpeakerTestSettings)
        await self._core.params.load(SpeakerTestSettings)
        await self._load()
        self._core.actions.register(
            "speaker_test.calibrate",
            Nothing,
            self._calibrate,
            summary="Play the test tones and keep what is heard of them, for later tests.",
            level=Level.ADMIN,
            answer=SpeakerCalibration,
        )
        self._core.actions.register(
            "speaker_test.run",
            Nothing,
            self._test,
            summary="Play the test tones and compare them with the calibration.",
            answer=SpeakerTestResult,
        )
        self._core.bus.publish(self._state)

    async def run(self) -> None:
        """Play and listen for whoever asks, until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await asyncio.Event().wait()
        finally:
            self._group = None

    async def stop(self) -> None:
        """A test that runs was broken off with `run`."""

    # the two actions

    async def _calibrate(self, invocation: Invocation) -> SpeakerCalibration:
        heard = await self._hear(SpeakerTask.CALIBRATION, invocation)
        judged = _unheard(heard) if isinstance(heard, Finding) else calibrate(heard)
        if judged.verdict is not Verdict.PASSED:
            self._tell_calibrated(judged, invocation)
            raise Refused("speaker_test.calibrate", f"{_in_words(judged)}; the calibration stays what it was")
        made = SpeakerCalibration(calibrated_at=self._core.clock.utc(), tones=judged.tones)
        await self._core.store.save(FILE, json.dumps(encode(made)).encode())
        self._unread = False
        self._calibration = made
        self._show(replace(self._state, calibrated_at=made.calibrated_at, result=None), invocation)
        self._tell_calibrated(judged, invocation)
        return made

    async def _test(self, invocation: Invocation) -> SpeakerTestResult:
        if self._unread:
            await self._load()
        calibration = self._calibration
        if calibration is None:
            judged = _unheard(Finding.NOT_CALIBRATED)
        else:
            heard = await self._hear(SpeakerTask.TEST, invocation)
            tolerance_db = self._core.params.get(SpeakerTestSettings).tolerance_db
            calibrated = {tone.hz: tone for tone in calibration.tones}
            judged = _unheard(heard) if isinstance(heard, Finding) else compare(heard, calibrated, tolerance_db)
        result = SpeakerTestResult(
            verdict=judged.verdict, findings=judged.findings, tones=judged.tones, ended_at=self._core.clock.utc()
        )
        self._show(replace(self._state, result=result), invocation)
        self._core.bus.publish(
            SpeakerTested(verdict=judged.verdict, findings=judged.findings, tones=judged.tones),
            cause=invocation.cause,
        )
        return result

    async def _hear(self, task: SpeakerTask, invocation: Invocation) -> Heard | Finding:
        """What is heard of the tones. Raises Busy while a test runs, Unavailable, and what the player raises."""
        if self._state.running is not None:
            raise Busy("speaker_test", f"a {self._state.running} runs")
        if self._group is None:
            raise Unavailable("speaker_test", "the service does not run")
        job = self._group.create_task(self._answer(), name=f"speaker {task}")
        self._show(replace(self._state, running=task), invocation)
        try:
            await asyncio.wait([job])
        finally:
            job.cancel()
            try:
                await asyncio.wait([job])  # whoever asked has gone: the tones fade, and the volume comes back
            finally:
                self._show(replace(self._state, running=None), invocation)
        if job.cancelled():
            raise Unavailable("speaker_test", "it was broken off: the service stops")
        answer = job.result()
        if isinstance(answer, StationError):
            raise answer
        return answer

    async def _answer(self) -> Heard | Finding | StationError:
        """A refusal is an answer to who asked, not a failure of the service."""
        try:
            return await self._player.hear()
        except StationError as error:
            return error

    # what it keeps and says

    async def _load(self) -> None:
        try:
            saved = await self._core.store.load(FILE)
        except Damaged:
            saved = None  # the store has raised the alarm; the speaker is as one that was never calibrated
        except Unavailable as error:
            log.error("the calibration of the speaker cannot be read: %s", error)
            self._unread = True
            return
        self._unread = False
        self._calibration = None if saved is None else _calibration_of(saved)
        at = None if self._calibration is None else self._calibration.calibrated_at
        self._show(replace(self._state, calibrated_at=at), None)

    def _tell_calibrated(self, judged: Judgement, invocation: Invocation) -> None:
        fact = SpeakerCalibrated(
            calibrated=judged.verdict is Verdict.PASSED, findings=judged.findings, tones=judged.tones
        )
        self._core.bus.publish(fact, cause=invocation.cause)

    def _show(self, state: SpeakerTestState, invocation: Invocation | None) -> None:
        self._state = state
        self._core.bus.publish(state, cause=None if invocation is None else invocation.cause)


def _unheard(why: Finding) -> Judgement:
    return Judgement(verdict=Verdict.INCONCLUSIVE, findings=(why,), tones=())


def _in_words(judged: Judgement) -> str:
    words = {
        Finding.SILENT: "nothing is heard of the tones",
        Finding.DISTORTED: "the speaker distorts",
        Finding.NOISE: "the surroundings are too loud",
        Finding.MICROPHONE_DISABLED: "the microphone is disabled",
        Finding.MICROPHONE_SILENT: "the microphone hears nothing, not even its own noise",
        Finding.OVERDRIVEN: "the microphone is overdriven",
        Finding.INTERRUPTED: "sound was lost on its way",
    }
    return ", ".join(words.get(finding, finding.value) for finding in judged.findings)


def _calibration_of(saved: bytes) -> SpeakerCalibration | None:
    try:
        return decode(SpeakerCalibration, json.loads(saved), where=FILE)
    except (ValueError, Invalid) as error:
        log.error("the calibration of the speaker cannot be used: %s", error)
        return None
