"""Time and location: the device's clock, its time zone, and what people call the place."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo, available_timezones

from nicegui import ui

from firmware.core.events import Notice
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.web.forms import Form
from firmware.interfaces.web.parts import Facts, card, grid, moment
from firmware.interfaces.web.settings import PlaceSettings
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

GROUP = PlaceSettings.group


class Now:
    """The clock of the device: when the page was asked for, or asked again."""

    def __init__(self, view: View, zone: str) -> None:
        self._view = view
        _ = view.say
        with card(_(N_("Time"))):
            self._facts = Facts()
            ui.button(_(N_("Read the clock again")), on_click=lambda: self.show(self._zone)).props("flat")
            ui.label(_(N_("In the time zone of this browser:"))).classes("quiet")
            self._here = ui.element("div")
        self.show(zone)

    def show(self, zone: str) -> None:
        """Read and show it in the time zone of the place."""
        self._zone = zone
        _ = self._view.say
        clock = self._view.core.clock
        now = clock.utc()
        local = now.astimezone(ZoneInfo(zone))
        ahead = local.utcoffset() or timedelta()
        self._facts.show(_(N_("At the device")), f"{local:%Y-%m-%d %H:%M:%S}", tone="mono")
        self._facts.show(_(N_("Time zone")), f"{zone} (UTC{ahead.total_seconds() / 3600:+g} h)")
        trusted = clock.trusted()
        said = _(N_("set")) if trusted else _(N_("not set since the start: entries with limits of time are refused"))
        self._facts.show(_(N_("Clock")), said, tone="good" if trusted else "bad")
        self._here.clear()
        with self._here:
            moment(now)


async def build(view: View) -> None:
    """The page."""
    _ = view.say
    values = await view.read(GROUP)
    with grid():
        now = Now(view, str(values["time_zone"]))
        with card(_(N_("Location"))):
            form = Form(view, GROUP)
            form.text("name", _(N_("What people call this device")), str(values["name"]))
            zones = sorted(available_timezones())
            zone = form.choice("time_zone", _(N_("Time zone")), {name: name for name in zones}, values["time_zone"])
            zone.element.props["use-input"] = True

            async def save() -> None:
                form.show(await view.change(GROUP, form.changed()))
                view.tell(_(N_("Saved.")))

            form.buttons(_(N_("Save")), save)

    async def again() -> None:
        found = await view.read(GROUP)
        form.show(found, keep=True)
        now.show(str(found["time_zone"]))

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, ParamsChanged)
        if event.group == GROUP:
            view.begin(again())

    view.on(ParamsChanged, then=heard)
