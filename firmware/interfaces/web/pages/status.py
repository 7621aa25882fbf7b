"""Status: what the device is and how it is, what needs attention, who is looking, what happens just now."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from firmware.core.actions import Level
from firmware.core.events import Notice, State
from firmware.core.vocabulary.access import (
    AccessDenied,
    AccessGranted,
    CardRead,
    DoorAlarm,
    DoorReleased,
    ExitRequested,
    PinEntered,
)
from firmware.core.vocabulary.certificates import HttpState
from firmware.core.vocabulary.clips import PlayingState
from firmware.core.vocabulary.device import ButtonGesture, DevicePhase, IdentifyState, NetworkState, Phase
from firmware.core.vocabulary.security import AnonymousState, LoginFailed, LoginGranted
from firmware.core.vocabulary.speaker_test import SpeakerTestState
from firmware.core.vocabulary.station import ServicePhase, ServiceState, StorageAlarm, UnsafeSetting
from firmware.core.vocabulary.upgrade import UpgradeState
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.image.device import DeviceImage
from firmware.interfaces.web.parts import Facts, card, grid, moment
from firmware.interfaces.web.reasons import ALARMS, STAGES, reason_text
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_, PLACE

PHASES = {
    Phase.STARTING: N_("starting"),
    Phase.NORMAL: N_("working"),
    Phase.RESTORING: N_("being reset"),
    Phase.UPGRADING: N_("being upgraded"),
    Phase.UPGRADE_FAILED: N_("working, after an upgrade that failed"),
}
# What is listed as it happens; the journal has all of it.
SHOWN = (AccessGranted, AccessDenied, CardRead, PinEntered, DoorReleased, ExitRequested, DoorAlarm, ButtonGesture,
         LoginGranted, LoginFailed)  # fmt: skip
TOLD = ("door", "holder", "reader", "credential", "reason", "hold_s", "kind", "button", "gesture", "name", "address")
LINES = 12


async def build(view: View) -> None:
    """The page."""
    _ = view.say
    place = await view.read(PLACE)
    if view.may(Level.ADMIN) and place["first_steps"]:
        with ui.element("a").props('href="/wizard"').classes("notice"):
            ui.label(_(N_("This device is new. Take the first steps.")))
    with grid():
        with card(_(N_("Image")), tall=True):
            DeviceImage(view, view.plan)
        with card(_(N_("Device"))):
            _device(view, str(place["name"]), str(place["time_zone"]))
        with card(_(N_("Security"))):
            _security(view)
        with card(_(N_("Needs attention"))):
            _attention(view)
        with card(_(N_("Going on"))):
            _ongoing(view)
        if view.may(Level.ADMIN):
            with card(_(N_("Open pages"))):
                _visitors(view)
        if view.may(Level.OPERATOR):
            with card(_(N_("Last events")), wide=True):
                _events(view)


def _device(view: View, name: str, zone: str) -> None:
    _ = view.say
    info, clock = view.info, view.core.clock
    facts = Facts()
    if name:
        facts.show(_(N_("Name")), name)
    facts.show(_(N_("Product")), info.product)
    facts.show(_(N_("Model")), info.model)
    facts.show(_(N_("Serial number")), info.serial, tone="mono")
    facts.show(_(N_("Version")), f"{info.version} ({info.slot})")
    facts.moment(_(N_("Time at the device")), clock.utc())
    facts.show(_(N_("Time zone")), zone)
    trusted = _(N_("known")) if clock.trusted() else _(N_("not known: limited entries are refused"))
    facts.show(_(N_("Time of day")), trusted, tone="good" if clock.trusted() else "warn")

    def heard(notice: Notice) -> None:
        match notice.event:
            case DevicePhase() as event:
                tone = "good" if event.phase is Phase.NORMAL else "warn"
                facts.show(_(N_("State")), _(PHASES[event.phase]), tone=tone)
            case NetworkState() as event:
                said = _(N_("connected")) if event.up else _(N_("not connected"))
                facts.show(_(N_("Network")), f"{said} {event.detail}", tone="good" if event.up else "bad")

    view.on(DevicePhase, NetworkState, then=heard)


def _security(view: View) -> None:
    _ = view.say
    facts = Facts()

    def heard(notice: Notice) -> None:
        match notice.event:
            case HttpState() as served:
                secure = served.https or _(N_("off"))
                facts.show("HTTPS", secure, tone="good" if served.https else "warn")
                plain = served.http or _(N_("off"))
                facts.show("HTTP", plain, tone="warn" if served.http else "good")
                if served.fingerprint:
                    facts.show(_(N_("Certificate (SHA-256)")), served.fingerprint, tone="mono")
                if served.warning:
                    facts.show(_(N_("Advice")), view.told(served.warning), tone="warn")
            case AnonymousState() as state:
                open_ = _(N_("yes: anybody may look")) if state.viewing else _(N_("no"))
                facts.show(_(N_("Without log-in")), open_, tone="warn" if state.viewing else "good")

    view.on(HttpState, AnonymousState, then=heard)


def _listed(view: View, nothing: str, tell: Callable[[Notice], str | None], *classes: type[State]) -> None:
    """A list of states that `tell` puts into words (None: not listed); `nothing` where there are none."""
    empty = ui.label(nothing).classes("quiet")
    box = ui.element("div")
    rows: dict[tuple[str, tuple[str, ...]], ui.label] = {}

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, State)
        key = (event.topic, event.key())
        if (old := rows.pop(key, None)) is not None:
            old.delete()
        said = None if gone(notice) else tell(notice)
        if said is not None:
            with box:
                rows[key] = ui.label(said)
        empty.set_visibility(not rows)

    view.on(*classes, then=heard)


def _attention(view: View) -> None:
    _ = view.say

    def tell(notice: Notice) -> str | None:
        match notice.event:
            case UnsafeSetting() as unsafe:
                return _(N_("Unsafe setting: {detail}"), detail=view.told(unsafe.detail))
            case StorageAlarm() as alarm:
                return _(N_("Storage: {what}: {detail}"), what=alarm.what, detail=view.told(alarm.detail))
            case ServiceState(phase=ServicePhase.FAILED) as service:
                return _(
                    N_("Service {name} has failed: {reason}"), name=service.service, reason=view.told(service.reason)
                )
            case DoorAlarm(active=True) as alarm:
                return _(N_("Door {door}: {alarm}"), door=alarm.door, alarm=_(ALARMS[alarm.kind]))
        return None

    _listed(view, _(N_("Nothing.")), tell, UnsafeSetting, StorageAlarm, ServiceState, DoorAlarm)


def _ongoing(view: View) -> None:
    _ = view.say

    def tell(notice: Notice) -> str | None:
        match notice.event:
            case PlayingState(active=True):
                return _(N_("Clips are played."))
            case SpeakerTestState() as test if test.running:
                return _(N_("The speaker is tested."))
            case IdentifyState(active=True):
                return _(N_("The device shows which one it is."))
            case UpgradeState() as upgrade if upgrade.stage.value != "idle":
                return _(
                    N_("Firmware: {stage}, {progress} %"), stage=_(STAGES[upgrade.stage]), progress=upgrade.progress
                )
        return None

    _listed(view, _(N_("Nothing.")), tell, PlayingState, SpeakerTestState, IdentifyState, UpgradeState)


def _visitors(view: View) -> None:
    facts = Facts()
    for number, (name, address) in enumerate(view.visitors(), 1):
        facts.show(f"{number}. {name}", address)


def _events(view: View) -> None:
    rows: list[ui.element] = []
    box = ui.element("div").classes("events").props("role=log")

    def heard(notice: Notice) -> None:
        event = notice.event
        if isinstance(event, State) and not getattr(event, "active", False):
            return
        with box, ui.element("div").classes("row") as row:
            moment(event.at, "clock")
            ui.label(event.topic).classes("mono")
            ui.label(_words(view, notice)).classes("quiet")
        row.move(target_index=0)
        rows.append(row)
        if len(rows) > LINES:
            rows.pop(0).delete()

    view.on(*SHOWN, then=heard)


def _words(view: View, notice: Notice) -> str:
    """What an event says besides its topic; only operators and above are shown it."""
    found = {name: getattr(notice.event, name, None) for name in TOLD}
    if found["reason"]:
        found["reason"] = view.say(reason_text(str(found["reason"])))
    return " ".join(f"{name}={value}" for name, value in found.items() if value not in (None, ""))
