"""Time and location: the device's clock, its time zone, and what people call the place."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nicegui import ui

from firmware.core.actions import Nothing
from firmware.core.errors import Invalid
from firmware.core.events import Notice
from firmware.core.vocabulary.station import ParamsChanged
from firmware.core.vocabulary.system import ClockSetup
from firmware.core.zones import offered
from firmware.interfaces.web.forms import Form, GroupForm
from firmware.interfaces.web.parts import Facts, card, grid, moment
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_, PLACE

GROUP, CLOCK = PLACE, "clock"
LABELS = {"ntp": N_("Time servers set the clock"), "ntp_servers": N_("Time servers, one a line")}


class Now:
    """The clock of the device: when the page was asked for, or asked again."""

    def __init__(self, view: View, zone: str) -> None:
        self._view = view
        _ = view.say
        with card(_(N_("Time"))):
            self._facts = Facts()
            ui.button(_(N_("Read the clock again")), on_click=self.again).props("flat")
            ui.label(_(N_("In the time zone of this browser:"))).classes("quiet")
            self._here = ui.element("div")
        self.show(zone)

    def again(self) -> None:
        """Read it once more."""
        self.show(self.zone)

    def show(self, zone: str) -> None:
        """Read and show it in the time zone of the place."""
        self.zone = zone
        _ = self._view.say
        clock = self._view.core.clock
        now = clock.utc()
        local = now.astimezone(ZoneInfo(zone))
        ahead = local.utcoffset() or timedelta()
        self._facts.show(_(N_("At the device")), f"{local:%Y-%m-%d %H:%M:%S}", tone="mono")
        self._facts.show(_(N_("Time zone")), f"{zone} (UTC{self._view.figure(ahead.total_seconds() / 3600, '+g')} h)")
        trusted = clock.trusted()
        said = _(N_("set")) if trusted else _(N_("not set since the start: entries with limits of time are refused"))
        self._facts.show(_(N_("Clock")), said, tone="good" if trusted else "bad")
        self._here.clear()
        with self._here:
            moment(now)


def _synced(view: View) -> None:
    _ = view.say
    facts = Facts()

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, ClockSetup)
        servers = _(N_("time servers")) if event.ntp else _(N_("set by hand"))
        facts.show(_(N_("Source")), f"{servers} {event.server}".strip())
        if event.synced is not None:
            said = _(N_("yes")) if event.synced else _(N_("not yet"))
            facts.show(_(N_("Set by a server")), said, tone="good" if event.synced else "")
        if event.trouble:
            facts.show(_(N_("Trouble")), view.told(event.trouble), tone="bad")
        else:
            facts.drop(_(N_("Trouble")))

    view.on(ClockSetup, then=heard)


def _by_hand(view: View, now: Now) -> None:
    """The time at the device, as its own zone writes it; or that of the browser at a press."""
    _ = view.say
    label = _(N_("Date and time at the device, such as 2026-01-31 12:00:00"))
    field = ui.input(label).props("outlined dense").classes("mono")

    async def put(instant: str) -> None:
        done = await view.attempt(view.ask("clock.set", {"now": instant}, Nothing), done=_(N_("The clock is set.")))
        if done is not None:
            now.again()

    async def typed() -> None:
        try:
            local = datetime.strptime(str(field.value).strip(), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the zone follows
        except ValueError:
            view.complain(Invalid("clock.set.now", f"{str(field.value)[:40]!r} is not like 2026-01-31 12:00:00"))
            return
        await put(local.replace(tzinfo=ZoneInfo(now.zone)).isoformat())

    async def browser() -> None:
        await put(str(await view.client.run_javascript("new Date().toISOString()")))

    with ui.element("div").classes("row"):
        ui.button(_(N_("Set the clock")), on_click=typed).props("outline")
        ui.button(_(N_("Take the time of this browser")), on_click=browser).props("flat")


async def build(view: View) -> None:
    """The page."""
    _ = view.say
    values = await view.read(GROUP)
    with grid():
        now = Now(view, str(values["time_zone"]))
        with card(_(N_("Location"))):
            form = Form(view, GROUP)
            form.text("name", _(N_("What people call this device")), str(values["name"]))
            zones = offered(str(values["time_zone"]))
            zone = form.choice("time_zone", _(N_("Time zone")), {name: name for name in zones}, values["time_zone"])
            zone.element.props["use-input"] = True

            async def save() -> None:
                form.show(await view.change(GROUP, form.changed()))
                view.tell(_(N_("Saved.")))

            form.buttons(_(N_("Save")), save)
        with card(_(N_("Time servers"))):
            _synced(view)
            await GroupForm.of(view, CLOCK, labels={name: _(said) for name, said in LABELS.items()})
        with card(_(N_("Set the clock by hand"))):
            _by_hand(view, now)

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
