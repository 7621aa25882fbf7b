"""The audio clips on the page: what is kept, what plays, and one more from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from firmware.core.actions import Level, Nothing
from firmware.core.events import Notice
from firmware.core.vocabulary.clips import ClipPlayAnswer, ClipState, ClipStopAnswer, PlayingState
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.parts import Table, ask_first, card, cell
from firmware.interfaces.web.uploads import Upload
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

ACCEPTED = ".wav,.mp3,.ogg,.opus,.au,audio/*"


class Clips:
    """The list and the upload."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._clips: dict[str, ClipState] = {}
        self._playing: frozenset[str] = frozenset()
        _ = view.say
        with card(_(N_("Audio clips")), wide=True):
            self._table = Table((_(N_("Name")), _(N_("Length")), _(N_("Format")), _(N_("State")), ""))
            self._none = ui.label(_(N_("There is no clip yet."))).classes("quiet")
            if view.may(Level.OPERATOR):
                self._upload()
        view.on(ClipState, then=self._heard)
        view.on(PlayingState, then=self._plays)

    def _upload(self) -> None:
        _ = self._view.say

        def done(_answer: Mapping[str, Any]) -> None:
            self._view.tell(_(N_("Added.")))

        form = Upload(self._view, "/clips", done)
        form.file("file", _(N_("Sound file (wav, mp3, ogg, opus, au)")), accept=ACCEPTED)
        form.text("name", _(N_("Name")))
        form.buttons(_(N_("Add")))

    def _heard(self, notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, ClipState)
        if gone(notice):
            self._clips.pop(event.clip, None)
        else:
            self._clips[event.clip] = event
        self._show()

    def _plays(self, notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, PlayingState)
        self._playing = frozenset() if gone(notice) else frozenset(each.clip for each in event.clips)
        self._show()

    def _show(self) -> None:
        self._table.clear()
        for clip in sorted(self._clips.values(), key=lambda each: (each.name.casefold(), each.clip)):
            self._row(clip)
        self._none.set_visibility(not self._clips)

    def _row(self, clip: ClipState) -> None:
        _ = self._view.say
        playing = clip.clip in self._playing
        with self._table.row() as say:
            say(clip.name)
            say(f"{self._view.figure(clip.length_s, '.1f')} s")
            say(f"{clip.format}, {self._view.figure(clip.rate_hz / 1000)} kHz")
            said = _(N_("plays")) if playing else _(N_("ready")) if clip.ready else self._view.told(clip.detail)
            say(said).classes("good" if playing else "" if clip.ready else "bad")
            with cell(), ui.element("div").classes("row"):
                if not self._view.may(Level.OPERATOR):
                    return
                if playing:
                    self._button("stop", _(N_("Stop {name}"), name=clip.name), lambda: self._stop(clip))
                else:
                    self._button("play_arrow", _(N_("Play {name}"), name=clip.name), lambda: self._play(clip))
                self._button("delete", _(N_("Remove {name}"), name=clip.name), lambda: self._remove(clip))

    def _button(self, icon: str, label: str, then: Callable[[], Any]) -> None:
        button = ui.button(icon=icon, on_click=then).props("flat round")
        button.props["aria-label"] = label

    async def _play(self, clip: ClipState) -> None:
        await self._view.attempt(self._view.ask("clip.play", {"clip": clip.clip}, ClipPlayAnswer))

    async def _stop(self, clip: ClipState) -> None:
        await self._view.attempt(self._view.ask("clip.stop", {"clip": clip.clip}, ClipStopAnswer))

    def _remove(self, clip: ClipState) -> None:
        view = self._view
        _ = view.say

        async def agreed() -> None:
            await view.attempt(view.ask("clip.delete", {"clip": clip.clip}, Nothing), done=_(N_("Removed.")))

        question = _(N_("Remove the clip {name} for good?"), name=clip.name)
        ask_first(view, question, yes=_(N_("Remove")), then=agreed)
