"""The VAPIX-compatible face as programs use it: forms sent as text, envelopes, sentences that clients look for."""

from __future__ import annotations

import io
import tarfile
import time
import tracemalloc
import zipfile
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.bench.sim import SimBench

EVENT = "{http://www.axis.com/vapix/ws/event1}"


async def text(bench: SimBench, path: str, **how: Any) -> str:
    """The text an address answers."""
    answer = await bench.http("GET", f"/axis-cgi/{path}", **how)
    assert answer.status_code == 200, (path, answer.status_code, answer.text)
    return answer.text


async def call(bench: SimBench, path: str, method: str, params: Any = None, **how: Any) -> dict[str, Any]:
    """What a JSON address answers."""
    body = {"apiVersion": "1.0", "context": "ours", "method": method}
    if params is not None:
        body["params"] = params
    answer = await bench.http("POST", f"/axis-cgi/{path}", json=body, **how)
    assert answer.status_code == 200, (path, answer.status_code, answer.text)
    found: dict[str, Any] = answer.json()
    assert found["context"] == "ours"
    assert found["method"] == method
    return found


async def test_the_parameter_tree_lists_groups_in_any_case_and_says_what_it_does_not_know(bench: SimBench) -> None:
    brand = await text(bench, "param.cgi?action=list&group=brand")
    assert "root.Brand.ProdNbr=LINTEL-DS1\n" in brand
    both = await text(bench, "param.cgi?action=list&group=root.Properties.System.SerialNumber,Nope")
    first, second = both.splitlines()
    assert first.startswith("root.Properties.System.SerialNumber=")
    assert len(first.partition("=")[2]) == 12
    assert second == "# Error: Error -1 getting param in group 'Nope'"
    wild = await text(bench, "param.cgi?action=list&group=IOPort.*.Direction")
    assert [line.partition("=")[0] for line in wild.splitlines()] == [
        f"root.IOPort.I{number}.Direction" for number in range(4)
    ]


async def test_a_good_list_never_holds_the_word_error(bench: SimBench) -> None:
    assert "error" not in (await text(bench, "param.cgi?action=list")).lower()


async def test_a_form_sent_as_text_changes_a_port_and_the_change_is_seen_everywhere(bench: SimBench) -> None:
    body = "action=update&IOPort.I0.Direction=output&root.IOPort.I1.Input.Name=gate%20bell"
    answer = await bench.http(
        "POST", "/axis-cgi/param.cgi", content=body.encode(), headers={"content-type": "text/plain"}
    )
    assert answer.text == "OK\n"
    ports = await call(bench, "io/portmanagement.cgi", "getPorts")
    items = ports["data"]["items"]
    assert (items[0]["direction"], items[1]["name"]) == ("output", "gate bell")
    assert "root.IOPort.I0.Output.Active=closed\n" in await text(bench, "param.cgi?action=list&group=IOPort.I0")


async def test_a_wrong_value_is_refused_by_name_and_nothing_is_written(bench: SimBench) -> None:
    wrong = await text(bench, "param.cgi?action=update&IOPort.I0.Direction=sideways")
    assert wrong.splitlines()[0] == "# Error: Error setting 'IOPort.I0.Direction' to 'sideways'!"
    misspelt = await text(bench, "param.cgi?action=update&IOPort.I0.Directoin=output&IOPort.I1.Direction=output")
    assert "did you mean 'IOPort.I0.Direction'" in misspelt
    ports = await call(bench, "io/portmanagement.cgi", "getPorts")
    assert {item["direction"] for item in ports["data"]["items"]} == {"input"}


async def test_definitions_are_xml_with_the_types_of_the_tree(bench: SimBench) -> None:
    answer = await text(bench, "param.cgi?action=listdefinitions&listformat=xmlschema&group=IOPort.I0")
    top = ElementTree.fromstring(answer)
    space = top.tag.partition("}")[0] + "}"
    parameters = {each.get("name"): each for each in top.iter(f"{space}parameter")}
    entries = [each.get("value") for each in parameters["Direction"].iter(f"{space}entry")]
    assert entries == ["input", "output"]
    assert parameters["Usage"].find(f"{space}type").get("readonly") == "true"  # type: ignore[union-attr]


