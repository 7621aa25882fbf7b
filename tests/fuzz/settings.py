"""What is fuzzed of network and time: bodies that become settings, at the faces of programs and at the native one.

The groups are the real ones, so what is checked is all from the bytes of a body to a value that would be applied.
"""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from zoneinfo import ZoneInfo

from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.system import ClockSetup, NetworkPhase, NetworkSetup
from firmware.interfaces.api.routes import object_of
from firmware.interfaces.vapix.asked import Asked
from firmware.interfaces.vapix.clock import TimeApis
from firmware.interfaces.vapix.network import NetworkApi
from firmware.interfaces.vapix.onvif import PATH, OnvifDevice
from firmware.interfaces.vapix.soap import SoapServices
from firmware.system import ClockService
from firmware.system.network_settings import BootProtocol, Ipv6, NetworkSettings
from firmware.system.time_settings import ClockSettings, PlaceSettings
from hal.clock import SystemClock
from tests.fuzz.asking import ADMIN, CORPUS, Target, at_once, check_short, request, sendable

GROUPS = (NetworkSettings, PlaceSettings, ClockSettings)
INFO = DeviceInfo(
    product="Network door station", model="LINTEL-DS1", board="door_station", version="1.0.0", slot="A",
    serial="0A1B2C3D4E5F", chip_id="fuzz", simulated=True, capabilities=("camera",),
)  # fmt: skip


class _Memory:
    """Keeps what is saved for no longer than a moment."""

    async def load(self, _: str) -> bytes | None:
        return None

    async def save(self, _: str, data: bytes) -> None:
        assert data


class _Time:
    """A clock that lets itself be set, and forgets it."""

    name, watched = "fuzz", False

    async def set(self, _: object) -> None:
        """Nothing to do."""


@cache
def _device() -> Core:
    """A device whose network and clock can be set."""
    clock = SystemClock()
    bus = Bus(clock, role="control", boot="fuzz")
    store = Store(CORPUS / "no-such-folder", clock, alarm=lambda *_: None)
    actions, params = ActionTable(), Params(_Memory(), bus, lambda *_: None)
    core = Core(role="control", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params), params=params,
                store=store, shared=store)  # fmt: skip
    params.declare(NetworkSettings)
    at_once(ClockService(core, _Time()).start())  # type: ignore[arg-type] # only `set` is asked for here
    bus.publish(INFO)
    bus.publish(NetworkSetup(phase=NetworkPhase.KEPT, by="fuzz", adapter="eth0"))
    bus.publish(ClockSetup(zone="Europe/Stockholm", by="fuzz", ntp=True))
    return core


def _fresh() -> Core:
    """The device with its defaults, so that an input means the same whatever came before it."""
    core = _device()
    core.params._groups.update(core.params._defaults)
    return core


def _usable(core: Core) -> None:
    """What was taken can be applied: every address is one, the zone is there."""
    network, place, clock = (core.params.get(group) for group in GROUPS)
    assert isinstance(network, NetworkSettings)
    assert isinstance(place, PlaceSettings)
    assert isinstance(clock, ClockSettings)
    if network.boot_proto is BootProtocol.STATIC or network.address:
        IPv4Interface(f"{network.address}/{network.mask}")
    if network.ipv6 is Ipv6.STATIC or network.ipv6_address:
        IPv6Interface(network.ipv6_address)
    for each in (*network.dns, *filter(None, (network.router, network.ipv6_router))):
        ip_address(each)
    ZoneInfo(place.time_zone)
    for text in (network.host_name, *network.search, *clock.ntp_servers):
        assert text.isascii(), text
        assert len(text) <= 253, text
        assert text == text.strip(), text


def _asked(data: bytes) -> Asked:
    return Asked(request(data), ADMIN)


def network(data: bytes) -> None:
    """`network_settings.cgi`."""
    core = _fresh()
    sendable(at_once(NetworkApi(core).api().answer(_asked(data))), 200)
    _usable(core)


def time(data: bytes) -> None:
    """`time.cgi`."""
    core = _fresh()
    sendable(at_once(TimeApis(core).apis()[0].answer(_asked(data))), 200)
    _usable(core)


def ntp(data: bytes) -> None:
    """`ntp.cgi`."""
    core = _fresh()
    sendable(at_once(TimeApis(core).apis()[1].answer(_asked(data))), 200)
    _usable(core)


def onvif(data: bytes) -> None:
    """The device service of ONVIF: the operations that there are, with whatever is in their requests."""
    services = SoapServices(OnvifDevice(_device()).operations(), (PATH,))
    answer = at_once(services._answer(_asked(data)))
    sendable(answer, 200, 400)
    bytes(answer.body).decode()


def settings(data: bytes) -> None:
    """A change of a group over the native API: of the network, the place, the clock."""
    core = _fresh()
    try:
        patch = at_once(object_of(request(data)))
    except Invalid as error:
        check_short(error)
        return
    for group in GROUPS:
        try:
            at_once(core.link.change(group.group, patch, ADMIN))
        except Invalid as error:
            check_short(error)
    _usable(core)


SETTINGS: dict[str, Target] = {
    "network": network,
    "ntp": ntp,
    "onvif": onvif,
    "settings": settings,
    "time": time,
}
