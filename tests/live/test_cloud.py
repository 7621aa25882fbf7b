"""The cloud connection on a whole device: a horn speaker's button, a real dispatcher as a process, TLS between them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.device import LINTEL, PASSWORD, PATIENCE_S, USER, Device, environment, free_port, running, until
from tests.live.door_controller import Authority


class Dispatcher:
    """`lintel dispatcher` as a person starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.http = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self.owner = httpx.Client(base_url=f"http://127.0.0.1:{self.http}", timeout=PATIENCE_S)

    def start(self) -> None:
        self._starts += 1
        output = self.folder.with_name(f"{self.folder.name}.{self._starts}.out")
        words = ["dispatcher", "--folder", str(self.folder), "--listen", f"127.0.0.1:{self.port}"]
        with output.open("wb") as log:
            self._process = subprocess.Popen(
                [*LINTEL, *words, "--http", f"127.0.0.1:{self.http}"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment(),
            )  # fmt: skip
        until("the dispatcher's greeting", lambda: "Ctrl-C stops it." in output.read_text())
        self.wishes: dict[str, Any] = json.loads(output.read_text().splitlines()[1])

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE_S)
            self._process = None

    def devices(self) -> list[str]:
        return [each["serial"] for each in self.owner.get("/devices").json()["devices"]]

    def ask(self, serial: str, method: str, path: str, auth: Any = None, **more: Any) -> httpx.Response:
        return self.owner.request(method, path, auth=auth, headers={"Lintel-Device": serial}, **more)


@pytest.fixture(scope="module")
def horn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One horn speaker for all tests of the module."""
    with running(tmp_path_factory.mktemp("horn") / "state", "horn_speaker") as device:
        device.set_up()
        yield device


@pytest.fixture
def dispatcher(tmp_path: Path) -> Iterator[Dispatcher]:
    found = Dispatcher(tmp_path / "dispatcher")
    try:
        found.start()
        yield found
    finally:
        found.stop()
        found.owner.close()


@contextlib.contextmanager
def told(horn: Device, dispatcher: Dispatcher, mode: str = "one_click", **more: Any) -> Iterator[str]:
    """The device knows the dispatcher; afterwards nobody. Gives the serial number."""
    change(horn, "cloud", {**dispatcher.wishes, "local": True, **more})
    change(horn, "network", {"cloud": mode})
    try:
        yield str(horn.api.get("/device").json()["serial"])
    finally:
        change(horn, "cloud", {"url": "", "ca": ""})
        change(horn, "network", {"cloud": "one_click"})
        until("no connection wanted", lambda: connection(horn)["phase"] == "off")


def change(horn: Device, group: str, patch: dict[str, Any]) -> None:
    answer = horn.api.patch(f"/params/{group}", json=patch)
    assert answer.status_code == 200, answer.text


def connection(horn: Device) -> dict[str, Any]:
    states = horn.api.get("/state").json()["states"]
    found: dict[str, Any] = next(each for each in states if each["topic"] == "cloud/connection")
    return found


def connected(horn: Device) -> dict[str, Any]:
    def stands() -> dict[str, Any] | None:
        found = connection(horn)
        return found if found["phase"] == "connected" else None

    found: dict[str, Any] = until("the connection", stands)
    return found


def test_a_button_held_until_the_light_flashes_lets_the_owner_reach_the_device_through_the_dispatcher(
    horn: Device, dispatcher: Dispatcher
) -> None:
    with told(horn, dispatcher) as serial:
        until("the hint", lambda: connection(horn)["reason"] == "press the control button to connect")
        horn.ask("press", "control", "--for", "3.2")
        state = connected(horn)
        assert state["until"] is not None
        assert until("the device at the dispatcher", dispatcher.devices) == [serial]
        login = httpx.DigestAuth(USER, PASSWORD)
        seen = dispatcher.ask(serial, "GET", "/api/v1/device", login)
        assert (seen.status_code, seen.json()["serial"], seen.json()["model"]) == (200, serial, "LINTEL-HS1")

        # From the finger to the connection, each fact names the one before it. What came of the gesture is told last.
        until("the end of the gesture", lambda: "device/button/action" in [line["topic"] for line in horn.journal()])
        lines = {line["id"]: line for line in horn.journal()}
        stood = [line for line in lines.values() if line["topic"] == "cloud/connection"]
        line = next(line for line in stood if line["fields"]["phase"] == "connected")
        topics = [line["topic"]]
        while line := lines.get(line["cause"], {}):
            topics.append(line["topic"])
        assert topics == ["cloud/connection", "device/button/gesture", "device/button"]
        (done,) = [line for line in lines.values() if line["topic"] == "device/button/action"]
        assert done["fields"] == {
            "button": "control",
            "gesture": "long",
            "action": "cloud.connect",
            "code": "done",
            "message": "",
        }
        assert lines[done["cause"]]["topic"] == "device/button/gesture"

        # The dispatcher is a way and not a person, and no way for a password.
        assert dispatcher.ask(serial, "GET", "/api/v1/device").status_code == 401
        assert dispatcher.ask(serial, "GET", "/api/v1/device", (USER, PASSWORD)).status_code == 401
        made = dispatcher.ask(serial, "POST", "/api/v1/setup", json={"name": "x", "password": "another-password"})
        assert made.status_code == 401

        # Registered, it stays: the wish of a day becomes one for good.
        json_kind = {"content-type": "application/json"}
        assert dispatcher.owner.post(f"/devices/{serial}/register", headers=json_kind).status_code == 200
        until("always", lambda: horn.api.get("/params/network").json()["cloud"] == "always")
        until("no end", lambda: connection(horn)["until"] is None)
        assert connection(horn)["since"] == state["since"], "the connection has not been broken for it"


def test_a_press_without_a_speaker_test_is_told_in_the_journal_and_harms_nothing(horn: Device) -> None:
    horn.ask("press", "control", "--for", "0.2")

    def told_of() -> dict[str, Any] | None:
        found = [line["fields"] for line in horn.journal() if line["topic"] == "device/button/action"]
        return next((line for line in found if line["action"] == "speaker_test.calibrate"), None)

    line = until("the outcome", told_of)
    assert line["gesture"] == "short"
    assert line["code"] in ("done", "not_found", "unavailable", "unsupported", "refused")


def test_a_dispatcher_that_goes_is_found_again_when_it_is_back(horn: Device, dispatcher: Dispatcher) -> None:
    with told(horn, dispatcher, "always") as serial:
        connected(horn)
        dispatcher.stop()
        failed = until("the loss", lambda: connection(horn)["phase"] == "failed")
        assert failed
        began = time.monotonic()
        assert horn.api.get("/device").status_code == 200
        assert time.monotonic() - began < PATIENCE_S / 2, "the device's own network is not held up"
        dispatcher.start()
        connected(horn)
        assert until("the device", dispatcher.devices) == [serial]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ca": Authority("somebody else").pem}, "its certificate is not good: "),
        ({"ca": ""}, "its certificate is not good: "),
        ({"owner_key": "x" * 20}, "it refuses our owner key (401)"),
        ({"local": False}, "127.0.0.1 is this device itself; tick `local` when a dispatcher runs on it"),
    ],
)
def test_what_is_wrong_between_device_and_dispatcher_is_said_in_the_state(
    horn: Device, dispatcher: Dispatcher, wrong: dict[str, Any], said: str
) -> None:
    with told(horn, dispatcher, "always", **wrong):
        until("why", lambda: connection(horn)["phase"] == "failed" and connection(horn)["reason"].startswith(said))
        assert dispatcher.devices() == []
