"""A device is found on the loopback by programs that know nothing of us: mDNS, SSDP, WS-Discovery."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx

from tests.live.device import PATIENCE_S, Device, lintel, running, until
from tests.live.osdp.venvs import python_with
from tests.live.two_ends import on_a_stage

CLIENTS = Path(__file__).parent / "clients"
BROWSER, PROBER = ("zeroconf", "0.154.0"), ("WSDiscovery", "2.1.2")
DATE_AND_TIME = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    '<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
)
UPNP = "{urn:schemas-upnp-org:device-1-0}"
SEARCH = (
    b'M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\nMAN:"ssdp:discover"\r\nMX:1\r\nST:upnp:rootdevice\r\n\r\n'
)


@contextmanager
def browser(kind: str, out: Path) -> Iterator[Path]:
    """A browser of multicast DNS; what it sees stands in a file, one line an event."""
    with out.open("w") as log:
        process = subprocess.Popen(
            [python_with(*BROWSER), str(CLIENTS / "mdns_browser.py"), kind], stdin=subprocess.PIPE, stdout=log
        )
    try:
        yield out
    finally:
        process.communicate(timeout=PATIENCE_S)


def seen(out: Path, event: str, name: str) -> dict[str, Any]:
    """What the browser saw of a name, once it has."""

    def look() -> dict[str, Any] | None:
        lines = [json.loads(line) for line in out.read_text().splitlines() if line.endswith("}")]
        return next((line for line in lines if (line["event"], line["name"]) == (event, name)), None)

    found: dict[str, Any] = until(f"{name} {event}", look)
    return found


def searched(wanted: str) -> dict[str, str]:
    """The headers of the answer of a device to a search, asked again until it comes."""

    def ask() -> dict[str, str] | None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            asking.settimeout(1.5)
            asking.sendto(SEARCH, ("239.255.255.250", 1900))
            while True:
                try:
                    answer = asking.recv(2000).decode()
                except TimeoutError:
                    return None
                lines = [line.partition(":") for line in answer.split("\r\n")[1:]]
                headers = {name: value for name, _, value in lines}
                if wanted in headers["LOCATION"]:
                    return headers

    found: dict[str, str] = until(f"a device at {wanted}", ask)
    return found


def state(device: Device, protocol: str) -> dict[str, Any] | None:
    """What the device says of its own discovery."""
    states = device.api.get("/state").json()["states"]
    found = [each for each in states if each["topic"] == "network/discovery" and each["protocol"] == protocol]
    return found[0] if found else None


def answering(device: Device, protocol: str) -> dict[str, Any]:
    """The state of a protocol once it answers."""
    found: dict[str, Any] = until(
        f"{protocol} at work", lambda: (seen := state(device, protocol)) and seen["adapters"] and seen
    )
    return found


def test_two_devices_on_one_machine_are_found_and_the_one_that_leaves_is_missed(
    shared_device: Device, tmp_path: Path
) -> None:
    with browser("_lintel._tcp", tmp_path / "seen") as out:
        with running(tmp_path / "second", "network_speaker") as second:
            second.set_up()
            serials = [each.api.get("/device").json()["serial"] for each in (shared_device, second)]
            names = [f"Network door station - {serials[0]}", f"Network speaker - {serials[1]}"]
            for device, serial, name in zip((shared_device, second), serials, names, strict=True):
                told = seen(out, "added", name)
                assert (told["port"], told["addresses"]) == (device.port, ["127.0.0.1"])
                assert told["host"] == f"lintel-{serial.lower()}.local."
                assert told["words"]["macaddress"] == serial
        seen(out, "removed", names[1])
    # The other one has come and stayed; devices of other tests come and go at the same loopback.
    events = [line["event"] for line in map(json.loads, out.read_text().splitlines()) if line["name"] == names[0]]
    assert events == ["added"]


def test_the_name_that_multicast_dns_shows_is_one_the_device_answers_to(shared_device: Device) -> None:
    until("its names", lambda: answering(shared_device, "mdns")["host"])
    host = f"{answering(shared_device, 'mdns')['host']}.local"
    url = f"http://127.0.0.1:{shared_device.port}/api/v1/device"
    assert httpx.get(url, headers={"host": host}, auth=shared_device.api.auth, timeout=PATIENCE_S).status_code == 200
    assert (
        httpx.get(url, headers={"host": "other.local"}, auth=shared_device.api.auth, timeout=PATIENCE_S).status_code
        == 421
    )


def test_a_program_for_network_video_finds_the_device_by_its_type(shared_device: Device) -> None:
    answering(shared_device, "ws_discovery")

    def probe() -> dict[str, Any] | None:
        done = subprocess.run(
            [python_with(*PROBER), str(CLIENTS / "wsd_prober.py"), "2"], capture_output=True, text=True, check=True,
            timeout=PATIENCE_S,
        )  # fmt: skip
        address = f"http://127.0.0.1:{shared_device.port}/onvif/device_service"
        return next((each for each in json.loads(done.stdout) if each["addresses"] == [address]), None)

    found = until("the device", probe)
    assert any("NetworkVideoTransmitter" in name for name in found["types"])
    assert "onvif://www.onvif.org/hardware/LINTEL-DS1" in found["scopes"]
    asked = httpx.post(found["addresses"][0], content=DATE_AND_TIME, timeout=PATIENCE_S)
    assert "UTCDateTime" in asked.text, "what is announced answers, before anybody logs in"


def test_a_upnp_program_finds_the_device_and_reads_what_it_is(shared_device: Device) -> None:
    headers = searched(f":{shared_device.port}/")
    answer = httpx.get(headers["LOCATION"], timeout=PATIENCE_S)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    device = ElementTree.fromstring(answer.text).find(f"{UPNP}device")
    assert device is not None
    told = {each.tag.removeprefix(UPNP): each.text for each in device}
    assert told["serialNumber"] == shared_device.api.get("/device").json()["serial"]
    assert (told["manufacturer"], told["modelNumber"], told["presentationURL"]) == ("Lintel", "LINTEL-DS1", "/")
    assert headers["USN"] == f"{told['UDN']}::upnp:rootdevice"


def test_a_switch_turns_each_protocol_off_and_a_name_is_shown_at_once(shared_device: Device, tmp_path: Path) -> None:
    change = shared_device.api.patch
    name = f"Back door {shared_device.port}"  # another run on this machine gives its own name
    with browser("_http._tcp", tmp_path / "seen") as out:
        assert change("/params/discovery", json={"mdns_name": name, "ssdp_name": "Ring here"}).status_code == 200
        try:
            seen(out, "added", name)
            until("the name of UPnP", lambda: answering(shared_device, "ssdp")["name"] == "Ring here")
            description = httpx.get(f"http://127.0.0.1:{shared_device.port}/upnp.xml", timeout=PATIENCE_S).text
            assert "<friendlyName>Ring here</friendlyName>" in description
            off = {"mdns": False, "ssdp": False, "ws_discovery": False}
            assert change("/params/discovery", json=off).status_code == 200
            seen(out, "removed", name)
            for protocol in off:
                until(f"{protocol} off", lambda name=protocol: (state(shared_device, name) or {})["adapters"] == [])
            assert httpx.get(f"http://127.0.0.1:{shared_device.port}/upnp.xml", timeout=PATIENCE_S).status_code == 404
        finally:
            usual = {"mdns": True, "ssdp": True, "ws_discovery": True, "mdns_name": "", "ssdp_name": ""}
            assert change("/params/discovery", json=usual).status_code == 200
            for protocol in ("mdns", "ssdp", "ws_discovery"):
                answering(shared_device, protocol)


def test_an_adapter_that_is_not_there_is_told_in_one_line_with_those_that_are(tmp_path: Path) -> None:
    done = lintel("run", "--state", str(tmp_path / "state"), "--discovery", "l0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lintel run --discovery: no adapter 'l0'; did you mean 'lo'?")
    assert not (tmp_path / "state").exists()


def test_a_device_whose_name_is_taken_at_one_adapter_tells_both_of_its_names(tmp_path: Path) -> None:
    told = on_a_stage("tests.live.namesake", tmp_path / "state")
    assert told["adapters"] == ["lo", "v0"]
    assert told["also"] == [f"{told['host']}-2"]


def test_row_50_over_ipv6_as_well_the_link_is_answered_and_nobody_gets_more_than_it_paid_for(tmp_path: Path) -> None:
    told = on_a_stage("tests.live.cable6", tmp_path / "state", LINTEL_BROWSER=python_with(*BROWSER))
    assert told["answered"] == 6, told  # all three protocols, to link-local addresses and to those of the prefix
    assert told["browsed"] == ["2001:db8:0:1::1", "fe80::1"], told
    assert told["foreign_packets"] == 0, told
    assert told["asked_alone"] == 0, told
    assert told["worst_ratio"] <= 2.0, told
    assert told["flood_bytes_out"] <= told["flood_bytes_in"] / 10, told


def test_row_50_spoofed_and_foreign_sources_make_the_device_send_no_more_than_they_paid_for(tmp_path: Path) -> None:
    """On a cable of its own, between two network namespaces: docs/security.md has the bounds."""
    told = on_a_stage("tests.live.cable", tmp_path / "state")
    assert told["answered"] >= 3, told  # honest questions of all three protocols
    assert told["foreign_packets"] == 0, told
    assert told["worst_ratio"] <= 2.0, told
    assert told["flood_bytes_out"] <= told["flood_bytes_in"] / 10, told
