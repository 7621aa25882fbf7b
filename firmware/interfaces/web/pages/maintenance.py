"""Maintenance: firmware (upgrade, confirm, roll back), restart, restore, factory default (manuals, Maintenance)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from firmware.core.actions import Nothing
from firmware.core.events import Notice
from firmware.core.vocabulary.upgrade import InstallMode, LastOutcome, UpgradeAnswer, UpgradeStage, UpgradeState
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.parts import Facts, Table, ask_first, card, grid
from firmware.interfaces.web.reasons import STAGES
from firmware.interfaces.web.uploads import Upload
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

SLOTS = {
    "empty": N_("empty"),
    "writing": N_("being written"),
    "staged": N_("installed"),
    "good": N_("good"),
    "invalid": N_("does not work"),
    "retired": N_("whole, but not to go back to"),
}
OUTCOMES = {"ok": N_("succeeded"), "failed": N_("failed"), "reverted": N_("taken back")}
WHATS = {"upgrade": N_("Upgrade"), "rollback": N_("Rollback"), "reset": N_("Reset")}


async def build(view: View) -> None:
    """The page."""
    with grid():
        _firmware(view)
        _upload(view)
        _restart(view)


def _firmware(view: View) -> None:
    _ = view.say
    with card(_(N_("Firmware"))):
        facts = Facts()
        facts.show(_(N_("Version")), view.info.version)
        slots = Table((_(N_("Slot")), _(N_("Version")), _(N_("State"))))
        bar = ui.element("progress").props("max=100")
        bar.props["aria-label"] = _(N_("Progress of the upgrade"))
        trial = ui.element("div").classes("form").props("role=status")
        with trial:
            ui.label(_(N_("This firmware is on trial. Unless it is confirmed in time, the former one comes back.")))
            left = ui.element("strong").classes("mono")
            ui.button(_(N_("Confirm the firmware")), on_click=lambda: _confirm(view))
        back = ui.button(_(N_("Roll back")), on_click=lambda: _roll_back(view)).props("outline")
        for hidden in (bar, trial):
            hidden.set_visibility(False)
        back.set_enabled(False)

        def heard(notice: Notice) -> None:
            event = notice.event
            assert isinstance(event, UpgradeState)
            if gone(notice):
                return
            facts.show(_(N_("Upgrade under way")), _under_way(view, event))
            if event.last is not None:
                tone = "good" if event.last.outcome == "ok" else "warn"
                facts.show(_(N_("Latest change")), _latest(view, event.last), tone=tone)
            slots.clear()
            for slot in event.slots:
                with slots.row() as say:
                    say(f"{slot.slot} {_(N_('(running)')) if slot.slot == event.running else ''}")
                    say(slot.version)
                    say(_(SLOTS.get(slot.state, slot.state)))
            bar.set_visibility(event.stage in (UpgradeStage.CHECKING, UpgradeStage.INSTALLING))
            bar.props["value"] = event.progress
            bar.update()
            trial.set_visibility(event.confirm_left_s is not None)
            if event.confirm_left_s is not None:
                left.props["data-left"] = event.confirm_left_s
                left.update()
            back.set_enabled(event.rollback_ok and event.stage is UpgradeStage.IDLE)

        view.on(UpgradeState, then=heard)


def _under_way(view: View, state: UpgradeState) -> str:
    stage = view.say(STAGES[state.stage])
    return f"{stage} ({state.target})" if state.target else stage


def _latest(view: View, last: LastOutcome) -> str:
    _ = view.say
    what = _(WHATS[last.what]) if last.what in WHATS else last.what
    outcome = _(OUTCOMES[last.outcome]) if last.outcome in OUTCOMES else last.outcome
    why = f" ({view.told(last.why)})" if last.why else ""
    return f"{what}: {last.before} → {last.after}, {outcome}{why}"


async def _confirm(view: View) -> None:
    await view.attempt(view.ask("upgrade.confirm", {}, Nothing), done=view.say(N_("The firmware stays.")))


def _roll_back(view: View) -> None:
    _ = view.say

    async def agreed() -> None:
        answer = await view.attempt(view.ask("upgrade.rollback", {}, UpgradeAnswer))
        if answer is not None:
            view.tell(_(N_("The device restarts into version {version}."), version=answer.version))

    ask_first(
        view,
        _(N_("Go back to the former firmware and the settings it had? Settings changed since then are lost.")),
        yes=_(N_("Roll back")),
        then=agreed,
    )


def _upload(view: View) -> None:
    _ = view.say

    def done(answer: Mapping[str, Any]) -> None:
        view.tell(_(N_("The device restarts into version {version}."), version=answer.get("version", "")))

    with card(_(N_("Upgrade"))):
        form = Upload(view, "/upgrade", done)
        form.file("bundle", _(N_("Firmware file")))
        form.choice(
            "mode",
            _(N_("How")),
            {
                InstallMode.STANDARD.value: _(N_("Keep the settings")),
                InstallMode.AUTOMATIC_ROLLBACK.value: _(N_("Go back unless somebody confirms in time")),
                InstallMode.FACTORY_DEFAULT.value: _(N_("Forget every setting")),
            },
        )
        form.choice(
            "confirm_within_s",
            _(N_("Time to confirm")),
            {str(minutes * 60): _(N_("{count} min"), count=minutes) for minutes in (30, 5, 10, 60, 1440)},
        )
        form.buttons(_(N_("Upload and install")))


def _restart(view: View) -> None:
    _ = view.say
    with card(_(N_("Restart and reset"))):
        for action, label, text, question, danger in (
            (
                "device.restart",
                _(N_("Restart")),
                _(N_("Starts the device anew; no setting changes.")),
                _(N_("Restart the device? Until it is back no reader and no button works.")),
                False,
            ),
            (
                "device.restore",
                _(N_("Restore")),
                _(N_("Resets everything but the network settings.")),
                _(N_("Reset everything but the network settings? Accounts and entries are lost for good.")),
                True,
            ),
            (
                "device.factory_default",
                _(N_("Factory default")),
                _(N_("Resets everything, the network settings as well.")),
                _(N_("Reset everything for good? The device may get another address.")),
                True,
            ),
        ):
            _asking(view, action, label, text, question, danger=danger)


def _asking(view: View, action: str, label: str, text: str, question: str, *, danger: bool) -> None:
    async def agreed() -> None:
        await view.attempt(view.ask(action, {}, Nothing), done=view.say(N_("The device restarts.")))

    with ui.element("div").classes("row apart"):
        ui.label(text)
        button = ui.button(label, on_click=lambda: ask_first(view, question, yes=label, then=agreed, danger=danger))
        button.props("color=negative outline" if danger else "outline")
