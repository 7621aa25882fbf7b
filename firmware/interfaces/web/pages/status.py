"""Status: what the device is, how it is, what needs attention."""

from __future__ import annotations

from nicegui import ui

from firmware.core.actions import Level
from firmware.core.events import Notice
from firmware.core.vocabulary.device import DevicePhase, Phase
from firmware.interfaces.web.image.device import DeviceImage
from firmware.interfaces.web.parts import Facts, card, grid
from firmware.interfaces.web.settings import PlaceSettings
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

PHASES = {
    Phase.STARTING: N_("starting"),
    Phase.NORMAL: N_("working"),
    Phase.RESTORING: N_("being reset"),
    Phase.UPGRADING: N_("being upgraded"),
    Phase.UPGRADE_FAILED: N_("working, after an upgrade that failed"),
}


async def build(view: View) -> None:
    """The page."""
    if view.may(Level.ADMIN) and (await view.read(PlaceSettings.group))["first_steps"]:
        with ui.element("a").props('href="/wizard"').classes("notice"):
            ui.label(view.say(N_("This device is new. Take the first steps.")))
    with grid():
        with card(view.say(N_("Image"))):
            DeviceImage(view, view.plan)
        _device(view)


def _device(view: View) -> None:
    _ = view.say
    info = view.info
    with card(_(N_("Device"))):
        facts = Facts()
        facts.show(_(N_("Product")), info.product)
        facts.show(_(N_("Model")), info.model)
        facts.show(_(N_("Serial number")), info.serial, tone="mono")
        facts.show(_(N_("Version")), f"{info.version} ({info.slot})")

        def phase(notice: Notice) -> None:
            event = notice.event
            assert isinstance(event, DevicePhase)
            facts.show(_(N_("State")), _(PHASES[event.phase]), tone="good" if event.phase is Phase.NORMAL else "warn")

        view.on(DevicePhase, then=phase)
