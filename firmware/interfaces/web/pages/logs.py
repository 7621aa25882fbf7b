"""Logs and reports: the lines of a log as they come, filtered; the server report; remote system logs."""

from __future__ import annotations

from datetime import datetime

from nicegui import ui

from firmware.core.events import Event, Notice
from firmware.core.vocabulary.logs import LogKind, LogLine, LogPage, Severity, SyslogState, SyslogTest
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.forms import GroupForm
from firmware.interfaces.web.parts import Facts, Table, card, cell, grid, moment
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

PAGE = 100
# Lines that come together are read together.
GATHER_S = 0.5
LOGS = {
    LogKind.SYSTEM: N_("System: what the device does"),
    LogKind.AUDIT: N_("Audit: who changed what"),
    LogKind.ACCESS: N_("Access: who was refused"),
}
SEVERITIES = {
    Severity.EMERGENCY: N_("emergency"),
    Severity.ALERT: N_("alert"),
    Severity.CRITICAL: N_("critical"),
    Severity.ERROR: N_("error"),
    Severity.WARNING: N_("warning"),
    Severity.NOTICE: N_("notice"),
    Severity.INFO: N_("information"),
    Severity.DEBUG: N_("detail"),
}


class Lines:
    """The newest lines of one log."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._limit = PAGE
        self._newest = ""
        self._due = False
        _ = view.say
        with card(_(N_("Logs")), wide=True):
            with ui.element("div").classes("row"):
                named = {kind.value: _(said) for kind, said in LOGS.items()}
                self._log = ui.select(named, value=LogKind.SYSTEM.value, label=_(N_("Log")))
                self._log.props["aria-label"] = _(N_("Log"))
                self._log.on_value_change(self._again)
                self._text = ui.input(_(N_("Only lines with"))).props("clearable debounce=250 maxlength=100")
                self._text.on_value_change(self._again)
                self._live = ui.switch(_(N_("Live")), value=True, on_change=self._again)
            self._table = Table((_(N_("Time")), _(N_("Severity")), _(N_("What happened"))))
            self._none = ui.label(_(N_("No line."))).classes("quiet")
            self._older = ui.button(_(N_("Older lines")), on_click=self._more).props("flat")

    async def _again(self) -> None:
        self._limit, self._newest = PAGE, ""
        await self.show()

    async def _more(self) -> None:
        self._limit, self._newest = min(1000, self._limit + PAGE), ""
        await self.show()

    async def show(self) -> None:
        """Read the log and show what is new."""
        view = self._view
        wish = {"log": self._log.value, "limit": self._limit, "text": self._text.value or ""}
        page = await view.attempt(view.ask("logs.read", wish, LogPage))
        if page is None:
            return
        newest = page.lines[-1].id if page.lines else "none"
        if newest == self._newest:
            return
        self._newest = newest
        self._table.clear()
        for line in reversed(page.lines):
            self._row(line)
        self._none.set_visibility(not page.lines)
        self._older.set_visibility(page.more and self._limit < 1000)

    def _row(self, line: LogLine) -> None:
        with self._table.row() as say:
            with cell():
                moment(datetime.fromisoformat(line.at))
            label = say(self._view.say(SEVERITIES[line.severity]))
            if line.severity <= Severity.WARNING:
                label.classes("bad" if line.severity <= Severity.ERROR else "warn")
            say(line.text)

    def heard(self, notice: Notice) -> None:
        """Something happened: a line may have come of it. Never of what moves all the time, as level meters do."""
        if notice.event.journalled and self._live.value and not self._due and not self._view.dead:
            self._due = True
            self._view.begin(self._soon())

    async def _soon(self) -> None:
        await self._view.core.clock.sleep(GATHER_S)
        self._due = False
        if not self._view.dead:
            await self.show()


async def build(view: View) -> None:
    """The page."""
    _ = view.say
    with grid():
        lines = Lines(view)
        with card(_(N_("Reports"))):
            ui.label(_(N_("What a person who helps from afar needs to know: settings without secrets, states, logs.")))
            for href, text in (
                ("/api/v1/report?format=zip", _(N_("Download the report with logs and a picture"))),
                ("/api/v1/report/crash", _(N_("Download the crash report"))),
                ("/api/v1/trace?duration_s=30", _(N_("Download a network trace of 30 seconds"))),
            ):
                with ui.element("a").classes("link") as link:
                    link.props["href"] = href
                    link.props["download"] = True
                    ui.label(text)
        with card(_(N_("Remote system logs")), wide=True):
            _remote(view)
            await GroupForm.of(view, "syslog", labels={"servers": _(N_("Servers"))})
    await lines.show()
    view.on(Event, then=lines.heard)


def _remote(view: View) -> None:
    _ = view.say
    facts = Facts()

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, SyslogState)
        if gone(notice):
            facts.drop(event.server)
        elif event.reachable:
            facts.show(event.server, _(N_("reached; {count} lines lost"), count=event.dropped), tone="good")
        else:
            facts.show(event.server, view.told(event.reason) or _(N_("not reached")), tone="warn")

    async def test() -> None:
        found = await view.attempt(view.ask("logs.test", {}, SyslogTest))
        if found is None:
            return
        if not found.results:
            view.tell(_(N_("There is no server to send to.")))
        for server, result in found.results.items():
            view.tell(f"{server}: {view.told(result)}")

    view.on(SyslogState, then=heard)
    ui.button(_(N_("Send a test message")), on_click=test).props("outline")
