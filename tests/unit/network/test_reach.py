"""Row 38: which addresses this device connects to as a client, and which never."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.interfaces.outgoing.reach import Peer, Unreachable, find, inner, is_own, refusal

LAN = ["10.0.0.9", "172.16.3.4", "192.168.1.20", "fd12:3456::9", "203.0.113.7", "2001:db8::1"]
SELF = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
LINK_LOCAL = ["169.254.3.4", "fe80::1", "fe80::1%eth0", "::ffff:169.254.3.4"]
METADATA = ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200"]
INTERNET = ["93.184.216.34", "2606:2800:220:1::1"]
NO_HOST = ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "::ffff:0.0.0.0"]


def controller(*, local: bool = False) -> Peer:
    """At home on the local network."""
    return Peer(what="door controller", local=local, private=True)


def dispatcher(*, local: bool = False) -> Peer:
    """At home on the internet."""
    return Peer(what="dispatcher", local=local, private=False)


@pytest.mark.parametrize("address", LAN)
def test_row_38_a_host_of_the_network_is_the_normal_case(address: str) -> None:
    assert refusal(address, controller(local=False), own=False) == ""


@pytest.mark.parametrize("address", LAN[:4])
def test_row_38_for_whoever_is_on_the_internet_a_private_network_has_to_be_ticked(address: str) -> None:
    assert refusal(address, dispatcher(), own=False).endswith("tick `local` when the dispatcher really is there")
    assert refusal(address, dispatcher(local=True), own=False) == ""


@pytest.mark.parametrize("address", INTERNET)
def test_row_38_a_host_of_the_internet_is_for_everybody(address: str) -> None:
    assert refusal(address, dispatcher(), own=False) == refusal(address, controller(), own=False) == ""


@pytest.mark.parametrize("address", [*SELF, *LINK_LOCAL])
def test_row_38_this_device_and_the_link_are_refused_unless_ticked(address: str) -> None:
    assert "tick `local`" in refusal(address, controller(local=False), own=False)
    assert refusal(address, controller(local=True), own=False) == ""


def test_row_38_an_address_of_our_own_is_this_device_too() -> None:
    assert "this device itself" in refusal("192.168.1.20", controller(local=False), own=True)
    assert refusal("192.168.1.20", controller(local=True), own=True) == ""


@pytest.mark.parametrize("address", [*METADATA, *NO_HOST])
def test_row_38_metadata_services_and_what_is_no_host_are_refused_always(address: str) -> None:
    for local in (False, True):
        assert refusal(address, controller(local=local), own=False)


@given(st.integers(0, 2**32 - 1))
def test_row_38_an_address_inside_another_is_judged_alike(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    for outer in (ipaddress.IPv6Address(0xFFFF << 32 | number), ipaddress.IPv6Address((0x64FF9B << 96) | number)):
        assert inner(outer) == plain
        inside, itself = (refusal(str(each), controller(), own=False) for each in (outer, plain))
        assert bool(inside) is bool(itself)


def test_row_38_the_kernel_says_which_addresses_are_ours() -> None:
    assert is_own("127.0.0.1")
    assert not is_own("192.0.2.1")  # a documentation address (RFC 5737)


def test_row_38_a_name_with_one_refused_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that points at a host and at us is what DNS rebinding looks like."""

    async def look_up() -> None:
        loop = asyncio.get_running_loop()

        async def answers(host: str, port: int, **_: object) -> list[object]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("192.0.2.1", port)), (*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(loop, "getaddrinfo", answers)
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1 is this device itself"):
            await find("controller.example", 443, controller())

    asyncio.run(look_up())


def test_a_name_that_nobody_knows_says_so() -> None:
    with pytest.raises(Unreachable, match="cannot be resolved"):
        asyncio.run(find("no-such-host.invalid", 443, controller()))
