"""Audio: gain, mute and level of outputs and inputs, audio clips, the speaker test (manual 000, Audio)."""

from __future__ import annotations

from nicegui import ui

from firmware.core.actions import Level, Nothing
from firmware.core.events import Notice
from firmware.core.vocabulary.audio import METER_FLOOR_DBFS, InputState, LevelState, OutputState
from firmware.interfaces.web.clips import Clips
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.forms import Field, Form
from firmware.interfaces.web.parts import Facts, card, grid
from firmware.interfaces.web.shapes import Kind, Shape
from firmware.interfaces.web.speaker import SpeakerTest
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_


class Port:
    """One output or input: how it is, how loud, and what people set of it."""

    def __init__(self, view: View, state: OutputState | InputState) -> None:
        self._view = view
        _ = view.say
        output = isinstance(state, OutputState)
        self._node = state.output if isinstance(state, OutputState) else state.input
        self._action = "audio.set_output" if output else "audio.set_input"
        self._key = "output" if output else "input"
        kind = _(N_("Output {name}")) if output else _(N_("Input {name}"))
        with card(kind.format(name=state.name)):
            self._facts = Facts()
            self._meter = ui.element("meter")
            for name, value in (("min", METER_FLOOR_DBFS), ("max", 0), ("low", -20), ("high", -3), ("optimum", -30)):
                self._meter.props[name] = value
            self._meter.props["value"] = METER_FLOOR_DBFS
            self._meter.props["aria-label"] = _(N_("Level of {name} (dBFS)"), name=state.name)
            self._level = ui.label().classes("mono quiet")
            self._form = Form(view, "audio")
            self._form.alias = {self._node: "gain_db"}
            if view.may(Level.OPERATOR):
                self._settings(state)
        self.show(state)

    def _settings(self, state: OutputState | InputState) -> None:
        _ = self._view.say
        if isinstance(state, InputState):
            self._form.switch("enabled", _(N_("On")), state.enabled)
        gain = Shape(kind=Kind.NUMBER)
        self._form.add("gain_db", lambda: Field(gain, _(N_("Gain (dB)"))), state.gain_db)
        self._form.switch("muted", _(N_("Muted")), state.muted)
        self._form.buttons(_(N_("Save")), self._save)

    async def _save(self) -> None:
        await self._view.ask(self._action, {self._key: self._node, **self._form.changed()}, Nothing)
        self._form.show(self._form.values())
        self._view.tell(self._view.say(N_("Saved.")))

    def show(self, state: OutputState | InputState) -> None:
        """Say how it is now."""
        _ = self._view.say
        name = _(N_("State"))
        if not state.present:
            self._facts.show(name, _(N_("the sound card is not there")), tone="bad")
        elif isinstance(state, OutputState):
            playing = ", ".join(state.playing)
            self._facts.show(name, _(N_("plays: {what}"), what=playing) if playing else _(N_("quiet")))
        elif state.switched_off:
            self._facts.show(name, _(N_("off by the switch of the device")), tone="warn")
        else:
            self._facts.show(name, _(N_("hears")) if state.hears else _(N_("hears nothing")))
        self._facts.show(_(N_("Gain")), f"{self._view.figure(state.gain_db)} dB")
        self._facts.show(_(N_("Muted")), _(N_("yes")) if state.muted else _(N_("no")))
        values = {"gain_db": state.gain_db, "muted": state.muted}
        if isinstance(state, InputState):
            values["enabled"] = state.enabled
        self._form.show(values, keep=True)

    def loud(self, level: LevelState) -> None:
        """Say how loud it is."""
        self._meter.props["value"] = level.rms_dbfs
        self._meter.update()
        rms, peak = (self._view.figure(value, "") for value in (level.rms_dbfs, level.peak_dbfs))
        self._level.set_text(f"{rms} dBFS, {self._view.say(N_('peak'))} {peak} dBFS")


async def build(view: View) -> None:
    """The page."""
    ports: dict[str, Port] = {}
    with grid():
        place = ui.element("div").classes("grid wide")
        if "speaker" in view.info.capabilities:
            Clips(view)
            if "microphone" in view.info.capabilities:
                SpeakerTest(view)

    def port(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, OutputState | InputState)
        node = event.output if isinstance(event, OutputState) else event.input
        if gone(notice):
            return
        if node in ports:
            ports[node].show(event)
            return
        with place:
            ports[node] = Port(view, event)

    def level(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, LevelState)
        if event.port in ports and not gone(notice):
            ports[event.port].loud(event)

    view.on(OutputState, InputState, then=port)
    view.on(LevelState, then=level)
