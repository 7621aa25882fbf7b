"""The VAPIX-compatible face, asked by programs that know nothing of us: a client library, curl, a WebSocket client."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import socket
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, until
from tests.live.osdp.venvs import python_with
from tests.unit.clips.makers import clip

PEER = ("ax-devil-device-api", "0.7.0")
SCRIPT = Path(__file__).parent / "clients" / "ax_devil.py"
HOME_PEER = ("axis", "60")
HOME_SCRIPT = SCRIPT.with_name("home_library.py")


@pytest.fixture(scope="module")
def told(shared_device: Device) -> dict[str, Any]:
    """What ax-devil-device-api was told by the device, whose own tests may reach the device itself."""
    assert shared_device.api.patch("/params/troubleshooting", json={"local": True}).status_code == 200
    return asked_by(SCRIPT, PEER, shared_device)


def asked_by(script: Path, peer: tuple[str, str], device: Device) -> dict[str, Any]:
    """What a client in an environment of its own was told."""
    done = subprocess.run(
        [python_with(*peer), str(script), "127.0.0.1", str(device.port), USER, PASSWORD],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_a_home_automation_adds_the_device_with_its_ports_and_camera(shared_device: Device) -> None:
    told = asked_by(HOME_SCRIPT, HOME_PEER, shared_device)
    device = shared_device.api.get("/device").json()
    assert (told["serial"], told["product"]) == (device["serial"], device["model"])
    assert {"io-port-management", "stream-profiles", "view-area", "fwmgr"} <= set(told["apis"])
    assert told["ports"][0] == ["io1", "input", "open"]
    assert (told["cameras"], told["areas"], told["profiles"]) == (["entrance"], [1], [])
    assert told["administrators"] == [USER]


def test_ax_devil_reads_what_the_device_is(told: dict[str, Any], shared_device: Device) -> None:
    serial = shared_device.api.get("/device").json()["serial"]
    assert told["authenticated"]["SerialNumber"] == told["open"]["SerialNumber"] == serial
    assert "SocSerialNumber" in told["authenticated"]
    assert "SocSerialNumber" not in told["open"]
    assert "LINTEL-DS1" in json.dumps(told["info"])


def test_ax_devil_finds_the_device_healthy_and_ready(told: dict[str, Any]) -> None:
    assert told["healthy"] is True
    assert told["ready"]["systemready"] == "yes"
    assert told["ready"]["needsetup"] == "no"


def test_ax_devil_reads_the_whole_parameter_tree_and_the_network(told: dict[str, Any]) -> None:
    assert told["detailed"]["root.Brand.ProdNbr"] == "LINTEL-DS1"
    assert any(name.startswith("root.Network.eth0.") for name in told["network"])


def test_ax_devil_takes_a_snapshot_of_the_size_it_wants(told: dict[str, Any]) -> None:
    assert Image.open(io.BytesIO(base64.b64decode(told["snapshot"]))).size == (320, 180)


def test_ax_devil_fetches_a_report_with_a_picture_and_a_crash_report(told: dict[str, Any]) -> None:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(told["report"]))) as archive:
        assert b"Server Report Start" in archive.read("server_report.txt")
        assert Image.open(io.BytesIO(archive.read("image.jpg"))).size == (1280, 720)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(told["crash"]))) as archive:
        assert "system.log" in archive.getnames()


def test_ax_devil_discovers_the_native_interface_and_its_description(told: dict[str, Any]) -> None:
    assert (told["apis"], told["described"]) == (["lintel"], "Lintel native API")


def test_ax_devil_checks_ports(told: dict[str, Any]) -> None:
    assert told["tcp"].endswith(": open\n")
    assert told["shut"].endswith("port 1: closed (refused)\n")


def test_ax_devil_pings(told: dict[str, Any]) -> None:
    assert told["ping"].splitlines()[-1] == "4 sent, 4 received, 0 lost"


def test_a_network_trace_is_a_file_that_holds_what_went_over_the_adapter(shared_device: Device) -> None:
    url = f"http://127.0.0.1:{shared_device.port}/axis-cgi/debug/debug.tgz?cmd=pcapdump&duration=1&interface=lo"
    kept = httpx.get(url, auth=httpx.DigestAuth(USER, PASSWORD), timeout=PATIENCE_S)
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except PermissionError:  # as the device is not allowed either: it says so
        assert (kept.status_code, "CAP_NET_RAW" in kept.text) == (501, True)
        return
    assert kept.status_code == 200, kept.text
    assert kept.content[:4] == b"\xd4\xc3\xb2\xa1"


def test_curl_gets_as_many_pictures_as_it_asks_for_and_the_stream_ends(shared_device: Device, tmp_path: Path) -> None:
    words = "camera=1&resolution=320x180&fps=10&nbrofframes=3"
    url = f"http://127.0.0.1:{shared_device.port}/axis-cgi/mjpg/video.cgi?{words}"
    curl("--digest", "-u", f"{USER}:{PASSWORD}", "-o", str(tmp_path / "stream"), url)
    pieces = (tmp_path / "stream").read_bytes().split(b"--myboundary\r\n")[1:-1]
    assert len(pieces) == 3
    for piece in pieces:
        head, _, picture = piece.partition(b"\r\n\r\n")
        assert b"Content-Type: image/jpeg" in head
        assert Image.open(io.BytesIO(picture)).size == (320, 180)


def test_curl_plays_a_clip_of_the_device_by_its_number_and_stops_it(shared_device: Device) -> None:
    def playing() -> list[str]:
        states = shared_device.api.get("/state").json()["states"]
        return [each["clip"] for state in states if state["topic"] == "audio/playing" for each in state["clips"]]

    def ask(path: str) -> str:
        return curl("--digest", "-u", f"{USER}:{PASSWORD}", f"http://127.0.0.1:{shared_device.port}/axis-cgi/{path}")

    def kept() -> str:
        return ask("param.cgi?action=list&group=MediaClip.*.Name")

    until("the clips of the device", lambda: ".Name=Doorbell" in kept())
    line = next(line for line in kept().splitlines() if line.endswith(".Name=Doorbell"))
    number = line.split(".")[2].removeprefix("M")
    assert ask(f"playclip.cgi?clip={number}&repeat=-1&volume=10") == f"OK\nplaying={number}\n"
    until("the clip plays", lambda: playing() == [f"{int(number):012x}"])
    assert ask("stopclip.cgi") == "OK\nstopping\n"
    until("silence", lambda: playing() == [])


def test_curl_uploads_a_clip_to_its_real_owner_gets_the_same_file_back_and_removes_it(
    shared_device: Device, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{shared_device.port}/axis-cgi/mediaclip.cgi?action="
    log_in = ("--digest", "-u", f"{USER}:{PASSWORD}")
    file, back = tmp_path / "knock.wav", tmp_path / "back.wav"
    file.write_bytes(clip("wav of 16 bits", 0.2))
    until("the clips of the device", lambda: shared_device.api.get("/clips").status_code == 200)
    told = curl(*log_in, "-F", f"clip=@{file}", f"{url}upload&media=audio&name=Knock")
    number = re.fullmatch(r"OK\nuploaded=([0-9]+)\n", told)
    assert number is not None, told
    curl(*log_in, "-o", str(back), f"{url}download&clip={number[1]}")
    assert back.read_bytes() == file.read_bytes()
    assert curl(*log_in, f"{url}remove&clip={number[1]}").startswith("OK\nremoved=")
    wrong = curl(*log_in, "-F", f"clip=@{__file__}", "-w", "%{http_code}", f"{url}upload&media=audio")
    assert wrong.endswith("400"), wrong


def test_curl_uploads_firmware_to_its_real_owner_which_judges_it(shared_device: Device, tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(bytes(4096))
    request = '{"apiVersion":"1.0","context":"c","method":"upgrade"}'
    url = f"http://127.0.0.1:{shared_device.port}/axis-cgi/firmwaremanagement.cgi"
    parts = ("-F", f"data={request};type=application/json", "-F", f"fileData=@{image};type=application/octet-stream")
    answer = json.loads(curl("--digest", "-u", f"{USER}:{PASSWORD}", *parts, url))
    assert (answer["method"], answer["context"]) == ("upgrade", "c")
    assert answer["error"]["code"] == 415, answer

    def stages() -> list[str]:
        states = shared_device.api.get("/state").json()["states"]
        return [each["stage"] for each in states if each["topic"] == "upgrade/state"]

    until("nothing under way", lambda: stages() == ["idle"])


def curl(*words: str) -> str:
    """What curl printed."""
    done = subprocess.run(["curl", "-sS", *words], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl_with_any_kind_of_log_in_gets_in_by_digest(shared_device: Device) -> None:
    url = f"http://127.0.0.1:{shared_device.port}/axis-cgi/param.cgi?action=list&group=Brand.Brand"
    assert curl("--anyauth", "-u", f"{USER}:{PASSWORD}", url) == "root.Brand.Brand=Lintel\n"
    status = curl("--anyauth", "-u", f"{USER}:wrong", "-o", "/dev/null", "-w", "%{http_code}", url)
    assert status == "401"


def digest(method: str, path: str, challenge: str) -> str:
    """The Authorization header of an older client: RFC 2069, without qop."""
    realm, nonce = (re.search(f'{name}="([^"]*)"', challenge)[1] for name in ("realm", "nonce"))  # type: ignore[index]

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    answer = md5(f"{md5(f'{USER}:{realm}:{PASSWORD}')}:{nonce}:{md5(f'{method}:{path}')}")
    return f'Digest username="{USER}", realm="{realm}", nonce="{nonce}", uri="{path}", response="{answer}"'


def configure(*topics: str) -> str:
    """The first message of a listener."""
    filters = [{"topicFilter": topic} for topic in topics]
    message = {
        "apiVersion": "1.0",
        "context": "c1",
        "method": "events:configure",
        "params": {"eventFilterList": filters},
    }
    return json.dumps(message)


def test_a_websocket_client_hears_states_first_and_then_what_happens(shared_device: Device) -> None:
    url = f"http://127.0.0.1:{shared_device.port}/axis-cgi/wssession.cgi"
    token = curl("--digest", "-u", f"{USER}:{PASSWORD}", url)
    stream = f"ws://127.0.0.1:{shared_device.port}/vapix/ws-data-stream?sources=events"
    with connect(f"{stream}&wssession={token}", proxy=None) as socket:
        socket.send(configure("tns1:Device/tnsaxis:IO/Port"))
        assert json.loads(socket.recv(PATIENCE_S)) == {
            "apiVersion": "1.0", "context": "c1", "method": "events:configure", "data": {},
        }  # fmt: skip
        first = [json.loads(socket.recv(PATIENCE_S))["params"]["notification"] for _ in range(4)]
        assert [each["message"]["source"]["port"] for each in first] == ["0", "1", "2", "3"]
        shared_device.ask("input", "io2", "closed")
        happened = json.loads(socket.recv(PATIENCE_S))["params"]["notification"]
        assert happened["topic"] == "tns1:Device/tnsaxis:IO/Port"
        assert happened["message"] == {"source": {"port": "1"}, "key": {}, "data": {"state": "1"}}
        shared_device.ask("input", "io2", "open")
    with pytest.raises(InvalidStatus) as again, connect(f"{stream}&wssession={token}", proxy=None):
        pass
    assert again.value.response.status_code == 401


def test_a_websocket_client_may_log_in_at_the_handshake(shared_device: Device) -> None:
    stream = f"ws://127.0.0.1:{shared_device.port}/vapix/ws-data-stream?sources=events"
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with connect(stream, proxy=None, additional_headers={"Authorization": f"Basic {basic}"}) as socket:
        socket.send(configure("onvif:Device//."))
        assert json.loads(socket.recv(PATIENCE_S))["data"] == {}
        assert json.loads(socket.recv(PATIENCE_S))["method"] == "events:notify"
        socket.send("{")
        answers = (json.loads(socket.recv(PATIENCE_S)) for _ in range(200))
        assert next(answer for answer in answers if "error" in answer)["error"]["code"] == 2101


def test_an_older_client_that_knows_no_qop_gets_in(shared_device: Device) -> None:
    path = "/axis-cgi/usergroup.cgi"
    url = f"http://127.0.0.1:{shared_device.port}{path}"
    refused = curl("-D", "-", "-o", "/dev/null", url)
    challenge = next(line for line in refused.splitlines() if line.lower().startswith("www-authenticate: digest"))
    assert curl("-H", f"Authorization: {digest('GET', path, challenge)}", url).startswith(f"{USER}\n")
