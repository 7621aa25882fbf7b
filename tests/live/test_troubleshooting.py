"""Reports, ping, port check, network trace and connected clients of a running device, over its own API."""

from __future__ import annotations

import io
import json
import socket
import struct
import tarfile
import threading
import zipfile
from base64 import b64encode
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.live.device import PASSWORD, USER, Device, until
from tests.live.two_ends import on_a_stage


@pytest.fixture(scope="module")
def reaching(shared_device: Device) -> Device:
    """The device, whose tests may reach the device itself: there is no other host here."""
    assert shared_device.api.patch("/params/troubleshooting", json={"local": True}).status_code == 200
    return shared_device


def test_the_report_is_read_as_text_and_kept_as_a_zip_with_logs_and_a_picture(shared_device: Device) -> None:
    text = shared_device.api.get("/report")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    serial = shared_device.api.get("/device").json()["serial"]
    assert f"serial: {serial}" in text.text
    assert PASSWORD not in text.text

    def with_picture() -> zipfile.ZipFile | None:
        kept = shared_device.api.get("/report", params={"format": "zip"})
        assert kept.headers["content-disposition"].startswith(f'attachment; filename="server_report_{serial}_')
        archive = zipfile.ZipFile(io.BytesIO(kept.content))
        return archive if "image.jpg" in archive.namelist() else None

    archive = until("a report with a picture", with_picture)
    assert set(archive.namelist()) == {"server_report.txt", "access.log", "audit.log", "system.log", "image.jpg"}
    assert Image.open(archive.open("image.jpg")).format == "JPEG"
    assert b"logged in: admin" in archive.read("audit.log")


def test_the_crash_report_tells_of_processes_and_connections_as_well(shared_device: Device) -> None:
    kept = shared_device.api.get("/report/crash")
    with tarfile.open(fileobj=io.BytesIO(kept.content), mode="r:gz") as archive:
        assert {"server_report.txt", "system.log", "processes.txt", "clients.json"} <= set(archive.getnames())
        processes = archive.extractfile("processes.txt")
        found = archive.extractfile("clients.json")
        assert processes is not None
        assert found is not None
        told = processes.read().decode()
        assert all(f"\n{role} (" in told for role in ("control", "media", "network"))
        assert "VmRSS" in told
        assert any(each["protocol"] == "http" for each in json.load(found))


def test_a_ping_is_answered_by_this_machine_and_refused_where_it_may_not_go(reaching: Device) -> None:
    found = reaching.api.post("/ping", json={"host": "127.0.0.1"}).json()
    assert (found["address"], found["sent"], found["received"]) == ("127.0.0.1", 4, 4)
    assert all(each["took_ms"] >= 0 for each in found["echoes"])
    refused = reaching.api.post("/ping", json={"host": "169.254.169.254"})
    assert (refused.status_code, refused.json()["error"]["where"]) == (403, "ping.host")


def test_a_port_check_tells_open_from_closed(reaching: Device) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        body = {"host": "127.0.0.1", "port": door.getsockname()[1]}
        found = reaching.api.post("/port-check", json=body).json()
        assert (found["open"], found["found"], found["port"]) == (True, "open", body["port"])
    closed = reaching.api.post("/port-check", json=body).json()
    assert (closed["open"], closed["found"]) == (False, "closed (refused)")