async def test_a_sequence_on_a_port_runs_in_its_own_time_after_the_answer(bench: SimBench) -> None:
    await text(bench, "param.cgi?action=update&IOPort.I0.Direction=output")
    assert await text(bench, r"io/port.cgi?action=1:/300\500/200\ ".strip()) == ""
    await bench.advance(2.0)
    pulses = bench.loop("port:io1").traces["output"].pulses()
    first, second = pulses
    bench.measure("first_s", round(first.width_s, 3), 0.3)
    bench.measure("second_s", round(second.width_s, 3), 0.2)
    bench.measure("from_first_to_second_s", round(second.t_s - first.t_s, 3), 0.8)


async def test_a_sequence_that_is_none_moves_nothing_and_is_refused_in_one_line(bench: SimBench) -> None:
    await text(bench, "param.cgi?action=update&IOPort.I0.Direction=output")
    for action in ("1", ":", "1:", "1:x", "1:/5x", "1:/99999999999/", "9:/", "1:" + "/1\\1" * 40):
        answer = await bench.http("GET", "/axis-cgi/io/port.cgi", params={"action": action})
        assert answer.status_code in (400, 404), action
        assert len(answer.text.splitlines()) == 1
    await bench.advance(1.0)
    assert bench.loop("port:io1").traces["output"].pulses() == ()


async def test_port_states_are_told_in_three_ways(bench: SimBench) -> None:
    bench.loop("port:io2").set("closed")
    await bench.event("io/port", port="io2", active=True)
    assert await text(bench, "io/port.cgi?check=1,2") == "port1=0\nport2=1\n"
    assert await text(bench, "io/port.cgi?checkactive=2") == "port2=active\n"
    assert await text(bench, "io/port.cgi?checkdirection=2") == "port2=input\n"


async def test_setting_several_ports_does_what_it_can_and_tells_the_first_refusal(bench: SimBench) -> None:
    wishes = {"ports": [{"port": "0", "direction": "output"}, {"port": "7", "name": "x"}, {"port": "1", "name": "b"}]}
    answer = await call(bench, "io/portmanagement.cgi", "setPorts", wishes)
    assert answer["error"]["code"] == 2104
    assert answer["error"]["details"]["port"] == "7"
    items = (await call(bench, "io/portmanagement.cgi", "getPorts"))["data"]["items"]
    assert (items[0]["direction"], items[1]["name"]) == ("output", "b")


async def test_a_virtual_input_goes_active_for_its_duration(bench: SimBench) -> None:
    answer = await text(bench, "virtualinput/activate.cgi?schemaversion=1&port=3&duration=2")
    assert "<StateChanged>true</StateChanged>" in answer
    again = await text(bench, "virtualinput/activate.cgi?schemaversion=1&port=3&duration=2")
    assert "<StateChanged>false</StateChanged>" in again
    await bench.advance(3.0)
    assert [state.active for state in bench.states("io/virtual_input") if state.input == 3] == [False]
    for query, code in (("port=3", 10), ("schemaversion=1&port=65", 20), ("schemaversion=7&port=1", 30)):
        assert f"<ErrorCode>{code}</ErrorCode>" in await text(bench, f"virtualinput/activate.cgi?{query}")


async def test_accounts_are_made_changed_and_removed_in_the_sentences_that_clients_look_for(bench: SimBench) -> None:
    made = await bench.http("GET", "/axis-cgi/pwdgrp.cgi?action=add&user=joe&pwd=secret&grp=users&sgrp=viewer:operator")
    assert "Created account joe." in made.text
    assert made.headers["content-type"].startswith("text/html")
    again = await text(bench, "pwdgrp.cgi?action=add&user=joe&pwd=secret&grp=users&sgrp=viewer")
    assert "Error: this user name already exists, consult the system log file" in again
    groups = dict(line.split("=", 1) for line in (await text(bench, "pwdgrp.cgi?action=get")).splitlines())
    assert set(groups) == {"admin", "operator", "viewer", "ptz", "digusers"}
    assert "joe" in groups["operator"]
    assert "joe" not in groups["admin"]
    assert "Modified account joe." in await text(bench, "pwdgrp.cgi?action=update&user=joe&sgrp=viewer")
    assert (await text(bench, "usergroup.cgi", auth=("joe", "secret"))).split() == ["joe", "joe", "viewer"]
    assert "Removed account joe." in await text(bench, "pwdgrp.cgi?action=remove&user=joe")
    assert "Error: account user name." in await text(bench, "pwdgrp.cgi?action=remove&user=../etc")


