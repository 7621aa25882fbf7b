"""Events over RTSP from a running device: ffprobe, the library of a home automation, and a small client of our own."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, free_port, until
from tests.live.osdp.venvs import python_with
from tests.live.rtsp_client import RtspClient
from tests.unit.face.rtsp_client import Heard

HOME_PEER = ("axis", "60")
HOME_SCRIPT = Path(__file__).parent / "clients" / "home_events.py"


def rtsp_of(device: Device) -> int:
    """The port of RTSP, as the device says it; 0 while there is none."""
    states = device.api.get("/state").json()["states"]
    at: str = next((each["rtsp"] for each in states if each["topic"] == "network/rtsp"), "")
    return int(at.rpartition(":")[2] or 0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ffprobe_finds_a_stream_of_data_and_reads_documents(shared_device: Device, transport: str) -> None:
    url = f"rtsp://{USER}:{PASSWORD}@127.0.0.1:{rtsp_of(shared_device)}/axis-media/media.amp?event=on"
    command = ["ffprobe", "-v", "error", "-rtsp_transport", transport, "-of", "json", "-show_streams", "-show_packets"]
    done = subprocess.run(
        [*command, "-show_data", "-read_intervals", "%+#3", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [stream["codec_type"] for stream in told["streams"]] == ["data"]
    assert told["packets"]
    assert all("<?xml version" in packet["data"] for packet in told["packets"])


@pytest.mark.parametrize("udp", [True, False], ids=["udp", "tcp"])
def test_a_door_that_opens_is_told_after_the_states_as_they_are(shared_device: Device, udp: bool) -> None:
    topic = "tns1:Door/State/DoorPhysicalState"
    with RtspClient(rtsp_of(shared_device)) as client:
        client.play(f"&eventtopic={topic}", udp=udp)
        assert client.next_event() == Heard(topic, "Initialized", {"DoorToken": "door"}, {"State": "Closed"})
        shared_device.ask("input", "contact:door", "open")
        assert client.next_event() == Heard(topic, "Changed", {"DoorToken": "door"}, {"State": "Open"})
        shared_device.ask("input", "contact:door", "closed")
        assert client.next_event().data == {"State": "Closed"}
        assert client.ask("GET_PARAMETER", Session=client.session).status == 200
        assert client.ask("TEARDOWN", Session=client.session).status == 200


def test_a_home_automation_makes_its_entities_out_of_the_stream(shared_device: Device) -> None:
    port = rtsp_of(shared_device)
    command = [python_with(*HOME_PEER), str(HOME_SCRIPT), "127.0.0.1", str(port), USER, PASSWORD]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            made = json.loads(process.stdout.readline())
            assert made["signals"] == ["playing"]
            assert {("Port", str(number), "0") for number in range(4)} <= {tuple(each) for each in made["entities"]}
            shared_device.ask("input", "io3", "closed")
            assert json.loads(process.stdout.readline()) == ["Port", "2", "1"]
        finally:
            shared_device.ask("input", "io3", "open")
            _, errors = process.communicate(timeout=PATIENCE_S)  # it ends with its input
    assert (process.returncode, errors) == (0, "")


def test_row_30_guesses_over_rtsp_hold_up_those_over_http_and_the_owner_still_gets_in(shared_device: Device) -> None:
    port, guesser = rtsp_of(shared_device), (f"{USER}x", "wrong")
    url = f"http://127.0.0.1:{shared_device.port}/api/v1/device"

    def held_up() -> bool:
        """One more guess over RTSP, then one over HTTP: the wait grows with each, until it is seen here."""
        with RtspClient(port, guesser) as client:
            assert client.ask("DESCRIBE").status in (401, 503)
        return httpx.get(url, auth=guesser, timeout=PATIENCE_S).status_code == 429

    until("HTTP held up", held_up)
    with RtspClient(port) as client:
        assert client.ask("DESCRIBE").status == 200


def test_row_32_many_who_connect_and_say_nothing_keep_nobody_out(shared_device: Device) -> None:
    port = rtsp_of(shared_device)
    begun = (b"", b"OPTIONS * RTSP/1.0\r\nCSeq:", b"$")
    with contextlib.ExitStack() as silent:
        for number in range(100):
            source = (f"127.7.{number // 10}.1", 0)
            each = silent.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S, source))
            each.sendall(begun[number % 3])
        with RtspClient(port) as client:
            client.play("&eventtopic=tns1:Door/State/DoorPhysicalState")
            assert client.next_event().change == "Initialized"


def test_the_port_moves_and_rtsp_can_be_switched_off_and_on(shared_device: Device) -> None:
    first, port = rtsp_of(shared_device), free_port()
    patch = {"port": port}
    assert shared_device.api.patch("/params/rtsp", json=patch).status_code == 200
    until("the new port", lambda: rtsp_of(shared_device) == port)
    with RtspClient(port) as client:
        client.play()
        with pytest.raises(ConnectionRefusedError):
            RtspClient(first)
        off = f"http://127.0.0.1:{shared_device.port}/axis-cgi/param.cgi?action=update&Network.RTSP.Enabled=no"
        assert httpx.get(off, auth=httpx.DigestAuth(USER, PASSWORD), timeout=PATIENCE_S).text == "OK\n"
        until("no port", lambda: rtsp_of(shared_device) == 0)
        assert client.closed()
    with pytest.raises(ConnectionRefusedError):
        RtspClient(port)
    assert shared_device.api.patch("/params/rtsp", json={"enabled": True, "port": None}).status_code == 200
    until("a port again", lambda: rtsp_of(shared_device))
