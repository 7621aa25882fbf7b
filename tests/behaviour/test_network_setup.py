"""Network settings: tried, kept when an administrator reaches the device, taken back when nobody does."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from tests.bench.sim import SimBench

pytestmark = [
    pytest.mark.simulator("no NetworkManager runs on the bench: network settings are the simulator's"),
    # Minutes go by in every test: on a product that polls few wires they cost little.
    pytest.mark.board("ptz_dome"),
]

STATIC = {"boot_proto": "static", "address": "10.1.2.3", "mask": "255.255.0.0", "router": "10.1.0.1"}
CGI = "/axis-cgi/network_settings.cgi"


def phase(bench: SimBench) -> Any:
    """How the settings stand."""
    return bench.states("network/setup")[0]


async def tried(bench: SimBench) -> None:
    """Until the change is being tried."""
    await bench.until(lambda: phase(bench).phase == "trying")
    await bench.settle()  # every role has heard of it


async def call(bench: SimBench, method: str, params: Any) -> dict[str, Any]:
    """What network_settings.cgi answers."""
    body = {"apiVersion": "1.0", "method": method, "params": params}
    answer: dict[str, Any] = (await bench.http("POST", CGI, json=body)).json()
    return answer


async def test_a_change_that_nobody_reaches_the_device_after_is_taken_back(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    assert bench.kept("network")["address"] == "10.1.2.3"
    await bench.advance(119.0)
    assert phase(bench).phase == "trying"
    await bench.advance(2.0)
    assert phase(bench).phase == "kept"
    assert "nobody reached the device within 120 s" in phase(bench).reason
    now = bench.kept("network")
    assert (now["boot_proto"], now["address"]) == ("dhcp", "")


async def test_an_administrator_who_reaches_the_device_confirms_by_that(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    assert (await bench.api("GET", "/device")).status_code == 200
    await bench.until(lambda: phase(bench).phase == "kept")
    await bench.advance(300.0)
    assert (phase(bench).phase, phase(bench).reason) == ("kept", "")
    assert bench.kept("network")["address"] == "10.1.2.3"
    await bench.restart()
    assert bench.kept("network")["address"] == "10.1.2.3"
    await bench.advance(300.0)
    assert bench.kept("network")["address"] == "10.1.2.3"


async def test_who_confirmed_and_who_took_back_stands_in_the_audit_log(bench: SimBench) -> None:
    for action, said in (("network.undo", "undone"), ("network.confirm", "confirmed")):
        await bench.params("network", **STATIC)
        await tried(bench)
        await bench.action(action)
        await bench.until(lambda: phase(bench).phase == "kept")
        await bench.settle()
        log = (await bench.http("GET", "/axis-cgi/auditlog.cgi")).text
        assert f"network settings {said} by admin over" in log


async def test_a_confirmation_that_does_not_arrive_is_made_by_the_next_visit(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    with bench.action_lost("network.confirm"):
        assert (await bench.api("GET", "/device")).status_code == 200
    assert phase(bench).phase == "trying"
    assert (await bench.api("GET", "/device")).status_code == 200
    await bench.until(lambda: phase(bench).phase == "kept")
    assert bench.kept("network")["address"] == "10.1.2.3"


async def test_an_operator_and_a_wrong_password_confirm_nothing(bench: SimBench) -> None:
    made = await bench.api("POST", "/accounts", {"name": "otto", "password": "ottos-password", "level": "operator"})
    assert made.status_code == 201
    await bench.params("network", **STATIC)
    await tried(bench)
    async with bench.stranger() as client:
        right = await client.get("/api/v1/device", auth=("otto", "ottos-password"))
        wrong = await client.get("/api/v1/device", auth=("admin", "guessed"))
    assert (right.status_code, wrong.status_code) == (200, 401)
    await bench.advance(5.0)
    assert phase(bench).phase == "trying"


async def test_a_change_is_taken_back_at_once_when_that_is_asked_for(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    assert (await bench.action("network.undo")).status_code == 200
    await bench.until(lambda: phase(bench).phase == "kept")
    assert phase(bench).reason.endswith("taken back: as asked")
    assert bench.kept("network")["address"] == ""
    refused = await bench.action("network.undo")
    assert refused.json()["error"]["code"] == "refused"


async def test_a_second_change_is_tried_with_the_first_and_both_are_taken_back(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    await bench.advance(100.0)
    await bench.change_from_inside("network", address="10.1.2.4")
    await bench.advance(100.0)  # the time runs anew
    assert (phase(bench).phase, bench.kept("network")["address"]) == ("trying", "10.1.2.4")
    await bench.advance(30.0)
    assert (phase(bench).phase, bench.kept("network")["address"]) == ("kept", "")


async def test_names_cut_nobody_off_and_are_kept_at_once(bench: SimBench) -> None:
    await bench.params("network", dns=["10.1.0.2"], host_name="door-7")
    await bench.advance(2.0)
    assert phase(bench).phase == "kept"
    await bench.advance(300.0)
    assert bench.kept("network")["host_name"] == "door-7"


async def test_a_change_cut_short_by_a_power_cut_is_tried_anew_and_then_taken_back(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await bench.power_off()
    await bench.power_on()
    assert bench.kept("network")["address"] == "10.1.2.3", "an answered change is not lost"
    await tried(bench)
    await bench.advance(125.0)
    assert (phase(bench).phase, bench.kept("network")["address"]) == ("kept", "")


@pytest.mark.board("door_station")
async def test_the_door_opens_in_the_middle_of_it(bench: SimBench) -> None:
    await bench.enrol(card="H10301:42:1234")
    await bench.params("network", **STATIC)
    await tried(bench)
    await bench.reader("front").swipe("H10301:42:1234")
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)


async def test_the_compatible_face_sets_the_address_and_tells_it(bench: SimBench) -> None:
    wish = {
        "deviceName": "eth0",
        "configurationMode": "static",
        "staticDefaultRouter": "10.1.0.1",
        "staticAddressConfigurations": [{"address": "10.1.2.3", "prefixLength": 16}],
    }
    assert (await call(bench, "setIPv4AddressConfiguration", wish))["data"] == {}
    kept = await bench.param("network")
    assert {name: kept[name] for name in STATIC} == STATIC
    six = {
        "deviceName": "eth0",
        "acceptRouterAdvertisements": False,
        "staticAddressConfigurations": [{"address": "2001:db8::7", "prefixLength": 64}],
    }
    assert (await call(bench, "setIPv6AddressConfiguration", six))["data"] == {}
    names = {"useDhcpResolverInfo": False, "staticNameServers": ["10.1.0.2"], "staticSearchDomains": ["example.com"]}
    assert (await call(bench, "setResolverConfiguration", names))["data"] == {}
    assert (await call(bench, "setHostnameConfiguration", {"staticHostname": "door-7"}))["data"] == {}
    told = (await call(bench, "getNetworkInfo", None))["data"]
    ours = next(device for device in told["devices"] if device["name"] == "eth0")
    assert ours["IPv4"]["configurationMode"] == "static"
    static = {"address": "10.1.2.3", "prefixLength": 16, "broadcast": "10.1.255.255"}
    assert ours["IPv4"]["staticAddressConfigurations"] == [static]
    assert ours["IPv6"]["staticAddressConfigurations"] == [{"address": "2001:db8::7", "prefixLength": 64}]
    assert told["system"]["resolver"]["staticNameServers"] == ["10.1.0.2"]
    assert told["system"]["hostname"]["staticHostname"] == "door-7"
    back = {"useDhcpHostname": True}
    assert (await call(bench, "setHostnameConfiguration", back))["data"] == {}
    dhcp = {"deviceName": "eth0", "configurationMode": "dhcp"}
    assert (await call(bench, "setIPv4AddressConfiguration", dhcp))["data"] == {}
    kept = await bench.param("network")
    assert (kept["host_name"], kept["boot_proto"], kept["address"]) == ("", "dhcp", "10.1.2.3")


NEW = [{"address": "10.1.2.3", "prefixLength": 16}]


@pytest.mark.parametrize(
    ("method", "wish", "complaint"),
    [
        ("setIPv4AddressConfiguration", {"configurationMode": "static"}, "Missing parameter: deviceName"),
        ("setIPv4AddressConfiguration", {"deviceName": "eth0", "configurationMode": "static"}, "needs an address"),
        (
            "setIPv4AddressConfiguration",
            {"deviceName": "eth7", "configurationMode": "dhcp"},
            "'eth7' is not set up",
        ),
        ("setIPv4AddressConfiguration", {"deviceName": "eth0", "configurationMode": "bootp"}, "none of dhcp, static"),
        (
            "setIPv4AddressConfiguration",
            {"deviceName": "eth0", "staticAddressConfigurations": NEW, "staticDefaultRouter": "10.2.0.1"},
            "10.2.0.1 is not another host of 10.1.0.0/16",
        ),
        (
            "setIPv4AddressConfiguration",
            {"deviceName": "eth0", "staticAddressConfigurations": [{"address": "10.1.2.3", "prefixLength": 33}]},
            "33 is not a number from 1 to 32",
        ),
        (
            "setIPv4AddressConfiguration",
            {"deviceName": "eth0", "staticAddressConfigurations": [{"address": "10.1.2", "prefixLength": 16}]},
            "'10.1.2' is not an IPv4 address",
        ),
        ("setIPv4AddressConfiguration", {"deviceName": "eth0", "staticAddressConfigurations": NEW * 2}, "2 addresses"),
        ("setIPv4AddressConfiguration", {"deviceName": "eth0", "staticAddressConfigurations": ["x"]}, "address"),
        ("setIPv4AddressConfiguration", {"deviceName": "eth0", "enabled": False}, "cannot be switched off"),
        ("setIPv6AddressConfiguration", {"deviceName": "eth0", "acceptRouterAdvertisements": False}, "Missing"),
        ("setResolverConfiguration", {"staticNameServers": ["10.1.0.256"]}, "'10.1.0.256' is not an IPv4 address"),
        ("setResolverConfiguration", {"staticNameServers": [7]}, "Invalid value for staticNameServers: 7"),
        ("setResolverConfiguration", {"useDhcpResolverInfo": False}, "Missing parameter: staticNameServers"),
        ("setHostnameConfiguration", {"staticHostname": "door_7"}, "'door_7' is not a host name"),
        ("addVlan", {}, "this device has no VLANs"),
    ],
)
async def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(
    bench: SimBench, method: str, wish: dict[str, Any], complaint: str
) -> None:
    before = await bench.param("network")
    error = (await call(bench, method, wish))["error"]
    assert complaint in error["message"]
    assert "\n" not in error["message"]
    assert await bench.param("network") == before
    await bench.advance(3.0)
    assert (phase(bench).phase, phase(bench).reason) == ("kept", "")


async def test_the_network_lists_adapters_with_addresses_and_no_loopback(bench: SimBench) -> None:
    data = (await call(bench, "getNetworkInfo", None))["data"]
    assert data["system"]["hostname"]["hostname"] == socket.gethostname()
    names = {device["name"] for device in data["devices"]}
    assert names == {name for _, name in socket.if_nameindex()} - {"lo"} | {"eth0"}


async def test_who_is_no_administrator_changes_nothing(bench: SimBench) -> None:
    made = await bench.api("POST", "/accounts", {"name": "otto", "password": "ottos-password", "level": "operator"})
    assert made.status_code == 201
    body = {"apiVersion": "1.0", "method": "setHostnameConfiguration", "params": {"staticHostname": "x"}}
    async with bench.stranger() as client:
        answer = await client.post(CGI, json=body, auth=httpx.BasicAuth("otto", "ottos-password"))
    assert answer.status_code == 403
