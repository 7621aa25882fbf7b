"""The address that WS-Discovery names: what a program asks there before anything else."""

from __future__ import annotations

from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import httpx

from tests.bench.sim import SimBench

ZONE = ZoneInfo("Europe/Stockholm")
PATH = "/onvif/device_service"
TDS, TT = "{http://www.onvif.org/ver10/device/wsdl}", "{http://www.onvif.org/ver10/schema}"
ASK = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    '<{name} xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
)


def inside(answer: httpx.Response) -> ElementTree.Element:
    """What the Body of an answer holds."""
    assert answer.status_code == 200, answer.text
    return ElementTree.fromstring(answer.text)[0][0]


async def test_a_stranger_reads_date_and_time_and_nothing_else(bench: SimBench) -> None:
    await bench.params("place", time_zone=ZONE.key)
    await bench.settle()
    now = bench.clock.utc()
    async with bench.stranger() as client:
        told = inside(await client.post(PATH, content=ASK.format(name="GetSystemDateAndTime")))
        for name in ("GetDeviceInformation", "GetServices", "GetCapabilities"):
            assert (await client.post(PATH, content=ASK.format(name=name))).status_code == 401
        unknown = await client.post(PATH, content=ASK.format(name="GetUsers"))
        assert unknown.status_code == 400
    assert [told.findtext(f".//{TT}UTCDateTime//{TT}{part}") for part in ("Year", "Hour", "Minute")] == [
        str(now.year), str(now.hour), str(now.minute),
    ]  # fmt: skip
    local = now.astimezone(ZONE)
    assert told.findtext(f".//{TT}LocalDateTime//{TT}Hour") == str(local.hour)
    assert told.findtext(f".//{TT}TZ") == ("CEST-2" if local.dst() else "CET-1")
    assert told.findtext(f".//{TT}DateTimeType") == "NTP"


async def test_whoever_logs_in_reads_what_it_is_and_that_there_is_no_other_service(bench: SimBench) -> None:
    serial = (await bench.api("GET", "/device")).json()["serial"]
    told = inside(await bench.http("POST", PATH, content=ASK.format(name="GetDeviceInformation")))
    assert told.findtext(f"{TDS}SerialNumber") == serial
    assert told.findtext(f"{TDS}Model") == "LINTEL-DS1"
    services = inside(await bench.http("POST", PATH, content=ASK.format(name="GetServices")))
    assert [each.text for each in services.iter(f"{TDS}XAddr")] == [f"{bench.origin}{PATH}"]
    capabilities = inside(await bench.http("POST", PATH, content=ASK.format(name="GetCapabilities")))
    assert [each.tag for each in capabilities[0]] == [f"{TT}Device"]
