"""Configuration check: what the readers saw last and what became of it, and a credential tried from afar."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nicegui import ui

from firmware.core.actions import Level
from firmware.core.events import Notice
from firmware.core.values import encode
from firmware.core.vocabulary.access import (
    AccessDenied,
    AccessForwarded,
    AccessGranted,
    CardRead,
    PinEntered,
    QrPresented,
    ReaderNoise,
    ReaderState,
)
from firmware.core.vocabulary.entries import Outcome, PresentAnswer
from firmware.core.vocabulary.station import JournalPage
from firmware.interfaces.web.forms import Form
from firmware.interfaces.web.parts import Table, card, cell, grid, moment
from firmware.interfaces.web.reasons import REASONS, reason_text
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

SEEN = (CardRead, PinEntered, QrPresented, ReaderNoise, AccessGranted, AccessDenied, AccessForwarded)
WHATS = {
    CardRead.topic: N_("Card"),
    PinEntered.topic: N_("PIN"),
    QrPresented.topic: N_("QR code"),
    ReaderNoise.topic: N_("Disturbance"),
    AccessGranted.topic: N_("Granted"),
    AccessDenied.topic: N_("Denied"),
    AccessForwarded.topic: N_("Handed to the controller"),
}
TONES = {AccessGranted.topic: "good", AccessDenied.topic: "bad", ReaderNoise.topic: "warn"}
KINDS = {"card": N_("Card"), "uid": N_("Serial number of a card (UID)"), "pin": N_("PIN"), "qr": N_("QR code")}
OUTCOMES = {
    Outcome.GRANTED: N_("Granted"),
    Outcome.DENIED: N_("Denied"),
    Outcome.PIN_WANTED: N_("Now the PIN is wanted"),
    Outcome.FORWARDED: N_("Handed to the controller"),
}
KEPT = 50
JOURNAL = 300


class Seen:
    """The newest things that readers saw, the newest first."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._early: list[Notice] | None = []  # heard while the journal is read
        _ = view.say
        with card(_(N_("Latest credentials")), wide=True):
            self._table = Table((_(N_("Time")), _(N_("Reader")), _(N_("What")), _(N_("Details"))))
            self._none = ui.label(_(N_("Nothing was held to a reader yet."))).classes("quiet")

    async def past(self) -> None:
        """What the journal knows, and then what was heard meanwhile and is not in it."""
        page = await self._view.attempt(self._view.ask("journal.read", {"limit": JOURNAL}, JournalPage))
        for line in page.lines if page is not None else ():
            if line.topic in WHATS:
                self._add(line.at, line.topic, line.fields)
        known = {line.id for line in page.lines} if page is not None else set()
        early, self._early = self._early or [], None
        for notice in early:
            if notice.event.id not in known:
                self.heard(notice)

    def heard(self, notice: Notice) -> None:
        """Something more."""
        if self._early is not None:
            self._early.append(notice)
            return
        event = notice.event
        self._add(event.at, event.topic, encode(event))

    def _add(self, at: datetime, topic: str, fields: Mapping[str, Any]) -> None:
        self._none.set_visibility(False)
        with self._table.row() as say:
            with cell():
                moment(at)
            say(self._reader(str(fields.get("reader", ""))))
            say(self._view.say(WHATS[topic])).classes(TONES.get(topic, ""))
            say(_details(self._view, fields)).classes("mono")
        rows = self._table.body.default_slot.children
        rows[-1].move(target_index=0)
        while len(rows) > KEPT:
            rows[-1].delete()

    def _reader(self, name: str) -> str:
        """What people call a reader."""
        state = self._view.core.bus.state(ReaderState, name)
        return state.alias or name if state is not None else name


def _details(view: View, fields: Mapping[str, Any]) -> str:
    """What there is to say of it."""
    said = dict(fields)
    if fields.get("reason"):
        reason = str(fields["reason"])
        known = reason_text(reason)
        said["reason"] = view.told(reason) if known == reason else view.say(known)
    if fields.get("trouble"):
        said["trouble"] = view.told(str(fields["trouble"]))
    parts = [str(said[name]) for name in ("credential", "reason", "trouble", "chip", "holder") if said.get(name)]
    fitting = [each for each in fields.get("fitting", ()) if each != fields.get("credential")]
    parts += [f"= {each}" for each in fitting]
    if fields.get("bits") and not fields.get("credential"):
        parts.append(view.say(N_("{count} bit"), count=len(str(fields["bits"]))))
    if fields.get("by") == "check":
        parts.append(f"({view.say(N_('check'))})")
    return " · ".join(parts)


async def build(view: View) -> None:
    """The page."""
    with grid():
        if view.may(Level.ADMIN):
            _check(view)
        seen = Seen(view)
    view.on(*SEEN, then=seen.heard)
    await seen.past()


def _check(view: View) -> None:
    _ = view.say
    readers = {each.reader: each.alias or each.reader for each in view.core.bus.states(ReaderState) if each.door}
    with card(_(N_("Check a credential"))):
        ui.label(
            _(N_("As if it were held to the reader: it answers as it would there. What is granted opens the door."))
        ).classes("warn")
        form = Form(view, "access.check", guarded=False)
        form.choice("reader", _(N_("Reader")), {"": _(N_("The first with a door"))} | readers, "")
        form.choice("kind", _(N_("Kind")), {kind: _(said) for kind, said in KINDS.items()}, "card")
        form.text("value", _(N_("Value")), help_text=_(N_("A card as FORMAT:FACILITY:NUMBER, a UID in hex.")))
        result = ui.label().props("role=status")

        async def check() -> None:
            result.set_text("")
            values = form.values()
            kind = str(values["kind"])
            form.alias = {kind: "value"}
            wish = {"reader": values["reader"], kind: values["value"]}
            answer = await view.ask("access.check", wish, PresentAnswer)
            result.set_text(_said(view, answer))
            result.classes(replace="good" if answer.outcome is Outcome.GRANTED else "warn")

        form.buttons(_(N_("Check")), check, undo=False)


def _said(view: View, answer: PresentAnswer) -> str:
    words = [view.say(OUTCOMES[answer.outcome])]
    if answer.reason is not None and answer.outcome is Outcome.DENIED:
        words.append(view.say(REASONS[answer.reason]))
    if answer.holder:
        words.append(answer.holder)
    return " · ".join(words)
