"""SSDP: announced, found, said goodbye to; searches of strangers are read with care (UPnP Device Architecture 1.0)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.interfaces.discovery import ssdp
from firmware.interfaces.discovery.portrait import Portrait
from firmware.interfaces.discovery.post import Post
from firmware.interfaces.discovery.ration import FACTOR, OVERHEAD_BYTES
from firmware.interfaces.discovery.ssdp import DEVICE, ROOT, Search, read_search
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.discovery.wire import ASKER, PORTRAIT, Wire, chance

ALL = ("upnp:rootdevice", f"uuid:{PORTRAIT.uuid}", DEVICE)


def search(target: str = "ssdp:all", wait: str = "1", man: str = '"ssdp:discover"', more: str = "") -> bytes:
    """A search as programs send it."""
    lines = ["M-SEARCH * HTTP/1.1", "HOST:239.255.255.250:1900", f"MAN:{man}", f"MX:{wait}", f"ST:{target}"]
    return "".join(f"{line}\r\n" for line in (*lines, *([more] if more else []), "")).encode()


def headers(data: bytes) -> dict[str, str]:
    """The headers of a message."""
    lines = data.decode().split("\r\n")[1:-2]
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def joined(wire: Wire, portrait: Portrait = PORTRAIT) -> tuple[str, Post, ssdp.Ssdp]:
    """A device on the wire."""
    post = wire.post(portrait.address)
    return portrait.address, post, ssdp.Ssdp(portrait, post, wire.clock, chance())


def test_a_device_says_twice_that_it_is_here_again_within_the_half_hour_and_goodbye() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, ssdp.GROUP)
        async with wire.running(joined(wire)):
            await clock.sleep(10)
            alive = [headers(data) for data in wire.to_all()]
            assert [each["NT"] for each in alive] == [*ALL, *ALL]
            assert {each["LOCATION"] for each in alive} == {"http://192.168.0.90:8080/upnp.xml"}
            assert alive[0]["USN"] == f"uuid:{PORTRAIT.uuid}::upnp:rootdevice"
            await clock.sleep(ssdp.MAX_AGE_S / 2)
            assert len(wire.to_all()) == 9
        assert [headers(data)["NTS"] for data in wire.to_all()[9:]] == ["ssdp:byebye"] * 3

    virtual_run(main)


@pytest.mark.parametrize("target", [*ALL, "ssdp:all"])
def test_a_search_that_means_the_device_is_answered_within_its_time(target: str) -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, ssdp.GROUP)
        async with wire.running(joined(wire)):
            await clock.sleep(1)
            wire.put(search(target, "3", more="USER-AGENT:" + "x" * 400))
            await clock.sleep(3)
            assert [headers(data)["ST"] for data in wire.to(ASKER)] == (list(ALL) if target == "ssdp:all" else [target])

    virtual_run(main)


def test_row_50_the_shortest_search_is_answered_once_and_within_twice_its_bytes() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, ssdp.GROUP)
        longest = replace(PORTRAIT, address="192.168.100.100")
        async with wire.running(joined(wire, longest)):
            await clock.sleep(1)
            wire.put(search())
            await clock.sleep(2)
            (answer,) = wire.to(ASKER)
            assert headers(answer)["ST"] == ROOT
            assert len(answer) + OVERHEAD_BYTES <= FACTOR * (len(search()) + OVERHEAD_BYTES)

    virtual_run(main)


@pytest.mark.parametrize(
    "data",
    [
        search("urn:schemas-upnp-org:device:MediaServer:1"), search(wait="0"), search(wait=""), search(wait="-1"),
        search(wait="1e9"), search(wait="\u0661"), search(man='"ssdp:alive"'),
        b"M-SEARCH * HTTP/1.1\r\nnonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n", b"NOTIFY * HTTP/1.1\r\nNTS:ssdp:alive\r\n\r\n", b"HTTP/1.1 200 OK\r\nST:x\r\n\r\n",
        b"",
    ],
)  # fmt: skip
def test_what_is_no_search_for_us_gets_no_answer(data: bytes) -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, ssdp.GROUP)
        async with wire.running(joined(wire)):
            await clock.sleep(1)
            wire.put(data + b" " * 500)
            await clock.sleep(6)
            assert wire.to(ASKER) == []

    virtual_run(main)


def test_whoever_would_wait_for_ever_is_answered_within_five_seconds() -> None:
    assert read_search(search(wait="120")) == Search("ssdp:all", 5)


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda rest: b"M-SEARCH * HTTP/1.1\r\n" + rest))
@example(b"M-SEARCH * HTTP/1.1\r\n" + b"a:b\r\n" * 1600)
def test_row_50_anything_at_all_is_read_or_refused(data: bytes) -> None:
    try:
        found = read_search(data)
    except Invalid:
        return
    assert found is None or 1 <= found.within_s <= 5
