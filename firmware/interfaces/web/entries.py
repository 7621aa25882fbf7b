"""The entry list on a page: who may pass, with what, how often and until when; new ones with the card read last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nicegui import ui

from firmware.core.actions import Level, Nothing
from firmware.core.errors import Invalid, StationError
from firmware.core.events import Notice
from firmware.core.vocabulary.access import EntriesChanged
from firmware.core.vocabulary.entries import EntryKind, EntryPage, EntryView, LatestCard
from firmware.interfaces.web.forms import Field, Form
from firmware.interfaces.web.parts import Table, ask_first, card, cell, moment
from firmware.interfaces.web.shapes import Kind, Shape
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

PAGE = 50
KINDS = {
    EntryKind.CARD: N_("card"),
    EntryKind.PIN: N_("PIN"),
    EntryKind.CARD_AND_PIN: N_("card and PIN"),
    EntryKind.QR: N_("QR code"),
}


class Entries:
    """The list, a page at a time, and the form for one more."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._offset = 0
        _ = view.say
        with card(_(N_("Entry list")), wide=True):
            heads = (N_("Name"), N_("Opens with"), N_("Card"), N_("Uses left"), N_("From"), N_("Until"))
            self._table = Table((*(_(head) for head in heads), ""))
            with ui.element("div").classes("row"):
                self._back = ui.button(icon="chevron_left", on_click=lambda: self._turn(-PAGE)).props("flat round")
                self._back.props["aria-label"] = _(N_("Previous entries"))
                self._count = ui.label().classes("quiet")
                self._more = ui.button(icon="chevron_right", on_click=lambda: self._turn(PAGE)).props("flat round")
                self._more.props["aria-label"] = _(N_("More entries"))
        if view.may(Level.ADMIN):
            with card(_(N_("Add an entry")), wide=True):
                self._form()
        view.on(EntriesChanged, then=self._heard)

    def _heard(self, _: Notice) -> None:
        self._view.begin(self.show())

    async def _turn(self, by: int) -> None:
        self._offset = max(0, self._offset + by)
        await self.show()

    async def show(self) -> None:
        """Read the page and show it."""
        if not self._view.may(Level.OPERATOR):
            return
        wish = {"offset": self._offset, "limit": PAGE}
        found = await self._view.attempt(self._view.ask("entries.list", wish, EntryPage))
        if found is None:
            return
        self._table.clear()
        for entry in found.entries:
            self._row(entry)
        last = self._offset + len(found.entries)
        first = self._offset + 1 if found.entries else 0
        self._count.set_text(
            self._view.say(N_("{first} to {last} of {total}"), first=first, last=last, total=found.total)
        )
        self._back.set_enabled(self._offset > 0)
        self._more.set_enabled(last < found.total)

    def _row(self, entry: EntryView) -> None:
        _ = self._view.say
        name = f"{entry.name} {entry.last_name}".strip()
        with self._table.row() as say:
            say(name)
            say(_(KINDS[entry.kind]))
            say(entry.card or "").classes("mono")
            say(str(entry.uses_left) if entry.uses_left is not None else _(N_("any number")))
            for at in (entry.valid_from, entry.valid_to):
                with cell():
                    if at is not None:
                        moment(at)
            with cell():
                if self._view.may(Level.ADMIN):
                    button = ui.button(icon="delete", on_click=lambda: self._remove(entry, name)).props("flat round")
                    button.props["aria-label"] = _(N_("Remove {name}"), name=name)

    def _remove(self, entry: EntryView, name: str) -> None:
        _ = self._view.say

        async def gone() -> None:
            await self._view.attempt(self._view.ask("entries.remove", {"id": entry.id}, Nothing))

        ask_first(self._view, _(N_("Remove {name}?"), name=name), yes=_(N_("Remove")), then=gone)

    # one more

    def _form(self) -> None:
        _ = self._view.say
        self._add = form = Form(self._view, "entries.add")
        form.text("name", _(N_("Name")))
        form.text("last_name", _(N_("Last name")))
        form.text("card", _(N_("Card")))
        with form.rows:
            ui.button(_(N_("Get latest card")), icon="contactless", on_click=self._latest).props("outline")
        form.text("pin", _(N_("PIN")), secret=True)
        uses = Shape(kind=Kind.WHOLE, empty=True)
        form.add("uses", lambda: Field(uses, _(N_("Number of uses, empty for any"))), None)
        form.text("valid_from", _(N_("Valid from")))
        form.text("valid_to", _(N_("Valid until")))
        for name in ("valid_from", "valid_to"):
            form.fields[name].element.props("type=datetime-local stack-label")
        form.buttons(_(N_("Add")), self._adding)

    async def _latest(self) -> None:
        try:
            found = await self._view.ask("access.latest", {}, LatestCard)
        except StationError as error:
            self._view.complain(error)
            return
        self._add.fields["card"].element.value = found.card
        if found.holder:
            self._view.tell(self._view.say(N_("This card belongs to {holder}."), holder=found.holder))

    async def _adding(self) -> None:
        wish: dict[str, Any] = {name: value for name, value in self._add.values().items() if value not in ("", None)}
        for name in ("valid_from", "valid_to"):
            if name in wish:
                wish[name] = await self._instant(name, str(wish[name]))
        await self._view.ask("entries.add", wish, EntryView)
        self._add.undo()
        self._view.tell(self._view.say(N_("Added.")))

    async def _instant(self, name: str, local: str) -> str:
        """A time of the browser's clock as an instant. Raises Invalid."""
        try:
            at = datetime.fromisoformat(local)
        except ValueError:
            raise Invalid(f"entries.add.{name}", f"{local[:40]!r} is no time") from None
        parts = f"{at.year}, {at.month - 1}, {at.day}, {at.hour}, {at.minute}, {at.second}"
        return str(await self._view.client.run_javascript(f"new Date({parts}).toISOString()"))