def test_a_port_check_of_udp_tells_open_closed_and_that_nobody_can_tell(reaching: Device) -> None:
    def ask(port: int, host: str = "127.0.0.1") -> tuple[object, str]:
        body = {"host": host, "port": port, "protocol": "udp"}
        found = reaching.api.post("/port-check", json=body).json()
        assert (found["protocol"], found["port"]) == ("udp", port)
        return found["open"], found["found"]

    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as answering:
            answering.bind((host, 0))

            def answer(answering: socket.socket = answering) -> None:
                while (said := answering.recvfrom(100))[0] != b"enough":
                    answering.sendto(*said)

            service = threading.Thread(target=answer, daemon=True)
            service.start()
            port = answering.getsockname()[1]
            # Nobody can tell, where this process does not come to answer within 3 s.
            until("open", lambda port=port, host=host: ask(port, host) == (True, "open"))  # type: ignore[misc]
            with socket.socket(family, socket.SOCK_DGRAM) as last:
                last.sendto(b"enough", (host, port))
            service.join()
        assert ask(port, host) == (False, "closed (refused)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        is_open, found = ask(silent.getsockname()[1])
        assert (is_open, found.startswith("no answer within 3 s")) == (None, True)


def test_row_38_without_leave_the_device_and_its_own_network_link_cannot_be_tried(reaching: Device) -> None:
    assert reaching.api.patch("/params/troubleshooting", json={"local": False}).status_code == 200
    try:
        for host in ("127.0.0.1", "localhost", "::1", "169.254.3.4", "0.0.0.0", "::ffff:127.0.0.1"):
            for path, more in (("/ping", {}), ("/port-check", {"port": 22})):
                refused = reaching.api.post(path, json={"host": host, **more})
                assert (refused.status_code, refused.json()["error"]["code"]) == (403, "refused"), (host, refused.text)
    finally:
        assert reaching.api.patch("/params/troubleshooting", json={"local": True}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/ping", {"host": "a b"}, "ping.host"),
        ("/ping", {"host": ""}, "ping.host"),
        ("/ping", {"hots": "x"}, "ping.hots"),
        ("/port-check", {"host": "127.0.0.1", "port": 0}, "port_check.port"),
        ("/port-check", {"host": "127.0.0.1"}, "port_check.port"),
        ("/port-check", {"host": "127.0.0.1", "port": 53, "protocol": "upd"}, "port_check.protocol"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    shared_device: Device, path: str, body: dict[str, object], where: str
) -> None:
    refused = shared_device.api.post(path, json=body)
    assert (refused.status_code, refused.json()["error"]["where"]) == (400, where)


def test_a_trace_holds_what_went_over_the_adapter_while_it_ran(shared_device: Device) -> None:
    canary = b"a canary on the loopback"
    stop = threading.Event()

    def sing() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
            while not stop.wait(0.05):
                voice.sendto(canary, ("127.0.0.1", 9))

    singer = threading.Thread(target=sing)
    singer.start()

    def sung() -> httpx.Response | None:
        kept = shared_device.api.get("/trace", params={"duration_s": 1, "adapter": "lo"})
        return kept if canary in kept.content else None

    try:
        kept = until("the canary", sung)
    finally:
        stop.set()
        singer.join()
    assert kept.headers["content-type"] == "application/vnd.tcpdump.pcap"
    assert struct.unpack_from("<IHH", kept.content) == (0xA1B2C3D4, 2, 4)
    refused = shared_device.api.get("/trace", params={"adapter": "l0"})
    assert (refused.status_code, refused.json()["error"]["where"]) == (400, "query.adapter")
    assert "did you mean 'lo'" in refused.json()["error"]["message"]
    assert shared_device.api.get("/trace", params={"duration_s": 301}).status_code == 400


def test_a_trace_whose_adapter_goes_down_ends_at_once_with_one_clear_error(tmp_path: Path) -> None:
    told = on_a_stage("tests.live.unplugged", tmp_path)
    assert told == {"where": "trace", "message": "cable can no longer be listened to ([Errno 100] Network is down)"}


def test_one_trace_at_a_time_whichever_interface_asks(shared_device: Device) -> None:
    def refused() -> httpx.Response | None:
        with socket.create_connection(("127.0.0.1", shared_device.port)) as other:
            other.sendall(
                b"GET /axis-cgi/debug/debug.tgz?cmd=pcapdump&duration=60&interface=lo HTTP/1.1\r\n"
                b"host: 127.0.0.1\r\nauthorization: Basic " + b64encode(f"{USER}:{PASSWORD}".encode()) + b"\r\n\r\n"
            )
            assert shared_device.api.get("/device").status_code == 200  # it has been heard by now, most likely
            answer = shared_device.api.get("/trace", params={"duration_s": 1})
        return answer if answer.status_code == 409 else None

    busy = until("the trace of the other interface", refused)
    assert busy.json()["error"]["where"] == "trace"
    # It has hung up, and that gives the turn back long before its minute is over.
    until("the turn", lambda: shared_device.api.get("/trace", params={"duration_s": 1}).status_code == 200)


def test_connected_clients_show_address_protocol_port_state_and_process(shared_device: Device) -> None:
    with socket.create_connection(("127.0.0.1", shared_device.port)) as client:
        own = client.getsockname()[1]

        def look() -> dict[str, object] | None:
            found = shared_device.api.get("/clients").json()["clients"]
            return next((each for each in found if each["port"] == own), None)

        seen = until("the client", look)
        assert (seen["address"], seen["protocol"], seen["local_port"]) == ("127.0.0.1", "http", shared_device.port)
        assert (seen["state"], seen["incoming"], seen["role"]) == ("established", True, "network")
        assert seen["pid"] == shared_device.pid("network")


def test_locate_restart_restore_and_upgrades_are_actions_or_routes_that_the_api_lists(shared_device: Device) -> None:
    actions = {each["name"] for each in shared_device.api.get("/actions").json()["actions"]}
    assert {
        "device.identify", "device.locate", "device.restart", "device.restore", "device.factory_default",
        "upgrade.confirm", "upgrade.rollback",
    } <= actions  # fmt: skip
    paths = shared_device.api.get("/openapi.json").json()["paths"]
    assert {"/api/v1/upgrade", "/api/v1/upgrade/confirm", "/api/v1/upgrade/rollback"} <= set(paths)
    assert shared_device.api.post("/actions/device.locate", json={"duration_s": 30}).status_code == 200
    states = shared_device.api.get("/state").json()["states"]
    assert next(each["active"] for each in states if each["topic"] == "device/identify")
    assert shared_device.api.post("/actions/device.identify", json={"active": False}).status_code == 200
