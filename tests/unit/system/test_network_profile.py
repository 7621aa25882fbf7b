"""Profiles of NetworkManager: what is ours and unchanged, and which adapter it is for; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dbus_fast import Variant
from hypothesis import given
from hypothesis import strategies as st

from firmware.system.network_port import DEFAULT, Wanted
from firmware.system.network_profile import agrees, profile_of, rank

STATIC = Wanted(
    ipv4="static", address="10.9.0.5", router="10.9.0.1", ipv6="static", address6="2001:db8::5/64",
    dns=("10.9.0.53", "2001:db8::53"), search=("example.com",),
)  # fmt: skip


@pytest.mark.parametrize("wanted", [DEFAULT, STATIC, replace(STATIC, ipv6="off", address6="")])
def test_a_profile_agrees_with_what_it_was_made_of_and_with_nothing_else(wanted: Wanted) -> None:
    settings = profile_of(wanted, "eth0")
    assert agrees(settings, wanted, "eth0")
    assert not agrees(settings, wanted, "eth1")
    assert not agrees(settings, replace(wanted, dns=("10.9.0.54",)), "eth0")


def test_a_profile_with_what_networkmanager_adds_by_itself_still_agrees() -> None:
    settings: dict[str, Any] = profile_of(STATIC, "eth0")
    settings["ipv4"] |= {
        "addresses": Variant("aau", []),
        "routes": Variant("aau", []),
        "route-data": Variant("aa{sv}", []),
    }
    settings["ipv6"] |= {"may-fail": Variant("b", True)}
    assert agrees(settings, STATIC, "eth0")


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        (
            "ipv4",
            "address-data",
            Variant("aa{sv}", [{"address": Variant("s", "10.9.0.6"), "prefix": Variant("u", 24)}]),
        ),
        ("ipv4", "method", Variant("s", "auto")),
        ("ipv4", "gateway", Variant("s", "10.9.0.2")),
        ("ipv4", "route-data", Variant("aa{sv}", [{"dest": Variant("s", "10.0.0.0"), "prefix": Variant("u", 8)}])),
        ("ipv6", "method", Variant("s", "disabled")),
        ("connection", "uuid", Variant("s", "11111111-1111-4111-8111-111111111111")),
    ],
)
def test_a_profile_that_somebody_changed_does_not_agree_whatever_its_note_says(
    section: str, name: str, value: Variant
) -> None:
    settings = profile_of(STATIC, "eth0")
    settings[section][name] = value
    assert not agrees(settings, STATIC, "eth0")


@pytest.mark.parametrize(
    ("adapters", "ours", "first"),
    [
        (["enx001122334455", "eth0"], "", "eth0"),
        (["enx001122334455", "end0"], "", "end0"),
        (["eth0", "enx001122334455"], "enx001122334455", "enx001122334455"),
        (["eth1", "eth0"], "eth7", "eth0"),
        (["enx001122334455", "enp3s0"], "", "enp3s0"),
    ],
)
def test_an_adapter_that_is_plugged_in_does_not_take_the_place_of_the_one_on_the_board(
    adapters: list[str], ours: str, first: str
) -> None:
    assert min(adapters, key=lambda each: rank(each, ours)) == first


@given(st.text(max_size=200))
def test_a_note_that_is_none_says_nothing(text: str) -> None:
    assert Wanted.of(text) is None
    assert Wanted.of(f'{{"dns": [], "search": {text}}}') is None


@pytest.mark.parametrize("wanted", [DEFAULT, STATIC])
def test_a_note_says_what_it_was_made_of(wanted: Wanted) -> None:
    assert Wanted.of(wanted.text()) == wanted
