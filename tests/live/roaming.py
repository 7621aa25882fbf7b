"""Row 24 on a cable: a device whose network comes and goes, and at the other end all that it calls or is called by.

Run as `python -m tests.live.roaming STATE` in a network namespace of its own; prints one line of JSON. The far end, in
another namespace, has a dispatcher and a door controller behind a proxy, and clients. It is told what to do, one line
of JSON each.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.live.device import LINTEL, PATIENCE_S, Device, environment, free_port, until
from tests.live.door_controller import PASSWORD as CONTROLLER_PASSWORD
from tests.live.door_controller import USER as CONTROLLER_USER
from tests.live.door_controller import Authority, serving
from tests.live.two_ends import FarEnd, cable_to, device_at, ip, plugged_in

HERE, MOVED, FAR = "10.9.0.1", "10.9.0.77", "10.9.0.2"
CARD, STRANGER = "H10301:42:1234", "H10301:9:9999"
FLAPS, CONNECTIONS = 10, 1000
# Waits of 1, 2 and 4 s, the jitter of the first two attempts included: four attempts show that they grow.
ATTEMPTS = 4
ABORT = struct.pack("ii", 1, 0)


class Proxy:
    """A way to a port of this machine that can be cut: `attempts` is when somebody came meanwhile."""

    def __init__(self, to: int) -> None:
        self.attempts: list[float] = []
        self.peer = ""
        self._to = to
        self._cut = False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((FAR, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, (address, _) = self._listener.accept()
            if self._cut:
                self.attempts.append(time.monotonic())
                near.close()
                continue
            self.peer = address
            far = socket.create_connection(("127.0.0.1", self._to))
            self._open = [*self._open, near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=pour, args=(source, target), daemon=True).start()

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        self._cut = True
        ended, self._open = self._open, []
        for each in ended:
            with contextlib.suppress(OSError):  # it has ended by itself
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let everybody through."""
        self._cut = False


def pour(source: socket.socket, target: socket.socket) -> None:
    """One direction of a connection, until either end has gone."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


# the far end


def far(place: Path) -> None:
    """Serve and call as it is told, until there is nothing more to read."""
    plugged_in()
    ip("addr", "add", f"{FAR}/24", "dev", "v1")
    authority = Authority("test authority")
    with serving(authority.issue(place, FAR)) as controller, dispatching(place) as (wishes, port, http):
        controller.login = "digest"
        ways = {"cloud": Proxy(port), "controller": Proxy(controller.port)}
        owner = httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=PATIENCE_S)
        url = f"https://{FAR}:{ways['controller'].port}/lintel"
        cloud = {**wishes, "local": True, "url": f"wss://{FAR}:{ways['cloud'].port}"}
        say(cloud=cloud, controller={"url": url, "ca": authority.pem})
        for line in sys.stdin:
            match json.loads(line):
                case ["cut"]:
                    for way in ways.values():
                        way.cut()
                    say()
                case ["mend"]:
                    for way in ways.values():
                        way.mend()
                    say()
                case ["seen"]:
                    say(
                        devices=[each["serial"] for each in owner.get("/devices").json()["devices"]],
                        attempts=ways["cloud"].attempts, questions=len(controller.questions), peer=ways["cloud"].peer,
                    )  # fmt: skip
                case ["call", str(host), int(port), int(rtsp), int(count)]:
                    say(good=sum(called(host, port, rtsp, number) for number in range(count)))


@contextlib.contextmanager
def dispatching(place: Path) -> Any:
    """`lintel dispatcher` as a person starts it: what the device has to be told, its port, and its owner's port."""
    port, http, output = free_port(), free_port(), place / "dispatcher.out"
    words = ["dispatcher", "--folder", str(place / "dispatcher"), "--listen", f"127.0.0.1:{port}", "--name", FAR]
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*LINTEL, *words, "--http", f"127.0.0.1:{http}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment(),
        )  # fmt: skip
    try:
        until("the dispatcher's greeting", lambda: "Ctrl-C stops it." in output.read_text())
        yield json.loads(output.read_text().splitlines()[1]), port, http
    finally:
        process.kill()
        process.wait()


def called(host: str, port: int, rtsp: int, number: int) -> bool:
    """One client that asks, is answered, and goes without a word; whether it was answered."""
    if number % 2:
        asked, answer = f"OPTIONS rtsp://{host}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"RTSP/1.0 "
    else:
        asked, answer = f"GET /api/v1/device HTTP/1.1\r\nHost: {host}\r\n\r\n", b"HTTP/1.1 401 "
    with socket.create_connection((host, rtsp if number % 2 else port), timeout=PATIENCE_S) as client:
        client.sendall(asked.encode())
        heard = client.recv(64)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)  # a reset, as from a machine that lost its power
    return heard.startswith(answer)


def say(**fields: Any) -> None:
    """An answer to the near end."""
    print(json.dumps(fields), flush=True)


# the device's end


