"""The first steps: name and time zone, network, reader, first card, door time; then a card is swiped, live."""

from __future__ import annotations

from nicegui import ui

from firmware.core.actions import Nothing
from firmware.core.errors import StationError
from firmware.core.events import Notice
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, CardRead, DoorReleased
from firmware.core.vocabulary.device import NetworkState
from firmware.core.vocabulary.entries import EntryView
from firmware.core.vocabulary.osdp import ReaderLink
from firmware.core.zones import is_zone, offered
from firmware.interfaces.web.image.device import DeviceImage
from firmware.interfaces.web.parts import Facts
from firmware.interfaces.web.plan import Kind
from firmware.interfaces.web.reasons import REASONS
from firmware.interfaces.web.view import View
from firmware.interfaces.web.wizard import Named, Save, steps
from firmware.interfaces.web.words import N_, PLACE

WIEGAND, OSDP = "wiegand", "osdp"


async def build(view: View) -> None:
    """The page; what the board has no use for is left out."""
    listed = [
        Named(title=N_("Name and time zone"), build=_place),
        Named(title=N_("Network"), build=_network),
    ]
    if view.plan.of(Kind.READER):
        listed.append(Named(title=N_("Reader"), build=_reader))
        listed.append(Named(title=N_("First card"), build=_card))
    if view.plan.doors:
        listed.append(Named(title=N_("Door"), build=_door))
    listed.append(Named(title=N_("Try it"), build=_try, counted=False))
    await steps(view, tuple(listed))


async def _place(view: View) -> Save:
    _ = view.say
    now = await view.read(PLACE)
    name = ui.input(_(N_("Name of this device")), value=now["name"] or view.info.product).props("outlined maxlength=64")
    zone = ui.select(
        offered(str(now["time_zone"])), label=_(N_("Time zone")), value=now["time_zone"], with_input=True
    ).props("outlined")
    if now["time_zone"] == "UTC":

        async def guess() -> None:
            found = await view.client.run_javascript("Intl.DateTimeFormat().resolvedOptions().timeZone")
            if isinstance(found, str) and is_zone(found):  # browsers also say names that the table of places has not
                zone.set_options(offered(found), value=found)

        view.begin(guess())

    async def save() -> bool:
        return await _changed(view, PLACE, {"name": str(name.value), "time_zone": str(zone.value)})

    return save


async def _network(view: View) -> Save:
    _ = view.say
    now = await view.read("network")
    facts = Facts()

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, NetworkState)
        said = _(N_("connected")) if event.up else _(N_("not connected"))
        facts.show(_(N_("Network")), f"{said} {event.detail}", tone="good" if event.up else "bad")

    view.on(NetworkState, then=heard)
    ways = {"dhcp": _(N_("Address by DHCP")), "static": _(N_("Static address"))}
    way = ui.radio(ways, value=now["boot_proto"] if now["boot_proto"] in ways else "dhcp")
    with ui.element("div").classes("form") as static:
        address = ui.input(_(N_("IPv4 address")), value=now["address"]).props("outlined dense")
        mask = ui.input(_(N_("Subnet mask")), value=now["mask"]).props("outlined dense")
        router = ui.input(_(N_("Router")), value=now["router"]).props("outlined dense")
    static.bind_visibility_from(way, "value", value="static")
    within_s = now["confirm_within_s"]
    said = _(N_("The device takes it at once, and goes back when no administrator reaches it within {seconds} s."))
    never = _(N_("The device takes it at once and does not go back, even when nobody can reach it any more."))
    ui.label(said.format(seconds=within_s) if within_s else never).classes("quiet")

    async def save() -> bool:
        wish: dict[str, object] = {"boot_proto": str(way.value)}
        if way.value == "static":
            wish |= {"address": str(address.value), "mask": str(mask.value), "router": str(router.value)}
        return await _changed(view, "network", wish)

    return save


