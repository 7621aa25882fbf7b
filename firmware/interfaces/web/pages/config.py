"""Plain config: every parameter of the device, by group, with a search; for administrators."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from firmware.core.errors import StationError
from firmware.core.params import ParamInfo
from firmware.interfaces.web.errors import explained
from firmware.interfaces.web.forms import GroupForm
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

# So many groups open by themselves when a search finds something in them.
OPENED = 4


class Section:
    """One group: its heading, and its form once somebody looks at it."""

    def __init__(self, view: View, group: str, infos: Sequence[ParamInfo]) -> None:
        self._view = view
        self._group = group
        self._infos = infos
        self._form: GroupForm | None = None
        self._wish = ""
        with ui.element("details").classes("card wide") as self.box:
            with ui.element("summary"):
                ui.label(group).classes("mono")
                ui.label(str(len(infos))).classes("quiet")
            self._inside = ui.element("div")
        self.box.on("toggle", self._toggled, js_handler="(event) => { if (event.target.open) emit(); }")

    async def _toggled(self) -> None:
        await self.fill()

    async def fill(self) -> None:
        """Read and show the group, once."""
        if self._form is not None:
            return
        with self._inside:
            try:
                values = await self._view.read(self._group)
                self._form = GroupForm(self._view, self._group, self._infos, values)
            except StationError as error:
                ui.label(explained(self._view, error)).classes("trouble").props("role=alert")
                return
        self._filter()

    def search(self, wish: str) -> bool:
        """Show what fits; whether anything does."""
        self._wish = wish
        fits = any(self._fits(info) for info in self._infos)
        self.box.set_visibility(fits)
        self._filter()
        return fits

    async def unfold(self, unfolded: bool) -> None:
        """Open or close it."""
        if unfolded:
            await self.fill()
        self.box.props["open"] = unfolded
        self.box.update()

    def _filter(self) -> None:
        if self._form is None:
            return
        shown = {info.name for info in self._infos if self._fits(info)}
        for name, field in self._form.fields.items():
            field.row.set_visibility(name.partition(".")[0] in shown)

    def _fits(self, info: ParamInfo) -> bool:
        """Whether every word that was typed is in the name or the meaning of a parameter, in English or as it is read.

        English as well: manuals and programs call it so.
        """
        text = f"{self._group}.{info.name} {info.summary} {self._view.told(info.summary)}".casefold()
        return all(word in text for word in self._wish.casefold().split())


async def build(view: View) -> None:
    """The page."""
    _ = view.say
    link = view.core.link
    ui.label(_(N_("Every parameter of the device. A change is checked and saved by whoever it belongs to."))).classes(
        "quiet"
    )
    search = ui.input(_(N_("Search"))).props("clearable debounce=250 type=search")
    nothing = ui.label(_(N_("No parameter fits."))).props("role=status")
    nothing.set_visibility(False)
    with ui.element("div").classes("grid"):
        sections = [Section(view, group, await link.infos(group)) for group in await link.groups()]

    async def typed() -> None:
        wish = (search.value or "").strip()
        found = [section for section in sections if section.search(wish)]
        nothing.set_visibility(not found)
        for section in sections:
            await section.unfold(bool(wish) and section in found and len(found) <= OPENED)

    search.on_value_change(typed)
