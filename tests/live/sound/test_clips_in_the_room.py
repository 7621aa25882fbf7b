"""Clips on a whole simulated horn speaker: uploaded, played and heard in the room, measured from what was heard."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, until
from tests.unit.clips.makers import HZ, KINDS, clip

pytestmark = pytest.mark.live

LENGTH_S = 0.6


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One horn speaker for all."""
    device = Device(tmp_path_factory.mktemp("clips") / "state", "horn_speaker")
    with contextlib.ExitStack() as ends:
        ends.callback(device.stop)
        device.start()
        device.set_up()
        device.all_ready()
        until("the clips", lambda: device.api.get("/clips").status_code == 200)
        yield device


def upload(device: Device, file: bytes, filename: str) -> Any:
    answer = device.api.post("/clips", files={"file": (filename, file)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def now_s(device: Device) -> float:
    """The time of the room."""
    return float(device.ask("heard", "--since", "0")["now_s"])


def ended(device: Device) -> bool:
    """Whether nothing plays."""
    states = device.api.get("/state").json()["states"]
    return not next(state for state in states if state["topic"] == "audio/playing")["active"]


def played(device: Device, clip: str, **words: Any) -> list[dict[str, float]]:
    """Play a clip; the sounds that were heard."""
    since = now_s(device)
    answer = device.api.post(f"/clips/{clip}/play", json=words)
    assert answer.status_code == 200, answer.text
    return heard(device, since)


def heard(device: Device, since_s: float) -> list[dict[str, float]]:
    """The sounds since then, once nothing plays; the room hears what the pipe of the card still holds."""
    until("the end of the clip", lambda: ended(device))
    ended_s = now_s(device)
    until("what the pipe holds", lambda: now_s(device) > ended_s + 0.3)
    sounds: list[dict[str, float]] = device.ask("heard", "--since", str(since_s))["sounds"]
    return sounds


PLAYS = 10


def whole(hear: Callable[[], list[dict[str, float]]], length_s: float, by_s: float) -> dict[str, float]:
    """The one sound of a play that lasts as long as it should.

    A machine that stands still while a clip plays tears it, and the room hears the gap: then it is played again.
    """
    heard_so_far = []
    for _ in range(PLAYS):
        heard_so_far.append(sounds := hear())
        if len(sounds) == 1 and sounds[0]["length_s"] == pytest.approx(length_s, abs=by_s):
            return sounds[0]
    raise AssertionError(f"never one sound of {length_s} s: {heard_so_far}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_clip_is_heard_with_its_pitch_and_length(device: Device, kind: str) -> None:
    view = upload(device, clip(kind, LENGTH_S), f"{kind}.{KINDS[kind].suffix}")
    assert view["format"] == KINDS[kind].format
    # ADPCM is padded to whole blocks with silence, and a lossy encoder has its echo before and after.
    sound = whole(lambda: played(device, view["clip"]), LENGTH_S, 0.08)
    assert sound["pitch_hz"] == pytest.approx(HZ, abs=2.0)


def test_volume_and_repeat_are_heard_and_the_downloaded_file_is_the_uploaded_one(device: Device) -> None:
    file = clip("wav of 16 bits", LENGTH_S)
    view = upload(device, file, "tone.wav")
    loud = whole(lambda: played(device, view["clip"]), LENGTH_S, 0.08)
    link = device.api.get(f"/clips/{view['clip']}/link", params={"volume": 50, "repeat": 1}).json()["url"]

    def twice() -> list[dict[str, float]]:
        since = now_s(device)
        assert device.api.get(link).status_code == 200
        return heard(device, since)

    soft = whole(twice, 2 * LENGTH_S, 0.02)
    assert soft["rms_dbfs"] - loud["rms_dbfs"] == pytest.approx(-6.02, abs=0.2)
    download = device.api.get(f"/clips/{view['clip']}")
    assert download.content == file


def test_a_rule_plays_a_clip_when_a_virtual_input_says_so_and_stops_it_when_it_does_not(device: Device) -> None:
    rules = [
        {
            "name": name,
            "trigger": "io/virtual_input",
            "conditions": [{"field": "input", "equals": 5}, {"field": "active", "equals": active}],
            "actions": [{"action": action, "params": params}],
        }
        for name, active, action, params in (
            ("play", True, "clip.play", {"name": "Alarm", "repeat": -1}),
            ("stop", False, "clip.stop", {}),
        )
    ]
    answer = device.api.patch("/params/rules", json={"rules": rules})
    assert answer.status_code == 200, answer.text
    since = now_s(device)
    device.api.post("/actions/virtual_input.set", json={"input": 5, "active": True})
    until("the clip", lambda: not ended(device))
    started = next(line for line in reversed(device.journal()) if line["topic"] == "audio/clip/started")
    asked = next(line for line in reversed(device.journal()) if line["topic"] == "io/virtual_input")
    assert (started["fields"]["name"], started["cause"]) == ("Alarm", asked["id"])
    until("its sound", lambda: device.ask("heard", "--since", str(since))["sounds"])
    device.api.post("/actions/virtual_input.set", json={"input": 5, "active": False})
    until("silence", lambda: ended(device))


def test_row_33_a_file_that_is_too_large_is_refused_before_it_is_sent(device: Device) -> None:
    """Only the head of the request goes out: the answer is there before a byte of the file is."""
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    head = (
        f"POST /api/v1/clips HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic {secret}\r\n"
        f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {64 * 1024 * 1024}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", device.port), PATIENCE_S) as connection:
        connection.sendall(head.encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


def test_row_36_a_file_that_is_no_clip_is_one_clear_error_and_leaves_nothing(device: Device) -> None:
    before = files(device.state)
    answer = device.api.post("/clips", files={"file": ("../../evil*.wav", b"RIFF\xff\xff\xff\x7fWAVE" + bytes(5000))})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"] == "says that it has 2147483655 bytes; it has 5012"
    assert "evil*.wav" in answer.json()["error"]["where"]
    assert files(device.state) == before


def files(state: Path) -> set[str]:
    """What lies among the clips and in the spool."""
    folders = (state / "shared" / "media" / "clips", state / "spool" / "clips")
    return {path.name for folder in folders if folder.exists() for path in folder.iterdir()}


def test_clips_are_there_after_media_was_killed(device: Device) -> None:
    names = {each["name"] for each in device.api.get("/clips").json()["clips"]}
    codes: set[int] = set()

    def listed() -> set[str]:
        answer = device.api.get("/clips")
        codes.add(answer.status_code)
        return {each["name"] for each in answer.json().get("clips", [])}

    killed = device.kill("media")
    until("another media role", lambda: listed() is not None and device.pid("media") not in (None, killed))
    device.wait_ready("media", killed)
    until("all clips", lambda: listed() == names)
    assert codes <= {200, 503}  # it may be back before anybody has missed it