async def test_row_44_a_stranger_sees_only_what_is_listed_as_open(bench: SimBench) -> None:
    open_ = (
        ("apidiscovery.cgi", "getApiList"),
        ("systemready.cgi", "systemready"),
        ("basicdeviceinfo.cgi", "getAllUnrestrictedProperties"),
    )
    nobody = bench.stranger()
    for path, method in open_:
        answer = await nobody.post(f"/axis-cgi/{path}", json={"apiVersion": "1.0", "method": method})
        assert answer.status_code == 200, path
    for path in ("param.cgi?action=list", "usergroup.cgi", "restart.cgi", "pwdgrp.cgi?action=get", "nope.cgi"):
        answer = await nobody.get(f"/axis-cgi/{path}")
        assert answer.status_code == 401, path
        assert "algorithm=MD5" in answer.headers["www-authenticate"]
    all_of_it = {"apiVersion": "1.0", "method": "getAllProperties"}
    assert (await nobody.post("/axis-cgi/basicdeviceinfo.cgi", json=all_of_it)).status_code == 401


async def test_discovery_names_only_what_answers(bench: SimBench) -> None:
    listed = (await call(bench, "apidiscovery.cgi", "getApiList"))["data"]["apiList"]
    assert {"api-discovery", "basic-device-info", "io-port-management", "param-cgi"} <= {api["id"] for api in listed}
    some = (await call(bench, "apidiscovery.cgi", "getApiList", {"id": "io-*"}))["data"]["apiList"]
    assert [api["id"] for api in some] == ["io-port-management"]
    assert (await call(bench, "apidiscovery.cgi", "getApiList", {"id": "nope"}))["data"]["apiList"] == []


ENVELOPES = (
    (b"{", 4000),
    (b"[" * 100_000, 4000),
    (b'{"apiVersion":"1.0"}', 4002),
    (b'{"apiVersion":"9.0","method":"getAllProperties"}', 2003),
    (b'{"apiVersion":"1.0","method":"getEverything"}', 2004),
    (b'{"apiVersion":"1.0","method":"getProperties","params":{"propertyList":["Colour"]}}', 1000),
    (b'{"apiVersion":"1.0","method":"getProperties","params":[]}', 1000),
)


async def test_a_bad_envelope_is_answered_in_the_envelope(bench: SimBench) -> None:
    for body, code in ENVELOPES:
        answer = await bench.http("POST", "/axis-cgi/basicdeviceinfo.cgi", content=body)
        assert answer.status_code == 200
        assert answer.json()["error"]["code"] == code, body[:80]


async def test_every_version_asked_for_is_one_that_is_listed(bench: SimBench) -> None:
    body = {"method": "getSupportedVersions"}
    versions = (await bench.http("POST", "/axis-cgi/io/portmanagement.cgi", json=body)).json()["data"]["apiVersions"]
    for version in (*versions, "1"):
        request = {"apiVersion": version, "method": "getPorts"}
        answer = (await bench.http("POST", "/axis-cgi/io/portmanagement.cgi", json=request)).json()
        assert "data" in answer, answer


def soap(inner: str) -> bytes:
    """A request in its envelope."""
    return (
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{inner}</s:Body></s:Envelope>'.encode()
    )


