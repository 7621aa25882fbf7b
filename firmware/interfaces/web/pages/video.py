"""Video: what each camera sees, a snapshot to keep, tampering, and how pictures are made (manuals 001, 003, 004)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from nicegui import ui

from firmware.core.actions import Level, Nothing
from firmware.core.errors import NotFound, Unavailable
from firmware.core.events import Notice
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.core.vocabulary.watch import TamperingState, TamperKind, TamperPhase
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.forms import GroupForm, part_labels
from firmware.interfaces.web.parts import Facts, card, grid
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

# A live view is for looking, not for recording: so wide at most, so many pictures a second.
LOOK_WIDTH = 800
LOOK_FPS = 10
PHASES = {
    TamperPhase.OFF: N_("off"),
    TamperPhase.NO_SIGNAL: N_("no picture"),
    TamperPhase.LEARNING: N_("learning the scene"),
    TamperPhase.NO_CONTOURS: N_("this scene cannot be recognised"),
    TamperPhase.ARMED: N_("watching"),
}
KINDS = {
    TamperKind.COVERED: N_("the lens is covered"),
    TamperKind.BLURRED: N_("the picture is blurred"),
    TamperKind.MOVED: N_("the camera was moved"),
    TamperKind.DARK: N_("it is too dark"),
}
IMAGE = {
    "brightness": N_("Brightness"),
    "contrast": N_("Contrast"),
    "saturation": N_("Saturation"),
    "sharpness": N_("Sharpness"),
    "mirror": N_("Mirror"),
    "rotate": N_("Turn (degrees)"),
}
VIDEO = {
    "resolution": N_("Resolution"),
    "fps": N_("Pictures per second (0: as many as there are)"),
    "compression": N_("Compression (0: best)"),
}
TAMPERING = {
    "trigger_delay_s": N_("Trigger delay (s)"),
    "trigger_on_dark": N_("Trigger on dark images"),
}


class Camera:
    """One camera."""

    def __init__(self, view: View, source: VideoSource) -> None:
        self._view = view
        self.name = source.source
        self._now = source
        _ = view.say
        path = f"/api/v1/video/{quote(source.alias or source.source, safe='')}"
        self._path = path
        with card(source.alias or source.source):
            self._image = ui.element("img").classes("picture")
            self._image.props["alt"] = _(N_("What camera {name} sees now"), name=source.alias or source.source)
            with ui.element("div").classes("row"):
                self._switch = ui.switch(_(N_("Live view")), value=True, on_change=self._look)
                with ui.element("a").classes("link").props("download") as link:
                    link.props["href"] = f"{path}/snapshot"
                    ui.label(_(N_("Take a snapshot")))
            self._facts = Facts()
            self._relearn = ui.button(_(N_("Learn the scene anew")), on_click=self._learn).props("outline")
        self._relearn.set_visibility(False)

    def show(self, source: VideoSource) -> None:
        """Say how it is."""
        _ = self._view.say
        self._now = source
        running = source.phase is Signal.RUNNING
        signal = _(N_("running")) if running else _(N_("no signal: {reason}"), reason=self._view.told(source.reason))
        self._facts.show(_(N_("Signal")), signal, tone="good" if running else "bad")
        self._facts.show(_(N_("Picture")), f"{source.width} × {source.height}, {self._view.figure(source.fps)}/s")
        self._look()

    def _look(self) -> None:
        wanted = self._switch.value and self._now.phase is Signal.RUNNING
        fps = min(LOOK_FPS, int(self._now.fps)) or 1
        fitting = [size for size in self._now.sizes if int(size.partition("x")[0]) <= LOOK_WIDTH]
        size = f"&resolution={fitting[0]}" if fitting else ""
        self._image.props["data-live"] = f"{self._path}/mjpeg?fps={fps}{size}" if wanted else ""
        self._image.update()

    def watched(self, state: TamperingState) -> None:
        """Say how its tampering detector is."""
        _ = self._view.say
        said = _(PHASES[state.phase])
        if state.tampered:
            said = _(KINDS[state.what]) if state.what is not None else _(N_("tampered with"))
        self._facts.show(_(N_("Tampering")), said, tone="bad" if state.tampered else "")
        self._relearn.set_visibility(self._view.may(Level.OPERATOR))

    async def _learn(self) -> None:
        told = self._view.say(N_("The scene is learned once it has been still for 10 s."))
        await self._view.attempt(self._view.ask("tampering.relearn", {"camera": self.name}, Nothing), done=told)


async def build(view: View) -> None:
    """The page."""
    cameras: dict[str, Camera] = {}
    with grid():
        place = ui.element("div").classes("grid wide")
        if view.may(Level.ADMIN):
            for group, title, labels in (
                ("image", N_("Image"), IMAGE),
                ("video", N_("Stream"), VIDEO),
                ("tampering", N_("Tampering"), TAMPERING),
            ):
                await _settings(view, group, title, labels)
    view.on(VideoSource, then=_sources(view, place, cameras))

    def watched(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, TamperingState)
        if event.camera in cameras and not gone(notice):
            cameras[event.camera].watched(event)

    view.on(TamperingState, then=watched)


def _sources(view: View, place: ui.element, cameras: dict[str, Camera]) -> Callable[[Notice], None]:
    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, VideoSource)
        if gone(notice):
            return
        if event.source not in cameras:
            with place:
                cameras[event.source] = Camera(view, event)
        cameras[event.source].show(event)

    return heard


async def _settings(view: View, group: str, title: str, labels: dict[str, str]) -> None:
    try:
        named = await part_labels(view, group, labels)
    except (NotFound, Unavailable):  # what makes pictures is not there now, or this board has none of it
        return
    with card(view.say(title)):
        await GroupForm.of(view, group, labels=named)
