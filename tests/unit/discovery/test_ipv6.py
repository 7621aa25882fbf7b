"""Discovery over IPv6: who is heard, what is told of addresses, within the same bounds as over IPv4."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.discovery import dns, mdns, ssdp, wsd
from firmware.interfaces.discovery.dns import AAAA, NSEC, PTR, RESPONSE, SRV, A, Message, Question
from firmware.interfaces.discovery.portrait import paint, port_at
from firmware.interfaces.discovery.post import Address, Post, is_near
from firmware.interfaces.discovery.ration import FACTOR, OVERHEAD6_BYTES
from firmware.interfaces.discovery.service import spots
from firmware.interfaces.discovery.zone import zone_of
from firmware.interfaces.net.adapters import Adapter
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.discovery.wire import PORTRAIT, Wire, chance

NETWORKS = (ipaddress.IPv6Network("2001:db8:0:1::/64"),)
HERE, LINK = "2001:db8:0:1::90", "fe80::90"
ASKER: Address = ("fe80::7", 40000, 0, 3)
SIX = replace(PORTRAIT, address=HERE, addresses=(HERE, PORTRAIT.address, LINK))
INFO = DeviceInfo(
    product="Network door station", model="LINTEL-DS1", board="door_station", version="1", slot="A",
    serial=PORTRAIT.serial, chip_id="x", simulated=True, capabilities=("camera",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "near"),
    [
        (("fe80::7", 40000, 0, 3), True),
        (("2001:db8:0:1::7", 40000, 0, 0), True),
        (("2001:db8:0:2::7", 40000, 0, 0), False),
        (("2001:db8::7", 5353, 0, 0), False),
        (("ff02::1", 40000, 0, 3), False),
        (("::1", 40000, 0, 0), False),
        (("::ffff:192.168.0.7", 40000, 0, 0), False),
        (("fe80::7", 53, 0, 3), False),
        (("fe80::7", 5353, 0, 3), True),
    ],
)
def test_row_50_over_ipv6_as_well_only_who_is_on_the_link_is_heard(source: Address, near: bool) -> None:
    assert is_near(source, NETWORKS, 5353) is near


@given(st.lists(st.integers(0, 1500), min_size=1, max_size=100))
def test_row_50_over_ipv6_nobody_gets_more_than_twice_what_it_sent_counted_with_its_longer_headers(
    sizes: list[int],
) -> None:
    async def main(clock: VirtualClock) -> None:
        went: list[int] = []
        post = Post(clock, ssdp.GROUP6, NETWORKS, lambda data, to: went.append(len(data) + OVERHEAD6_BYTES))

        class Echo:
            def heard(self, data: bytes, source: Address) -> None:
                for _ in range(3):
                    post.answer(source, tuple(bytes(size) for size in range(2000, 0, -50)))

        for size in sizes:
            post.arrive(bytes(size), ASKER, Echo())
            await clock.sleep(0.1)
        assert sum(went) <= FACTOR * sum(size + OVERHEAD6_BYTES for size in sizes)
        post.close()

    virtual_run(main)


def test_multicast_dns_tells_every_address_at_which_the_device_is_reached_and_the_same_over_both() -> None:
    over_four = zone_of(replace(SIX, address=PORTRAIT.address))
    over_six = zone_of(SIX)
    told = {(each.kind, each.data) for each in over_six.unique if each.kind in (A, AAAA)}
    packed = ipaddress.ip_address
    assert told == {(A, packed(PORTRAIT.address).packed), (AAAA, packed(HERE).packed), (AAAA, packed(LINK).packed)}
    assert {each.key for each in over_four.records} == {each.key for each in over_six.records}


def test_a_browser_over_ipv6_gets_the_service_with_its_addresses_from_the_group_of_ipv6() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP6, NETWORKS)
        post = wire.post(HERE)
        engine = mdns.Mdns(SIX, post, clock, chance(), lambda *_: None)
        async with wire.running((HERE, post, engine)):
            await clock.sleep(10)
            before = len(wire.to_all())
            ask = Message(questions=(Question(dns.name("_http", "_tcp", "local"), PTR),))
            wire.put(dns.pack(ask), ("fe80::7", 5353, 0, 3))
            await clock.sleep(1)
            (answer,) = [dns.parse(data) for data in wire.to_all()[before:]]
            assert answer.flags & RESPONSE
            assert {A, AAAA, SRV} <= {record.kind for record in answer.additionals}
            wire.put(dns.pack(Message(questions=(Question(dns.name(engine.zone.host, "local"), AAAA),))), ASKER)
            await clock.sleep(1)
            (alone,) = [dns.parse(data) for data in wire.to(ASKER)]
            assert {record.data for record in alone.answers} == {
                ipaddress.ip_address(each).packed for each in (HERE, LINK)
            }
            assert all(record.kind != NSEC for record in alone.answers)

    virtual_run(main)


def test_a_search_and_a_probe_over_ipv6_are_answered_with_an_address_of_ipv6() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, ssdp.GROUP6, NETWORKS)
        post = wire.post(HERE)
        async with wire.running((HERE, post, ssdp.Ssdp(SIX, post, clock, chance()))):
            await clock.sleep(1)
            assert b"HOST:[FF02::C]:1900\r\n" in wire.to_all()[0]
            lines = ("M-SEARCH * HTTP/1.1", "HOST:[FF02::C]:1900", 'MAN:"ssdp:discover"', "MX:1", "ST:upnp:rootdevice")
            wire.put("".join(f"{line}\r\n" for line in (*lines, "")).encode(), ASKER)
            await clock.sleep(2)
            (answer,) = wire.to(ASKER)
            assert f"LOCATION:http://[{HERE}]:8080/upnp.xml\r\n".encode() in answer

        wire = Wire(clock, wsd.GROUP6, NETWORKS)
        post = wire.post(HERE)
        async with wire.running((HERE, post, wsd.WsDiscovery(SIX, post, clock, chance(), 1))):
            await clock.sleep(2)
            assert f"<d:XAddrs>http://[{HERE}]:8080/onvif/device_service</d:XAddrs>".encode() in wire.to_all()[0]

    virtual_run(main)


def test_an_address_that_needs_no_scope_comes_before_the_link_local_one() -> None:
    lo = Adapter(
        name="lo", mac="", up=True, ipv4=(ipaddress.IPv4Interface("127.0.0.1/8"),),
        ipv6=(ipaddress.IPv6Interface("fe80::90/64"), ipaddress.IPv6Interface(f"{HERE}/64")),
    )  # fmt: skip
    four, six = spots(lo)
    assert (four.address, four.six, four.index) == ("127.0.0.1", False, 0)
    assert (six.address, six.six, six.index, six.networks) == (HERE, True, 1, NETWORKS)


@pytest.mark.parametrize(
    ("door", "address", "port"),
    [
        ("[::]:80", "192.168.0.90", 80),
        ("[::]:80", LINK, 80),
        ("0.0.0.0:80", LINK, 0),
        ("0.0.0.0:80", "192.168.0.90", 80),
        ("[2001:0db8:0:1:0:0:0:90]:80", HERE, 80),
        ("[::1]:80", HERE, 0),
    ],
)
def test_only_what_listens_over_ipv6_is_told_over_ipv6(door: str, address: str, port: int) -> None:
    assert port_at(door, address) == port


def test_a_device_whose_doors_are_of_ipv4_alone_is_not_told_over_ipv6() -> None:
    assert paint(INFO, "", LINK, "0.0.0.0:80", "") is None
    portrait = paint(INFO, "", "192.168.0.90", "0.0.0.0:80", "", [LINK])
    assert portrait is not None
    assert portrait.addresses == ("192.168.0.90",)
    both = paint(INFO, "", LINK, "[::]:80", "", ["192.168.0.90"])
    assert both is not None
    assert both.addresses == (LINK, "192.168.0.90")
