"""Forms with a file: the browser sends them straight to the native API, with a bar that shows how far it is.

No piece of a file, and nothing else that is written in such a form, passes through the page.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from firmware.core.errors import ERRORS, StationError
from firmware.interfaces.web.errors import explained
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

Done = Callable[[Mapping[str, Any]], Awaitable[None] | None]
# How a form is sent: as it is, or as JSON whose files are in base64.
MULTIPART, JSON = "multipart", "json"


class Upload:
    """One such form. Add fields within `with upload.rows`; `buttons` ends it."""

    def __init__(self, view: View, path: str, done: Done, *, how: str = MULTIPART) -> None:
        """`path` below the native API; `done` is called with the answer when it was taken."""
        self._view = view
        self._done = done
        self.form = ui.element("form").classes("form upload")
        self.form.props["data-path"] = f"/api/v1{path}"
        self.form.props["data-how"] = how
        self.form.on("submit", js_handler="(event) => { event.preventDefault(); lintel.send(event.target); }")
        self.form.on("sent", self._sent, js_handler="(event) => emit(event.detail)")
        with self.form:
            self.rows = ui.element("div").classes("form")
            self._fault = ui.label().classes("bad").props("role=alert")
            self._fault.set_visibility(False)
            self._foot = ui.element("div").classes("row")

    def file(self, name: str, label: str, *, accept: str = "", needed: bool = True, text: bool = False) -> None:
        """Add a field for a file; as JSON one of `text` is sent as it reads."""
        with self.rows:
            field = _labelled(label, "input", name, type="file", required=needed)
            if text:
                field.props["data-as"] = "text"
            if accept:
                field.props["accept"] = accept

    def text(self, name: str, label: str, value: str = "", *, secret: bool = False, needed: bool = False) -> None:
        """Add a field for a text."""
        with self.rows:
            field = _labelled(label, "input", name, type="password" if secret else "text", required=needed)
            field.props["autocomplete"] = "new-password" if secret else "off"
            if value:
                field.props["value"] = value

    def choice(self, name: str, label: str, choices: Mapping[str, str]) -> None:
        """Add a field for one of several; the first is chosen."""
        with self.rows, _labelled(label, "select", name):
            for value, said in choices.items():
                with ui.element("option") as option:
                    option.props["value"] = value
                    ui.label(said)

    def buttons(self, send: str) -> None:
        """Add the button that sends, and the bar."""
        with self._foot:
            ui.button(send).props("type=submit")
            bar = ui.element("progress").props("max=100 value=0 hidden")
            bar.props["aria-label"] = self._view.say(N_("Progress of the upload"))

    async def _sent(self, event: GenericEventArguments) -> None:
        told = event.args if isinstance(event.args, dict) else {}
        self._fault.set_visibility(False)
        body = _object(str(told.get("body", "")))
        status = told.get("status")
        if isinstance(status, int) and 200 <= status < 300:
            answered = self._done(body)
            if answered is not None:
                await answered
            return
        refused = body.get("error")
        if isinstance(refused, dict):
            code, where, message = (str(refused.get(part, "")) for part in ("code", "where", "message"))
            text = explained(self._view, ERRORS.get(code, StationError)(where, message))
        else:
            text = self._view.say(N_("The file did not arrive. Is the device still there?"))
        self._fault.set_text(text)
        self._fault.set_visibility(True)


def _object(text: str) -> dict[str, Any]:
    """The body of an answer; nothing when it is none of the device's."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _labelled(label: str, tag: str, name: str, **props: object) -> Element:
    with ui.element("label").classes("plain"):
        ui.label(label)
        field = ui.element(tag)
    field.props["name"] = name
    for key, value in props.items():
        if value is not False:
            field.props[key] = value
    return field
