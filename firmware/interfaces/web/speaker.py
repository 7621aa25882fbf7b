"""The speaker test on the page: run, calibrate, and what was heard, as a drawing and as figures."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from firmware.core.actions import Level
from firmware.core.events import Notice
from firmware.core.vocabulary.speaker_test import (
    Finding,
    SpeakerCalibration,
    SpeakerTask,
    SpeakerTestResult,
    SpeakerTestState,
    ToneFigure,
    Verdict,
)
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.parts import Table, card, moment
from firmware.interfaces.web.plot import hertz, plot
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

TASKS = {SpeakerTask.CALIBRATION: N_("calibrating"), SpeakerTask.TEST: N_("testing")}
VERDICTS = {
    Verdict.PASSED: N_("The speaker works."),
    Verdict.FAILED: N_("The speaker has failed."),
    Verdict.INCONCLUSIVE: N_("The test says nothing of the speaker."),
}
TONES = {Verdict.PASSED: "good", Verdict.FAILED: "bad", Verdict.INCONCLUSIVE: "warn"}
FINDINGS = {
    Finding.SILENT: N_("nothing is heard"),
    Finding.QUIETER: N_("a tone is quieter than calibrated"),
    Finding.LOUDER: N_("a tone is louder than calibrated"),
    Finding.DISTORTED: N_("the sound is distorted"),
    Finding.NOT_CALIBRATED: N_("not calibrated yet"),
    Finding.NOISE: N_("it is too loud around the device"),
    Finding.MICROPHONE_DISABLED: N_("the microphone is off"),
    Finding.MICROPHONE_SILENT: N_("the microphone hears nothing at all"),
    Finding.OVERDRIVEN: N_("the microphone is at its limit"),
    Finding.INTERRUPTED: N_("the sound was interrupted"),
}


class SpeakerTest:
    """The card."""

    def __init__(self, view: View) -> None:
        self._view = view
        _ = view.say
        with card(_(N_("Speaker test")), wide=True):
            self._said = ui.label().props("role=status")
            with ui.element("div").classes("row quiet") as self._when:
                pass
            with ui.element("div").classes("row"):
                self._run = ui.button(_(N_("Test the speaker")), on_click=self._test)
                self._calibrate = ui.button(_(N_("Calibrate")), on_click=self._calibration).props("outline")
            self._run.set_visibility(view.may(Level.OPERATOR))
            self._calibrate.set_visibility(view.may(Level.ADMIN))
            self._result = ui.element("div")
        view.on(SpeakerTestState, then=self._heard)

    async def _test(self) -> None:
        await self._view.attempt(self._view.ask("speaker_test.run", {}, SpeakerTestResult))

    async def _calibration(self) -> None:
        made = await self._view.attempt(self._view.ask("speaker_test.calibrate", {}, SpeakerCalibration))
        if made is not None:
            self._view.tell(self._view.say(N_("Calibrated.")))

    def _heard(self, notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, SpeakerTestState)
        if gone(notice):
            return
        _ = self._view.say
        for button in (self._run, self._calibrate):
            button.set_enabled(event.running is None)
        self._when.clear()
        with self._when:
            if event.calibrated_at is None:
                ui.label(_(FINDINGS[Finding.NOT_CALIBRATED]))
            else:
                ui.label(_(N_("Calibrated")))
                moment(event.calibrated_at)
        result = event.result
        if event.running is not None:
            self._said.set_text(_(TASKS[event.running]))
            self._said.classes(replace="")
        elif result is not None:
            reasons = ", ".join(_(FINDINGS[each]) for each in result.findings)
            self._said.set_text(f"{_(VERDICTS[result.verdict])} {reasons}".strip())
            self._said.classes(replace=TONES[result.verdict])
        else:
            self._said.set_text("")
        self._result.clear()
        if result is not None and result.tones:
            with self._result:
                self._figures(result.tones)

    def _figures(self, tones: Sequence[ToneFigure]) -> None:
        _, figure = self._view.say, self._view.figure
        plot(tones, _(N_("Level and noise of each tone; the figures are in the table below")))
        heads = (N_("Tone"), N_("Level"), N_("Calibrated"), N_("Change"), N_("Noise"), N_("Distortion"))
        table = Table([_(head) for head in heads])
        for tone in tones:
            with table.row() as say:
                say(hertz(tone.hz))
                say(f"{figure(tone.level_dbfs, '.1f')} dBFS")
                say("–" if tone.calibrated_dbfs is None else f"{figure(tone.calibrated_dbfs, '.1f')} dBFS")
                say("–" if tone.change_db is None else f"{figure(tone.change_db, '+.1f')} dB")
                say(f"{figure(tone.noise_dbfs, '.1f')} dBFS")
                say(f"{figure(tone.distortion_percent, '.1f')} %")