async def _reader(view: View) -> Save:
    _ = view.say
    groups = await view.core.link.groups()
    external = next(iter(await view.read("osdp")), "") if "osdp" in groups else ""
    kinds = {WIEGAND: _(N_("Wiegand: D0 and D1 of the reader connector"))}
    using = False
    if external:
        kinds[OSDP] = _(N_("OSDP: the RS-485 pair"))
        using = bool((await view.read("osdp"))[external]["use"])
    kind = ui.radio(kinds, value=OSDP if using else WIEGAND)
    if external:
        with ui.element("div") as more:
            ui.label(_(N_("A new reader gets its first key within the next ten minutes."))).classes("quiet")
            facts = Facts()

            def heard(notice: Notice) -> None:
                event = notice.event
                assert isinstance(event, ReaderLink)
                facts.show(event.alias, f"{view.told(event.phase.value)} {view.told(event.reason)}")

            view.on(ReaderLink, then=heard)
        more.bind_visibility_from(kind, "value", value=OSDP)

    async def save() -> bool:
        if not external or (kind.value == WIEGAND and not using):
            return True
        if not await _changed(view, "osdp", {external: {"use": kind.value == OSDP}}):
            return False
        if kind.value == OSDP:
            await view.attempt(view.ask("reader.install", {"reader": external}, Nothing))
        return True

    return save


async def _card(view: View) -> Save:
    _ = view.say
    ui.label(_(N_("Hold a card to the reader now, or type its number.")))
    name = ui.input(_(N_("Name of the holder"))).props("outlined maxlength=64")
    card = ui.input(_(N_("Card"))).props("outlined").classes("card-number")
    read = ui.label().classes("quiet").props("aria-live=polite")

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, CardRead)
        if event.credential is not None:
            card.set_value(event.credential)
            read.set_text(_(N_("Card {card} was read."), card=event.credential))
        else:
            read.set_text(_(N_("This card cannot be read: {reason}"), reason=view.told(event.reason)))

    view.on(CardRead, then=heard)
    if view.bench is not None:
        DeviceImage(view, view.plan)

    async def save() -> bool:
        if not card.value:
            return True
        wish = {"name": str(name.value or _(N_("First card"))), "card": str(card.value).strip()}
        return await view.attempt(view.ask("entries.add", wish, EntryView)) is not None

    return save


async def _door(view: View) -> Save:
    _ = view.say
    now = await view.read("doors")
    times = {
        door: ui.number(
            _(N_("Seconds that door {door} stays released"), door=door), value=now[door]["hold_s"], min=0.5, max=60
        ).props("outlined")
        for door in view.plan.doors
    }

    async def save() -> bool:
        return await _changed(view, "doors", {door: {"hold_s": field.value} for door, field in times.items()})

    return save


async def _try(view: View) -> Save:
    _ = view.say
    if view.plan.of(Kind.READER):
        ui.label(_(N_("Swipe a card now."))).classes("call")
        said = ui.label(_(N_("Waiting for a card."))).classes("said").props("role=status")

        def heard(notice: Notice) -> None:
            said.set_text(_told(view, notice))

        view.on(AccessGranted, AccessDenied, DoorReleased, then=heard)
    DeviceImage(view, view.plan)

    async def save() -> bool:
        return await _changed(view, PLACE, {"first_steps": False})

    return save


def _told(view: View, notice: Notice) -> str:
    _ = view.say
    match notice.event:
        case AccessGranted() as granted:
            return _(N_("Welcome, {holder}."), holder=granted.holder)
        case AccessDenied() as denied:
            return _(N_("Denied: {reason}"), reason=_(REASONS[denied.reason]))
        case DoorReleased() as released:
            return _(
                N_("Door {door} is released for {seconds} s."),
                door=released.door,
                seconds=view.figure(released.hold_s, ""),
            )
    return ""


async def _changed(view: View, group: str, wish: dict[str, object]) -> bool:
    try:
        await view.change(group, wish)
    except StationError as error:
        view.complain(error)
        return False
    return True