async def test_event_declarations_list_the_ports_this_device_has(bench: SimBench) -> None:
    ask = soap('<GetEventInstances xmlns="http://www.axis.com/vapix/ws/event1"/>')
    answer = await bench.http("POST", "/vapix/services", content=ask)
    assert answer.status_code == 200
    assert "<tns1:Device><tnsaxis:IO><Port " in answer.text
    top = ElementTree.fromstring(answer.text)
    port = next(each for each in top.iter() if each.tag == "Port")
    values = [each.text for each in port.find(f".//{EVENT}SourceInstance").iter(f"{EVENT}Value")]  # type: ignore[union-attr]
    assert values == ["0", "1", "2", "3"]


HOSTILE = (
    b'<!DOCTYPE a [<!ENTITY x "xxxx">]>' + soap("<a>&x;</a>"),
    b"<a>" * 10_000,
    soap("<a>" * 70 + "</a>" * 70),
    soap("<a/>" * 6000),
    b"\xff\xfe",
    b'<?xml version="1.0" encoding="klingon"?><a/>',
    soap('<Nothing xmlns="http://www.axis.com/vapix/ws/event1"/>'),
    b"<a/>",
)


async def test_firmware_is_told_by_its_slots_and_what_cannot_be_done_has_its_number(bench: SimBench) -> None:
    path = "firmwaremanagement.cgi"
    version = bench.states("device/info")[0].version
    data = (await call(bench, path, "status"))["data"]
    assert data["activeFirmwareVersion"] == version
    assert data["activeFirmwarePart"] == bench.states("upgrade/state")[0].running
    for method, params, code in (
        ("rollback", None, 404),
        ("commit", None, 412),
        ("purge", None, 417),
        ("factoryDefault", {"factoryDefaultMode": "warm"}, 400),
        ("factoryDefault", None, 400),
        ("upgrate", None, 405),
    ):
        answer = await call(bench, path, method, params)
        assert answer["error"]["code"] == code, (method, answer)
    assert (await call(bench, path, "stopAuto"))["data"] == {}
    assert bench.events("device/restart") == []
    assert (await call(bench, path, "reboot"))["data"] == {}
    assert len(bench.events("device/restart")) == 1


async def test_factory_default_by_the_firmware_interface_keeps_nothing(bench: SimBench) -> None:
    await bench.enrol("H10301:42:1234")
    starts = bench.starts
    await call(bench, "firmwaremanagement.cgi", "factoryDefault", {"factoryDefaultMode": "hard"})
    await bench.restarted(starts)
    assert not bench.was_set_up
    assert (await bench.api("GET", "/entries")).json()["total"] == 0


async def test_remote_system_logs_are_set_up_all_or_none_and_seen_in_the_parameters(bench: SimBench) -> None:
    path = "remotesyslog.cgi"
    assert (await call(bench, path, "status"))["data"] == {"enabled": False, "servers": []}
    assert (await call(bench, path, "enable"))["error"]["code"] == 2200
    server = {"address": "192.0.2.9", "port": 6000, "protocol": "TCP", "syslogFormat": "RFC3164", "severity": "warning"}
    assert (await call(bench, path, "setup", {"servers": [server]}))["data"] == {}
    assert (await call(bench, path, "status"))["data"] == {"enabled": True, "servers": [server]}
    kept = (await bench.param("syslog"))["servers"]
    assert [(each["host"], each["protocol"], each["format"]) for each in kept] == [("192.0.2.9", "tcp", "rfc3164")]
    for servers, code in (
        ([server, server], 2201),
        ([{**server, "port": number} for number in range(1, 6)], 2203),
        ([{**server, "protocol": "carrier pigeon"}], 2104),
        ([{**server, "severity": "dreadful"}], 2104),
        ([{**server, "port": 0}], 2104),
        ([{"port": 1}], 2103),
    ):
        answer = await call(bench, path, "setup", {"servers": servers})
        assert answer["error"]["code"] == code, (servers, answer)
    assert "servers: []" in (await call(bench, path, "disable"))["error"]["message"]
    assert (await bench.param("syslog"))["servers"] == kept