class Near:
    """The device, its door, and the far end."""

    def __init__(self, device: Device, end: FarEnd) -> None:
        self.device = device
        self._end = end
        self.opened = 0
        self.swiped = 0

    def ask(self, *words: Any) -> Any:
        """Tell the far end to do something; its answer."""
        self._end.tell(json.dumps(words))
        return json.loads(self._end.hear())

    def card(self, card: str = CARD) -> None:
        """A card at the reader: the door opens, and is locked again for the next one."""
        since = f"{self.device.ask('state')['now_s']:.6f}"
        self.swiped += 1
        self.device.ask("swipe", "front", card)
        until("the door open", lambda: True in self._door(since))
        self.opened += 1
        assert self.device.api.post("/actions/door.lock", json={"door": "door"}).status_code == 200
        until("the door locked", lambda: self._door(since)[-1] is False)

    def _door(self, since: str) -> list[bool]:
        return [bool(value) for _, value in self.device.ask("trace", "door", "--since", since)["points"]]

    def phases(self) -> tuple[str, str]:
        """How the connections to dispatcher and controller stand."""
        states = self.device.api.get("/state").json()["states"]
        found = {each["topic"]: each["phase"] for each in states if "phase" in each}
        return found["cloud/connection"], found["controller/state"]

    def files(self) -> int:
        """Open files of control and network."""
        roles = self.device.ask("state")["roles"]
        return sum(len(list(Path(f"/proc/{roles[role]['pid']}/fd").iterdir())) for role in ("control", "network"))


def near(state: Path) -> None:
    """The whole story, told in one line."""
    place, rtsp = state.with_name("far"), free_port()
    place.mkdir()
    with (
        cable_to("tests.live.roaming", "--far", str(place), addresses=at_home) as end,
        device_at("0.0.0.0", state, "--rtsp", f"0.0.0.0:{rtsp}") as device,
    ):
        device.enrol(CARD)
        told = json.loads(end.hear())
        print(json.dumps(story(Near(device, end), told, rtsp)), flush=True)


def at_home() -> None:
    """The address the device begins with."""
    ip("addr", "add", f"{HERE}/24", "dev", "v0")


def story(near: Near, told: dict[str, Any], rtsp: int) -> dict[str, Any]:
    """Connected; flaps; cut and back under another address; and a thousand clients that come and go."""
    device = near.device
    wish(device, "cloud", told["cloud"])
    wish(device, "network", {"cloud": "always"})
    login = {"user": CONTROLLER_USER, "password": CONTROLLER_PASSWORD}
    wish(device, "controller_http", {**told["controller"], **login, "local": True, "check_s": 1})
    wish(device, "controller", {"protocol": "http", "timeout_s": 2})
    wish(device, "access", {"use_controller": True})
    until("both connected", lambda: near.phases() == ("connected", "connected"))
    pids = {name: role["pid"] for name, role in device.ask("state")["roles"].items()}
    near.card()
    for _ in range(FLAPS):
        ip("link", "set", "v0", "down")
        near.card()
        ip("link", "set", "v0", "up")
    until("both connected after flaps", lambda: near.phases() == ("connected", "connected"))

    near.ask("cut")
    until("both lost", lambda: near.phases() in (("failed", "lost"), ("connecting", "lost")))
    near.card()
    attempts = until("attempts", lambda: tried(near))
    ip("link", "set", "v0", "down")
    ip("addr", "flush", "dev", "v0")
    near.card()
    ip("addr", "add", f"{MOVED}/24", "dev", "v0")
    ip("link", "set", "v0", "up")
    near.ask("mend")
    until("both connected from the new address", lambda: near.phases() == ("connected", "connected"))
    seen = until("the device at its dispatcher", lambda: seen_at(near, MOVED))
    near.card(STRANGER)  # the list does not know it: the controller is asked, and lets it in

    before, good = near.files(), 0
    for _ in range(10):
        good += near.ask("call", MOVED, device.port, rtsp, CONNECTIONS // 10)["good"]
        near.card()
    until("as many files as before", lambda: near.files() <= before + 2)
    after = {name: role["pid"] for name, role in device.ask("state")["roles"].items()}
    return {
        "swiped": near.swiped, "opened": near.opened, "attempts": attempts, "devices": seen["devices"],
        "questions": near.ask("seen")["questions"] - seen["questions"], "clients": good,
        "same_processes": pids == after,
    }  # fmt: skip


def wish(device: Device, group: str, values: dict[str, Any]) -> None:
    """Set parameters."""
    answer = device.api.patch(f"/params/{group}", json=values)
    assert answer.status_code == 200, answer.text


def tried(near: Near) -> list[float] | None:
    """When the device came to the dispatcher in vain, once that was often enough."""
    attempts: list[float] = near.ask("seen")["attempts"]
    return attempts if len(attempts) >= ATTEMPTS else None


def seen_at(near: Near, address: str) -> dict[str, Any] | None:
    """What the far end has seen, once the device is at its dispatcher and came from there."""
    seen: dict[str, Any] = near.ask("seen")
    return seen if seen["devices"] and seen["peer"] == address else None


if __name__ == "__main__":
    ends: dict[bool, Callable[[Path], None]] = {True: far, False: near}
    ends[sys.argv[1] == "--far"](Path(sys.argv[-1]))
