"""Time and place: what is set, who may, and that no door notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.bench.sim import SimBench

pytestmark = pytest.mark.simulator("a known day, and systemd that sets clock and zone, are the simulator's")

CARD = "H10301:42:1234"
OFFICE = {"windows": [{"days": ["mon"], "start": "14:00", "end": "15:00"}]}


async def call(bench: SimBench, path: str, method: str, params: Any = None) -> dict[str, Any]:
    """What a JSON address answers."""
    body = {"apiVersion": "1.0", "method": method, "params": params or {}}
    answer: dict[str, Any] = (await bench.http("POST", f"/axis-cgi/{path}", json=body)).json()
    return answer


async def test_the_time_is_told_in_the_zone_of_the_place(bench: SimBench) -> None:
    data = (await call(bench, "time.cgi", "getDateTimeInfo"))["data"]
    assert data["dateTime"] == bench.clock.utc().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (data["timeZone"], data["maxYearSupported"], data["dstEnabled"]) == ("UTC", 2069, False)
    assert "Europe/Berlin" in (await call(bench, "time.cgi", "getAll"))["data"]["timeZones"]
    assert (await call(bench, "time.cgi", "setTimeZone", {"timeZone": "Europe/Berlin"}))["data"] == {}
    data = (await call(bench, "time.cgi", "getDateTimeInfo"))["data"]
    there = bench.clock.utc() + timedelta(hours=2)  # in June
    assert data["localDateTime"] == there.strftime("%Y-%m-%dT%H:%M:%S")
    assert (data["timeZone"], data["posixTimeZone"], data["dstEnabled"]) == ("Europe/Berlin", "CEST-2", True)
    assert (await bench.param("place"))["time_zone"] == "Europe/Berlin"


async def test_a_schedule_without_a_zone_goes_by_that_of_the_place(bench: SimBench) -> None:
    """It is Monday noon in Greenwich and two o'clock in Berlin."""
    await bench.params("access", schedules={"office": OFFICE})
    await bench.enrol(card=CARD, schedule="office")
    await bench.reader("front").swipe(CARD)
    denied = await bench.event("access/denied")
    assert denied.reason == "outside schedule"
    await bench.params("place", time_zone="Europe/Berlin")
    await bench.settle()
    await bench.reader("front").swipe(CARD)
    await bench.event("access/granted")


@pytest.mark.parametrize(
    ("method", "params", "complaint"),
    [
        ("setTimeZone", {"timeZone": "Europe/Berlim"}, "did you mean 'Europe/Berlin'"),
        ("setTimeZone", {}, "Missing parameter: timeZone"),
        ("setPosixTimeZone", {"posixTimeZone": "CET-1CEST", "enableDst": True}, "name a zone by setTimeZone"),
        ("setPosixTimeZone", {"posixTimeZone": "XXX-15"}, "only whole hours"),
        ("setDateTime", {"dateTime": "yesterday"}, "'yesterday' is not an instant of UTC"),
        ("setDateTime", {"dateTime": "2026-01-31T12:00:00"}, "is not an instant of UTC"),
        ("setDateTime", {"dateTime": "2101-01-31T12:00:00Z"}, "2069-12-31"),
        ("setDateTime", {"dateTime": "2026-01-31T12:00:00Z"}, "switch clock.ntp off first"),
    ],
)
async def test_a_time_that_cannot_be_is_refused_in_one_sentence(
    bench: SimBench, method: str, params: dict[str, Any], complaint: str
) -> None:
    error = (await call(bench, "time.cgi", method, params))["error"]
    assert complaint in error["message"]
    assert (await bench.param("place"))["time_zone"] == "UTC"


async def test_a_posix_zone_of_whole_hours_is_a_zone_with_a_name(bench: SimBench) -> None:
    assert (await call(bench, "time.cgi", "setPosixTimeZone", {"posixTimeZone": "CST6", "enableDst": False}))[
        "data"
    ] == {}
    assert (await bench.param("place"))["time_zone"] == "Etc/GMT+6"
    data = (await call(bench, "time.cgi", "getDateTimeInfo"))["data"]
    assert data["localDateTime"] == (bench.clock.utc() - timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%S")
    assert (await call(bench, "time.cgi", "resetTimeZone"))["data"] == {}
    assert (await bench.param("place"))["time_zone"] == "UTC"


async def test_time_servers_are_set_told_and_refused_with_their_name(bench: SimBench) -> None:
    wish = {"enabled": True, "staticServers": ["pool.ntp.org", "192.0.2.1"]}
    assert (await call(bench, "ntp.cgi", "setNTPClientConfiguration", wish))["data"] == {}
    client = (await call(bench, "ntp.cgi", "getNTPInfo"))["data"]["client"]
    assert (client["enabled"], client["staticServers"]) == (True, ["pool.ntp.org", "192.0.2.1"])
    for bad, complaint in (
        ({"staticServers": ["http://pool"]}, "'http://pool' is neither a name nor an address"),
        ({"staticServers": ["a", "b", "c", "d", "e", "f"]}, "at most 5"),
        ({"NTSEnabled": True}, "without NTS"),
        ({"serversSource": "DHCP"}, "static ones are"),
        ({}, "Missing parameter"),
    ):
        assert complaint in (await call(bench, "ntp.cgi", "setNTPClientConfiguration", bad))["error"]["message"]
    assert (await bench.param("clock"))["ntp_servers"] == ["pool.ntp.org", "192.0.2.1"]


async def test_a_simulated_device_says_that_it_has_no_clock_of_its_own(bench: SimBench) -> None:
    await bench.params("clock", ntp=False)
    error = (await call(bench, "time.cgi", "setDateTime", {"dateTime": "2026-07-01T12:00:00Z"}))["error"]
    assert "simulated device has the clock of its computer" in error["message"]


@pytest.mark.parametrize("step", [timedelta(days=400), timedelta(hours=-3)])
async def test_a_clock_that_is_set_while_the_door_is_open_moves_no_relay(bench: SimBench, step: timedelta) -> None:
    """Whoever sets the clock, the door is released for 7.000 s; the next decision goes by the new time."""
    await bench.enrol(card=CARD, valid_to=(bench.clock.utc() + timedelta(hours=1)).isoformat())
    await bench.reader("front").swipe(CARD)
    await bench.event("access/granted")
    await bench.advance(2.0)
    bench.clock.step_utc(step.total_seconds())
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    await bench.reader("front").swipe(CARD)
    if step > timedelta():
        assert (await bench.event("access/denied")).reason == "no longer valid"
    else:
        await bench.until(lambda: len(bench.events("access/granted")) == 2)


async def test_logs_and_reports_as_text_tell_the_time_on_the_wall(bench: SimBench) -> None:
    await bench.params("place", time_zone="Asia/Kathmandu")
    await bench.params("clock", ntp=False)
    await bench.settle()
    here = (bench.clock.utc() + timedelta(hours=5, minutes=45)).strftime("%Y-%m-%dT%H:%M")
    log = (await bench.http("GET", "/axis-cgi/auditlog.cgi")).text.splitlines()
    assert log[-1].startswith(here)
    assert "+05:45 " in log[-1]
    report = (await bench.http("GET", "/axis-cgi/serverreport.cgi")).text
    assert f"local_time: {here}" in report.replace('"', "")
    assert "Asia/Kathmandu" in report
