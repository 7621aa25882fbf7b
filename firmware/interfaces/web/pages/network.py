"""Network and discovery: addresses, how the device is found, the way out to the owner's server, and tests of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from firmware.core.actions import Nothing
from firmware.core.errors import NotFound
from firmware.core.events import Notice
from firmware.core.vocabulary.cloud import CloudAsked, CloudConnection, CloudPhase
from firmware.core.vocabulary.device import NetworkState
from firmware.core.vocabulary.discovery import DiscoveryState
from firmware.core.vocabulary.system import SIMULATION, NetworkPhase, NetworkSetup
from firmware.interfaces.net.adapters import Adapter, adapters, default_router, name_servers
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.forms import GroupForm
from firmware.interfaces.web.parts import Facts, Table, card, grid
from firmware.interfaces.web.uploads import JSON, Upload
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

PROTOCOLS = {"mdns": "Multicast DNS", "ssdp": "UPnP (SSDP)", "ws_discovery": "WS-Discovery"}
PHASES = {
    CloudPhase.OFF: N_("off"),
    CloudPhase.CONNECTING: N_("connecting"),
    CloudPhase.CONNECTED: N_("connected"),
    CloudPhase.FAILED: N_("not connected, tries again"),
}
SETUPS = {
    NetworkPhase.KEPT: N_("in use"),
    NetworkPhase.APPLYING: N_("being applied"),
    NetworkPhase.TRYING: N_("being tried"),
    NetworkPhase.UNAVAILABLE: N_("cannot be applied"),
}
NETWORK = {
    "boot_proto": N_("Address by"),
    "address": N_("Static address"),
    "mask": N_("Subnet mask"),
    "router": N_("Default router"),
    "ipv6": N_("IPv6 addresses by"),
    "ipv6_address": N_("Static IPv6 address"),
    "ipv6_router": N_("IPv6 router"),
    "dns": N_("Name servers, one a line"),
    "search": N_("Search domains, one a line"),
    "host_name": N_("Host name"),
    "confirm_within_s": N_("Time to reach the device after a change"),
    "ieee8021x": N_("IEEE 802.1X"),
    "ieee8021x_identity": N_("Identity for 802.1X"),
    "cloud": N_("Connection to the dispatcher"),
}
DISCOVERY = {
    "mdns": N_("Multicast DNS"),
    "mdns_name": N_("Name shown by multicast DNS"),
    "ssdp": N_("UPnP (SSDP)"),
    "ssdp_name": N_("Name shown by UPnP"),
    "ws_discovery": N_("WS-Discovery"),
}
CLOUD = {
    "url": N_("Address of the dispatcher"),
    "owner_key": N_("Owner key"),
    "ca": N_("Authority of its certificate (PEM)"),
    "local": N_("It may be on a private network"),
    "proxy": N_("HTTP proxy"),
    "proxy_user": N_("Name at the proxy"),
    "proxy_password": N_("Password at the proxy"),
}


async def build(view: View) -> None:
    """The page."""
    _ = view.say
    with grid():
        with card(_(N_("Addresses"))):
            _addresses(view)
        await _settings(view, N_("Network"), "network", NETWORK, _setup)
        await _settings(view, N_("Discovery"), "discovery", DISCOVERY, _found)
        await _settings(view, N_("Dispatcher"), "cloud", CLOUD, _cloud)
        with card(_(N_("Can something be reached?"))):
            _tests(view)


async def _settings(
    view: View, title: str, group: str, labels: Mapping[str, str], above: Callable[[View], None] | None = None
) -> None:
    named = {name: view.say(said) for name, said in labels.items()}
    try:
        await view.read(group)
    except NotFound:  # a device without this service
        return
    with card(view.say(title)):
        if above is not None:
            above(view)
        await GroupForm.of(view, group, labels=named)


def _addresses(view: View) -> None:
    _ = view.say
    facts = Facts()

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, NetworkState)
        if not gone(notice):
            said = _(N_("connected")) if event.up else _(N_("no network"))
            facts.show(_(N_("Link")), event.detail or said, tone="good" if event.up else "bad")

    view.on(NetworkState, then=heard)
    facts.show(_(N_("Default router")), default_router() or "–", tone="mono")
    facts.show(_(N_("Name servers")), ", ".join(name_servers()) or "–", tone="mono")
    table = Table((_(N_("Adapter")), _(N_("Addresses")), "MAC"))
    for adapter in adapters():
        _row(table, adapter)


def _setup(view: View) -> None:
    """What became of the last change, and a way to confirm one that is tried."""
    _ = view.say
    facts = Facts()
    with ui.element("div").classes("row") as asked:
        ui.button(_(N_("Keep these settings")), on_click=lambda: _answer(view, "confirm")).props("outline")
        ui.button(_(N_("Go back")), on_click=lambda: _answer(view, "undo")).props("flat")

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, NetworkSetup)
        trying = event.phase is NetworkPhase.TRYING
        asked.set_visibility(trying)
        said = _(SETUPS[event.phase])
        if trying and event.until is not None:
            left_s = max(0.0, (event.until - view.core.clock.utc()).total_seconds())
            said = _(N_("being tried; taken back in {seconds} s"), seconds=round(left_s))
        by = event.by if event.by != SIMULATION else _(N_("simulated: nothing outside follows them"))
        facts.show(_(N_("Settings")), f"{said} ({by})", tone="warn" if trying else "")
        if event.reason:
            facts.show(_(N_("Last change")), view.told(event.reason), tone="warn")
        else:
            facts.drop(_(N_("Last change")))

    view.on(NetworkSetup, then=heard)


async def _answer(view: View, what: str) -> None:
    await view.attempt(view.ask(f"network.{what}", {}, Nothing), done=view.say(N_("Done.")))


def _row(table: Table, adapter: Adapter) -> None:
    with table.row() as say:
        say(adapter.name).classes("" if adapter.up else "quiet")
        say(", ".join(str(each) for each in (*adapter.ipv4, *adapter.ipv6)) or "–").classes("mono")
        say(adapter.mac or "–").classes("mono")


def _found(view: View) -> None:
    _ = view.say
    facts = Facts()

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, DiscoveryState)
        name = PROTOCOLS.get(event.protocol, event.protocol)
        if gone(notice):
            facts.drop(name)
            return
        shown = " · ".join(part for part in (event.name, event.host and f"{event.host}.local") if part)
        where = ", ".join(event.adapters) or _(N_("nowhere"))
        facts.show(name, view.told(event.trouble) or f"{shown} ({where})", tone="warn" if event.trouble else "")

    view.on(DiscoveryState, then=heard)


def _cloud(view: View) -> None:
    _ = view.say
    facts = Facts()

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, CloudConnection)
        if not gone(notice):
            tone = {CloudPhase.CONNECTED: "good", CloudPhase.FAILED: "warn"}.get(event.phase, "")
            facts.show(_(N_("Connection")), f"{_(PHASES[event.phase])} ({view.told(event.reason)})", tone=tone)

    async def connect() -> None:
        await view.attempt(view.ask("cloud.connect", {}, CloudAsked), done=_(N_("The device tries to connect.")))

    async def disconnect() -> None:
        await view.attempt(view.ask("cloud.disconnect", {}, Nothing), done=_(N_("Ended.")))

    view.on(CloudConnection, then=heard)
    with ui.element("div").classes("row"):
        ui.button(_(N_("Connect now")), on_click=connect).props("outline")
        ui.button(_(N_("Disconnect")), on_click=disconnect).props("flat")


def _tests(view: View) -> None:
    _ = view.say
    result = ui.label().props("role=status")

    def pinged(answer: Mapping[str, Any]) -> None:
        times = [each["took_ms"] for each in _objects(answer.get("echoes")) if each.get("took_ms") is not None]
        mean = sum(times) / len(times) if times else 0.0
        words = _(N_("{host} ({address}): {received} of {sent} answered, {ms} ms"))
        holes = {name: answer.get(name) for name in ("host", "address", "received", "sent")}
        result.set_text(words.format(**holes, ms=view.figure(mean, ".1f")))
        result.classes(replace="good" if times else "bad")

    def knocked(answer: Mapping[str, Any]) -> None:
        found = view.told(str(answer.get("found")))
        result.set_text(f"{answer.get('host')} ({answer.get('address')}), {answer.get('port')}: {found}")
        is_open = answer.get("open")
        result.classes(replace="" if is_open is None else "good" if is_open else "bad")

    ping = Upload(view, "/ping", pinged, how=JSON)
    ping.text("host", _(N_("Ping an address or name")), needed=True)
    ping.buttons(_(N_("Ping")))
    port = Upload(view, "/port-check", knocked, how=JSON)
    port.text("host", _(N_("Try a port of an address or name")), needed=True)
    port.text("port", _(N_("Port")), "443", needed=True)
    port.choice("protocol", _(N_("Protocol")), {"tcp": "TCP", "udp": "UDP"})
    port.buttons(_(N_("Try")))


def _objects(found: object) -> Sequence[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