async def test_a_device_that_is_looked_for_shows_itself_for_as_long_as_asked(bench: SimBench) -> None:
    await call(bench, "findmydevice.cgi", "find", {"duration": 5})
    await bench.settle()
    assert bench.states("device/identify")[0].active
    await bench.advance(6.0)
    assert not bench.states("device/identify")[0].active
    await call(bench, "findmydevice.cgi", "find", {})
    await call(bench, "findmydevice.cgi", "stop")
    await bench.settle()
    assert not bench.states("device/identify")[0].active
    assert (await call(bench, "findmydevice.cgi", "find", {"duration": 0}))["error"]["code"] == 2104


async def test_there_are_no_applications_and_the_rest_interface_is_where_discovery_says(bench: SimBench) -> None:
    assert ElementTree.fromstring(await text(bench, "applications/list.cgi")).attrib == {"result": "ok"}
    assert await text(bench, "applications/control.cgi?action=start&package=x") == "Error: 4\n"
    native = (await bench.http("GET", "/config/discover")).json()["apis"]["lintel"]["v1"]
    assert (await bench.http("GET", native["rest_openapi"])).json()["info"]["title"] == "Lintel native API"


async def test_row_38_ping_and_port_check_reach_neither_the_device_itself_nor_what_is_no_host(bench: SimBench) -> None:
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", "169.254.7.7"):
        for path in (f"pingtest.cgi?ip={host}", f"tcptest.cgi?address={host}&port=80"):
            answer = await bench.http("GET", f"/axis-cgi/{path}")
            assert answer.status_code == 403, (path, answer.text)
    for path, says in (
        ("pingtest.cgi", "'' is neither an address nor a name"),
        ("pingtest.cgi?ip=;reboot", "is neither an address nor a name"),
        ("pingtest.cgi?ip=$(id)", "is neither an address nor a name"),
        ("tcptest.cgi?address=192.0.2.1&port=65536", "'65536' is not a port"),
        ("tcptest.cgi?address=192.0.2.1", "'' is not a port"),
    ):
        answer = await bench.http("GET", f"/axis-cgi/{path}")
        assert answer.status_code == 400
        assert says in answer.text


