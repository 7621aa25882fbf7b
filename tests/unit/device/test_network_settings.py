"""The network identity: what is a possible one, and what is said of one that is not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from firmware.core.params import Scope
from firmware.core.values import explain
from firmware.system import NetworkSettings

STATIC = {"boot_proto": "static", "address": "192.168.0.90"}


@pytest.mark.parametrize(
    "values",
    [
        {},
        STATIC,
        {**STATIC, "mask": "255.255.0.0", "router": "192.168.7.1", "dns": ["1.1.1.1", "192.168.0.1"]},
        {**STATIC, "mask": "255.255.255.254", "router": "192.168.0.91"},
        {"ieee8021x": True, "ieee8021x_identity": "door-7", "cloud": "no"},
        {"address": "10.0.0.9", "boot_proto": "dhcp"},
        {"ipv6": "static", "ipv6_address": "2001:db8::90/64", "ipv6_router": "fe80::1"},
        {"ipv6": "static", "ipv6_address": "2001:db8::90/64", "ipv6_router": "2001:db8::1"},
        {"ipv6": "off", "dns": ["2001:db8::53", "1.1.1.1"], "search": ["example.com", "lan"], "host_name": "door-7"},
        {"confirm_within_s": 0},
    ],
)
def test_a_possible_identity_is_taken_as_it_is(values: dict[str, object]) -> None:
    found = NetworkSettings.model_validate(values).model_dump(mode="json")
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"boot_proto": "static"}, "static needs an address"),
        ({**STATIC, "address": "192.168.0.256"}, "'192.168.0.256' is not an IPv4 address"),
        ({**STATIC, "address": "224.0.0.1"}, "not the address of a host"),
        ({**STATIC, "address": "192.168.0.255"}, "is no host of its network"),
        ({**STATIC, "mask": "255.0.255.0"}, "'255.0.255.0' is not a subnet mask"),
        ({**STATIC, "mask": "24"}, "'24' is not a subnet mask"),
        ({**STATIC, "mask": "0.0.0.255"}, "'0.0.0.255' is not a subnet mask"),
        ({**STATIC, "router": "192.168.1.1"}, "192.168.1.1 is not another host of 192.168.0.0/24"),
        ({**STATIC, "router": "192.168.0.90"}, "is not another host"),
        ({"dns": ["1.1.1.1", ""]}, "an empty text is no server"),
        ({"dns": ["1.1.1.1"] * 4}, "at most 3"),
        ({"ieee8021x": True}, "needs ieee8021x_identity"),
        ({"boot_protocol": "dhcp"}, "unknown name 'boot_protocol'; did you mean 'boot_proto'"),
        ({"cloud": "sometimes"}, "'one_click', 'always' or 'no'"),
        ({"ipv6": "static"}, "ipv6 static needs ipv6_address"),
        ({"ipv6_address": "2001:db8::90"}, "'2001:db8::90' is not an IPv6 address with its prefix"),
        ({"ipv6_address": "2001:db8::90/129"}, "is not an IPv6 address with its prefix"),
        ({"ipv6_address": "2001:db8::90/00019999"}, "is not an IPv6 address with its prefix"),
        ({"ipv6_address": "ff02::1/64"}, "not the address of a host"),
        ({"ipv6_address": "2001:db8::90/64", "ipv6_router": "2001:db9::1"}, "is not another host of 2001:db8::/64"),
        ({"ipv6_address": "2001:db8::90/64", "ipv6_router": "2001:db8::90"}, "is not another host"),
        ({"dns": ["fe80::1%eth0"]}, "not the address of a host"),
        ({"host_name": "door_7"}, "'door_7' is not a host name"),
        ({"host_name": "-door"}, "is not a host name"),
        ({"search": ["a..b"]}, "'a..b' is not a domain"),
        ({"confirm_within_s": 9}, "confirm_within_s: at least 10, or 0"),
    ],
)
def test_an_impossible_identity_is_refused_in_one_line(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NetworkSettings.model_validate(values)
    line = str(explain(refused.value, NetworkSettings, "network"))
    assert complaint in line
    assert "\n" not in line


def test_what_leads_to_the_device_is_kept_by_a_restore() -> None:
    scopes = {name: field.json_schema_extra for name, field in NetworkSettings.model_fields.items()}
    assert {name for name, extra in scopes.items() if isinstance(extra, dict) and extra["scope"] == Scope.KEEP} == {
        "boot_proto",
        "address",
        "mask",
        "router",
        "ipv6",
        "ipv6_address",
        "ipv6_router",
        "dns",
        "ieee8021x",
        "ieee8021x_identity",
        "cloud",
    }
