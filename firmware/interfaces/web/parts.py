"""Small pieces that pages are made of: cards, lists of facts, tables, times, buttons that ask first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from nicegui import ui
from nicegui.element import Element

from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_


@contextmanager
def card(title: str, *, wide: bool = False, tall: bool = False) -> Iterator[Element]:
    """A card with a heading."""
    words = ("card", "wide" if wide else "", "tall" if tall else "")
    with ui.element("section").classes(" ".join(word for word in words if word)) as box:
        with ui.element("h2"):
            ui.label(title)
        yield box


@contextmanager
def grid() -> Iterator[None]:
    """Cards beside each other, as many as fit."""
    with ui.element("div").classes("grid"):
        yield


class Facts:
    """A list of names and values, the values changeable."""

    def __init__(self) -> None:
        self._list = ui.element("dl").classes("facts")
        self._values: dict[str, ui.label] = {}
        self._rows: dict[str, tuple[Element, Element]] = {}

    def show(self, name: str, value: str, *, tone: str = "") -> None:
        """Add a fact, or change what it says; `tone` is good, warn, bad, quiet, mono or nothing."""
        if name not in self._values:
            with self._list:
                with ui.element("dt") as term:
                    ui.label(name)
                with ui.element("dd") as said:
                    self._values[name] = ui.label()
            self._rows[name] = (term, said)
        self._values[name].set_text(value)
        self._values[name].classes(replace=tone)

    def drop(self, name: str) -> None:
        """Take a fact away; harmless when it is not there."""
        self._values.pop(name, None)
        for element in self._rows.pop(name, ()):
            element.delete()

    def moment(self, name: str, at: datetime) -> None:
        """Add a time, which does not change."""
        with self._list:
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                moment(at)


def moment(at: datetime, style: str = "time") -> Element:
    """A time as the browser writes it: `time`, `date` or `clock` (with milliseconds)."""
    element = ui.element("time")
    element.props["datetime"] = at.isoformat()
    element.props["data-style"] = style
    return element


class Table:
    """A plain table that can be read aloud and scrolls within itself; on a phone every row is a list of its own."""

    def __init__(self, heads: Sequence[str]) -> None:
        self._heads = heads
        self._box = ui.element("div").classes("scroll").props("tabindex=0")
        with self._box, ui.element("table").classes("list").props("role=table"):
            with ui.element("thead").props("role=rowgroup"), ui.element("tr").props("role=row"):
                for head in heads:
                    if not head:  # of the buttons, which say themselves what they do
                        ui.element("td").props("role=cell")
                        continue
                    with ui.element("th").props("scope=col role=columnheader"):
                        ui.label(head)
            self.body = ui.element("tbody").props("role=rowgroup")

    def clear(self) -> None:
        """Take all rows away."""
        self.body.clear()

    @contextmanager
    def row(self) -> Iterator[Callable[[str], ui.label]]:
        """A row; call what it gives with the text of each cell, or open `cell()` inside."""
        with self.body, ui.element("tr") as row:

            def say(text: str) -> ui.label:
                with row, ui.element("td"):
                    return ui.label(text)

            yield say
        # Roles, as a row that is laid out as a list is none to a screen reader any more.
        row.props["role"] = "row"
        for head, each in zip(self._heads, row.default_slot.children, strict=False):
            each.props["role"] = "cell"
            each.props["data-label"] = head


def cell() -> Element:
    """A cell of the row that is open."""
    return ui.element("td")


def ask_first(view: View, question: str, *, yes: str, then: Callable[[], Awaitable[None]], danger: bool = True) -> None:
    """Open a question; `then` when the answer is yes. For what cannot be undone."""
    _ = view.say
    with ui.dialog(value=True) as dialog, ui.card():
        dialog.props["aria-label"] = question
        ui.label(question)

        async def agreed() -> None:
            dialog.close()
            await then()

        with ui.row():
            ui.button(yes, on_click=agreed).props("color=negative" if danger else "color=primary")
            ui.button(_(N_("Cancel")), on_click=dialog.close).props("flat")
    dialog.on("hide", dialog.delete)