async def test_row_47_a_report_tells_what_helps_and_keeps_cards_and_secrets_to_itself(bench: SimBench) -> None:
    await bench.enrol("H10301:42:1234", pin="27182818", name="Ada")
    await bench.reader("front").swipe("H10301:42:1234")
    await bench.settle()
    await bench.reader("front").keys("27182818#")
    await bench.event("access/granted")
    bits = bench.events("access/card")[0].bits
    report = await text(bench, "serverreport.cgi")
    assert "Server Report Start" in report.splitlines()
    for title in ("device", "services", "network", "states", "parameters", "journal"):
        assert f"----- {title} -----" in report
    assert "LINTEL-DS1" in report
    assert "control/journal: running" in report
    assert "access/granted" in report
    for secret in ("H10301:42:1234", bits, "27182818", "bench-password"):
        assert secret not in report
    packed = await bench.http("GET", "/axis-cgi/serverreport.cgi?mode=zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["server_report.txt"]
    seen = await bench.http("GET", "/axis-cgi/serverreport.cgi?mode=zip_with_image")
    with zipfile.ZipFile(io.BytesIO(seen.content)) as archive:  # no camera runs on this bench: it says so
        assert b"there is no picture" in archive.read("image.txt")
    for path in ("serverreport.cgi?mode=tar_all", "debug/debug.tgz"):
        answer = await bench.http("GET", f"/axis-cgi/{path}")
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            names = archive.getnames()
        assert {"server_report.txt", "system.log", "access.log", "audit.log"} <= set(names)
    assert (await bench.http("GET", "/axis-cgi/serverreport.cgi?mode=pdf")).status_code == 400
    assert (await bench.http("GET", "/axis-cgi/debug/debug.tgz?listen")).status_code == 501
    wrong = await bench.http("GET", "/axis-cgi/debug/debug.tgz?cmd=pcapdump&interface=eth99")
    assert "valid: " in wrong.text


async def test_each_log_has_what_belongs_to_it(bench: SimBench) -> None:
    made = await text(bench, "pwdgrp.cgi?action=add&user=joe&pwd=secret&grp=users&sgrp=viewer")
    assert "Created account joe." in made
    await bench.http("GET", "/axis-cgi/param.cgi", auth=("mallory", "x"))
    await bench.settle()
    system = (await text(bench, "systemlog.cgi")).splitlines()
    assert system[0] == "----- System log -----"
    assert any("device/info" in line and "[ INFO    ]" in line for line in system)
    assert len((await text(bench, "systemlog.cgi?text=LINTEL-DS1")).splitlines()) == 2
    assert "log-in failed" in await text(bench, "accesslog.cgi")
    audit = await text(bench, "auditlog.cgi?text=account&tail=1")
    assert len(audit.splitlines()) == 2
    assert "account joe (viewer)" in audit


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
LARGE = (
    f'<!DOCTYPE a [<!ENTITY l0 "{"ha" * 1000}">{LAUGHS}]>'.encode() + soap("<a>&l9;</a>"),
    b"<a>" * 80_000,
    soap("<a/>" * 60_000),
    soap(f'<a b="{"x" * 240_000}"/>'),
    soap("<a " + " ".join(f'a{n}="1"' for n in range(20_000)) + "/>"),
    soap("<a " + " ".join(f'xmlns:a{n}="u:{n}"' for n in range(9_000)) + "/>"),
    soap("&#65;" * 48_000),
    soap("<![CDATA[x]]>" * 18_000),
    soap("<!--" + "-x" * 100_000 + "-->"),
)


async def effort(bench: SimBench, document: bytes) -> tuple[float, int]:
    """The least processor time of three requests with a document, and the most memory they took."""
    times, peaks = [], []
    for _ in range(3):
        tracemalloc.reset_peak()
        before, began = tracemalloc.get_traced_memory()[0], time.process_time()
        answer = await bench.http("POST", "/vapix/services", content=document)
        times.append(time.process_time() - began)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        assert answer.status_code == 400, document[:80]
        assert "SOAP-ENV:Fault" in answer.text
    return min(times), max(peaks)


async def test_row_37_xml_that_could_hurt_gets_a_fault(bench: SimBench) -> None:
    for document in HOSTILE:
        answer = await bench.http("POST", "/vapix/services", content=document)
        assert answer.status_code == 400, document[:80]
        assert "SOAP-ENV:Fault" in answer.text


@pytest.mark.simulator(
    "what a request costs is measured in the process of the test: the device is in it on the simulator alone"
)
async def test_row_37_large_hostile_xml_costs_little_more_than_harmless_text_of_its_size(bench: SimBench) -> None:
    tracemalloc.start()
    try:
        harmless, _ = await effort(bench, soap(f"<Nothing>{'x' * 240_000}</Nothing>"))
        for document in LARGE:
            took, peak = await effort(bench, document)
            assert took < 100 * harmless, document[:80]  # measured: 16 to 30 times; what is quadratic takes thousands
            assert peak < 10 * 1024 * 1024, document[:80]
    finally:
        tracemalloc.stop()


async def test_row_39_a_browser_led_here_from_another_site_changes_nothing(bench: SimBench) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = await bench.http("GET", "/axis-cgi/restart.cgi", headers=headers)
    assert answer.status_code == 403
    assert bench.events("device/restart") == []


async def test_restart_is_answered_first_and_carried_out_then(bench: SimBench) -> None:
    answer = await bench.http("GET", "/axis-cgi/restart.cgi")
    assert "restartMessage.shtml?server=127.0.0.1" in answer.text
    assert len(bench.events("device/restart")) == 1


async def test_a_picture_is_as_large_as_asked_for_and_a_wrong_wish_is_named(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    for query, size in (("", (1280, 720)), ("?camera=1&resolution=320x180&compression=80&nocache=17", (320, 180))):
        answer = await bench.http("GET", f"/axis-cgi/jpg/image.cgi{query}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert jpeg_size(answer.content) == size
        told = await text(bench, f"imagesize.cgi{query}")
        assert told == f"image width = {size[0]}\nimage height = {size[1]}\n"
    for query, says in (
        ("resolution=321x180", "did you mean '320x180'?"),
        ("compression=101", "'101' is not a whole number from 0 to 100"),
        ("camera=2", "no camera '2'"),
    ):
        for path in ("jpg/image.cgi", "mjpg/video.cgi"):
            answer = await bench.http("GET", f"/axis-cgi/{path}?{query}")
            assert answer.status_code == 400
            assert says in answer.text
    assert "more than the 30 a second" in (await bench.http("GET", "/axis-cgi/mjpg/video.cgi?fps=31")).text
    assert await text(bench, "videostatus.cgi?status=1") == "Video 1 = video\n"
    camera.unplug()
    await camera.shows("no_signal")
    assert await text(bench, "videostatus.cgi?status=1") == "Video 1 = no video\n"
    assert (await bench.http("GET", "/axis-cgi/jpg/image.cgi")).status_code == 503


def jpeg_size(data: bytes) -> tuple[int, int]:
    """The size a picture really has."""
    return Image.open(io.BytesIO(data)).size


async def test_the_light_of_the_device_is_switched_by_light_control_and_told_as_an_event(bench: SimBench) -> None:
    path, light = "lightcontrol.cgi", {"lightID": "led0"}
    (api,) = (await call(bench, "apidiscovery.cgi", "getApiList", {"id": "light-control"}))["data"]["apiList"]
    assert api["version"] == "1.1"
    (found,) = (await call(bench, path, "getLightInformation"))["data"]["items"]
    assert (found["lightID"], found["enabled"], found["lightState"]) == ("led0", True, False)
    for method, on, intensity in (("activateLight", True, 100), ("deactivateLight", False, 0)):
        assert (await call(bench, path, method, light))["data"] == {}
        assert bench.states("video/day_night")[0].illumination is on
        assert (await call(bench, path, "getLightStatus", light))["data"] == {"status": on}
        assert (await call(bench, path, "getCurrentIntensity", light))["data"] == {"intensity": intensity}
    assert (await call(bench, path, "getValidIntensity", light))["data"] == {"ranges": [{"low": 100, "high": 100}]}
    assert (
        "one intensity"
        in (await call(bench, path, "setManualIntensity", {**light, "intensity": 7}))["error"]["message"]
    )
    wrong = await call(bench, path, "activateLight", {"lightID": "led1"})
    assert (wrong["error"]["code"], "there is led0" in wrong["error"]["message"]) == (2104, True)
    assert (await call(bench, path, "disableLight", light))["data"] == {}
    assert (await bench.param("day_night"))["allow_illumination"] is False
    assert (await call(bench, path, "getLightInformation"))["data"]["items"][0]["enabled"] is False
    refused = await call(bench, path, "activateLight", light)
    assert "allow_illumination" in refused["error"]["message"]


async def test_the_tree_has_cameras_and_no_profiles(bench: SimBench) -> None:
    tree = await text(bench, "param.cgi?action=list&group=Image,Properties.Image,StreamProfile")
    lines = dict(line.split("=", 1) for line in tree.splitlines())
    assert lines["root.Properties.Image.Format"] == "jpeg,mjpeg"
    assert lines["root.Image.NbrOfConfigs"] == "1"
    assert lines["root.Image.I0.Name"] == "entrance"
    assert lines["root.StreamProfile.MaxGroups"] == "0"
    profiles = await call(bench, "streamprofile.cgi", "list", {"streamProfileName": []})
    assert profiles["data"] == {"streamProfile": [], "maxProfiles": 0}
    areas = await call(bench, "viewarea/info.cgi", "list")
    assert areas["data"]["viewAreas"] == [{"id": 1, "source": 1, "camera": 1, "configurable": False}]


@pytest.mark.board("network_speaker")
async def test_a_device_without_a_camera_has_no_addresses_for_one(bench: SimBench) -> None:
    listed = {api["id"] for api in (await call(bench, "apidiscovery.cgi", "getApiList"))["data"]["apiList"]}
    assert "stream-profiles" not in listed
    for path in ("jpg/image.cgi", "mjpg/video.cgi", "streamprofile.cgi", "imagesize.cgi"):
        assert (await bench.http("GET", f"/axis-cgi/{path}")).status_code == 404, path
    assert "getting param in group 'Image'" in await text(bench, "param.cgi?action=list&group=Image")
