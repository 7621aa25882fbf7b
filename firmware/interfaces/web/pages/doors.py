"""Door and I/O ports: what doors, relays and terminals are and do, worked by hand, set by administrators."""

from __future__ import annotations

from nicegui import ui

from firmware.core.actions import Level, Nothing
from firmware.core.events import Notice
from firmware.core.vocabulary.access import DoorAlarm, DoorAlarmKind, DoorState, Position
from firmware.core.vocabulary.io import PortState, RelayChanged, RelayTrouble
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.forms import GroupForm, part_labels
from firmware.interfaces.web.parts import Facts, card, grid
from firmware.interfaces.web.plan import Kind
from firmware.interfaces.web.reasons import ALARMS
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_
from hal.types import Direction, LoopState

POSITIONS = {Position.OPEN: N_("open"), Position.CLOSED: N_("closed"), Position.UNKNOWN: N_("not known")}
CIRCUITS = {
    LoopState.OPEN: N_("open"),
    LoopState.CLOSED: N_("closed"),
    LoopState.CUT: N_("cut"),
    LoopState.SHORT: N_("short circuit"),
}
DIRECTIONS = {Direction.INPUT: N_("input"), Direction.OUTPUT: N_("output")}

TIMES = {
    "hold_s": N_("Seconds released"),
    "repeat": N_("Released again meanwhile"),
    "grace_s": N_("Seconds to close after that"),
    "held_open_s": N_("Seconds open until it is held open"),
    "exit_stuck_s": N_("Seconds until the exit button is stuck"),
}
PORTS = {
    "name": N_("Name"),
    "direction": N_("Direction"),
    "normal": N_("Normal state"),
    "supervised": N_("Supervised"),
}
SETTINGS = (
    ("doors", N_("Times and alarms of the door"), TIMES),
    ("ports", N_("Settings of the ports"), PORTS),
)


async def build(view: View) -> None:
    """The page."""
    _ = view.say
    groups = await view.core.link.groups()
    with grid():
        for door in view.plan.doors:
            with card(_(N_("Door {door}"), door=door)):
                _door(view, door)
        for relay in view.plan.of(Kind.RELAY):
            if not relay.door:
                with card(_(N_("Relay {name}"), name=relay.title)):
                    _relay(view, relay.name, relay.title)
        for port in view.plan.of(Kind.PORT):
            with card(_(N_("Port {name}"), name=port.title)):
                _port(view, port.name, port.title)
        if view.may(Level.ADMIN):
            for group, title, parts in SETTINGS:
                if group in groups:
                    with card(_(title)):
                        await GroupForm.of(view, group, labels=await part_labels(view, group, parts))


def _door(view: View, door: str) -> None:
    _ = view.say
    facts = Facts()
    alarms: dict[DoorAlarmKind, str] = {}

    def heard(notice: Notice) -> None:
        match notice.event:
            case DoorState(door=name) as state if name == door:
                facts.show(_(N_("Leaf")), _(POSITIONS[state.position]))
                strike = _(N_("released")) if state.released else _(N_("locked"))
                facts.show(_(N_("Strike")), strike, tone="good" if state.released else "")
            case DoorAlarm(door=name) as alarm if name == door:
                alarms.pop(alarm.kind, None)
                if alarm.active and not gone(notice):
                    alarms[alarm.kind] = f"{_(ALARMS[alarm.kind])} {view.told(alarm.detail)}".strip()
                said = ", ".join(alarms.values())
                facts.show(_(N_("Alarms")), said or _(N_("none")), tone="bad" if said else "")

    view.on(DoorState, DoorAlarm, then=heard)
    if view.may(Level.OPERATOR):
        with ui.element("div").classes("row"):
            _deed(view, _(N_("Open {name}"), name=door), "door.release", {"door": door}, icon="lock_open")
            _deed(view, _(N_("Lock {name}"), name=door), "door.lock", {"door": door}, icon="lock")


def _relay(view: View, relay: str, title: str) -> None:
    _ = view.say
    facts = Facts()

    def heard(notice: Notice) -> None:
        match notice.event:
            case RelayChanged(relay=name) as state if name == relay:
                facts.show(_(N_("State")), _(N_("on")) if state.on else _(N_("off")), tone="good" if state.on else "")
            case RelayTrouble(relay=name) as trouble if name == relay and trouble.stuck:
                facts.show(_(N_("Trouble")), _(N_("does not follow its command")), tone="bad")

    view.on(RelayChanged, RelayTrouble, then=heard)
    if view.may(Level.OPERATOR):
        with ui.element("div").classes("row"):
            _deed(view, _(N_("Switch {name} on"), name=title), "relay.set", {"relay": relay, "on": True})
            _deed(view, _(N_("Switch {name} off"), name=title), "relay.set", {"relay": relay, "on": False})


def _port(view: View, port: str, title: str) -> None:
    _ = view.say
    facts = Facts()
    worked = ui.element("div").classes("row")
    if view.may(Level.OPERATOR):
        with worked:
            _deed(view, _(N_("Activate {name}"), name=title), "port.set", {"port": port, "active": True})
            _deed(view, _(N_("Deactivate {name}"), name=title), "port.set", {"port": port, "active": False})

    def heard(notice: Notice) -> None:
        state = notice.event
        assert isinstance(state, PortState)
        if state.port != port:
            return
        facts.show(_(N_("Name")), state.name)
        facts.show(_(N_("Direction")), _(DIRECTIONS[state.direction]))
        circuit = f"{_(CIRCUITS[state.circuit])} ({_(N_('normally'))} {_(CIRCUITS[state.normal])})"
        facts.show(_(N_("Circuit")), circuit, tone="bad" if state.tampered else "")
        facts.show(_(N_("State")), _(N_("active")) if state.active else _(N_("at rest")))
        worked.set_visibility(state.direction is Direction.OUTPUT)

    view.on(PortState, then=heard)


def _deed(view: View, label: str, action: str, data: dict[str, object], *, icon: str | None = None) -> None:
    """A button that does one thing."""

    async def act() -> None:
        await view.attempt(view.ask(action, data, Nothing))

    ui.button(label, icon=icon, on_click=act).props("outline")
