"""The three units under systemd, with all of their hardening: ready, joined, watched, killed, stopped.

Systemd is the first process of a container (tests/unitset). The hardware is simulated, by a unit of its own; on a
kernel's simulated hardware the same units run in tests/guest/test_guest_unit_set.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware.interfaces.net.capture import HEAD
from firmware.interfaces.net.changes import GROUPS
from hal.sim.pcm import alsa_environment
from tests.live.device import PASSWORD, PATIENCE_S, USER, free_port, until
from tests.live.pictures.viewers import shares
from tests.unitset.container import Container
from tools.package.system_files import CHECKOUT

pytestmark = pytest.mark.live

ROLES = ("control", "media", "network")
UNITS = tuple(f"lintel-{role}.service" for role in ROLES)
STATE = "/var/lib/lintel"
WORLD = """\
[Unit]
Description=the simulated world
Before={before}
[Service]
Type=notify
User=lintel
StateDirectory=lintel
StateDirectoryMode=0700
RuntimeDirectory=lintel
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ExecStart=lintel-python -m tests.unitset.world door_station {state} /run/lintel
"""


def simulated(role: str) -> str:
    """A unit's own command, on simulated hardware."""
    text = (CHECKOUT / "systemd" / f"lintel-{role}.service").read_text()
    found = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert found is not None
    assert "--hal real" in found[1]
    cards = " ".join(f"{name}={value}" for name, value in alsa_environment(Path("/run/lintel/sound")).items())
    command = found[1].replace("--hal real", "--hal sim")
    return f"[Unit]\nRequires=world.service\n[Service]\nEnvironment={cards}\nExecStart=\nExecStart={command}\n"


class UnitSet:
    """The device, as its units and its API show it."""

    def __init__(self, container: Container, port: int) -> None:
        self.container = container
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", auth=(USER, PASSWORD), timeout=PATIENCE_S)

    def active(self, role: str) -> bool:
        """Whether systemd has heard READY=1 of a role."""
        return self.container.systemctl("is-active", f"lintel-{role}.service") == "active"

    def restarts(self, role: str) -> int:
        """How often systemd has started a role again."""
        return int(self.container.shown(f"lintel-{role}.service", "NRestarts"))

    def answers(self) -> bool:
        """Whether the API answers."""
        try:
            return self.http.get("/device").status_code == 200
        except httpx.HTTPError:
            return False

    def bench(self, *words: str) -> Any:
        """A verb of the bench."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(f"/proc/{self.container.pid('world.service')}/root/run/lintel/bench")
            stream.sendall(json.dumps(words).encode() + b"\n")
            answer = json.loads(stream.makefile().readline())
        assert "answer" in answer, answer
        return answer["answer"]

    def pulses(self) -> int:
        """How often the door was released."""
        return len([value for _, value in self.bench("trace", "door")["points"] if value])

    def pid(self, role: str) -> int:
        """The process of a role."""
        return self.container.pid(f"lintel-{role}.service")

    def replaced(self, role: str, was: int) -> bool:
        """Whether another process than `was` is ready as a role."""
        return self.active(role) and self.pid(role) not in (0, was)

    def released(self) -> bool:
        """Whether the door's relay is on."""
        return bool(self.bench("trace", "door")["points"][-1][1])

    def opens(self) -> None:
        """A card opens the door."""
        until("a closed door", lambda: not self.released())
        before = self.pulses()
        self.bench("swipe", "front", "H10301:42:1234")
        until("the door opens", lambda: self.pulses() > before)


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnitSet]:
    port = free_port()
    container = Container(
        tmp_path_factory.mktemp("unit-set"),
        (*UNITS, "lintel-trace.socket"),
        settings=f"LINTEL_HTTP=127.0.0.1:{port}\nLINTEL_HTTPS=off\nLINTEL_RTSP=off\n",
        units={"world.service": WORLD.format(before=" ".join(UNITS), state=STATE)},
        drop_ins={f"lintel-{role}.service": simulated(role) for role in ROLES},
        extra={"usr/lib/udev/rules.d/62-lintel-broken.rules": 'SUBSYSTEM=="sound", GRUOP="audio"\n'},
    )
    try:
        made = UnitSet(container, port)
        try:
            until("three active units", lambda: all(map(made.active, ROLES)))
            answer = made.http.post("/setup", json={"name": USER, "password": PASSWORD})
            assert answer.status_code == 201, answer.text
            answer = made.http.patch("/params/doors", json={"door": {"hold_s": 1.0}})
            assert answer.status_code == 200, answer.text
            answer = made.http.post("/entries", json={"name": "Ada", "card": "H10301:42:1234"})
            assert answer.status_code == 201, answer.text
        except BaseException:
            print(container.told())
            raise
        yield made
        made.http.close()
    finally:
        container.close()


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_a_network_trace_is_listened_to_by_a_unit_of_its_own_that_is_nobody(units: UnitSet) -> None:
    assert status(units.pid("network"))["CapBnd"] == "0" * 16
    kept = units.http.get("/trace", params={"duration_s": 1, "adapter": "lo"})
    assert kept.status_code == 200, kept.text
    assert kept.content.startswith(HEAD)
    refused = units.http.get("/trace", params={"duration_s": 1, "adapter": "l0"})
    assert "did you mean 'lo'" in refused.json()["error"]["message"]


def test_three_units_are_active_and_a_card_opens_the_door(units: UnitSet) -> None:
    assert [units.active(role) for role in ROLES] == [True] * 3
    assert [units.restarts(role) for role in ROLES] == [0] * 3
    units.opens()


def test_every_role_runs_as_nobody_in_particular_and_sees_little_of_the_machine(units: UnitSet) -> None:
    user = units.container.run("id", "-u", "lintel").stdout.strip()
    for role in ROLES:
        pid = units.pid(role)
        found = status(pid)
        assert set(found["Uid"].split()) == {user}
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
        assert {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapAmb", "CapBnd")} == {0}
        has_network = os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
        assert has_network == (role == "network")
    root = Path(f"/proc/{units.pid('network')}/root")
    assert {one.name for one in root.iterdir()} >= {"etc", "usr", "var"}
    assert not {"boot", "media", "opt", "srv"} & {one.name for one in root.iterdir()}
    assert [one.name for one in (root / "var/lib").iterdir()] == ["lintel"]
    assert os.readlink(f"/proc/{units.pid('network')}/ns/user") != os.readlink("/proc/self/ns/user")


def test_the_network_role_listens_to_the_kernel_through_a_socket_that_it_is_handed(units: UnitSet) -> None:
    """It may open none itself (RestrictAddressFamilies=); of the one it is handed it reads a copy."""
    pid = units.pid("network")
    heads, *lines = (line.split() for line in Path(f"/proc/{pid}/net/netlink").read_text().splitlines())
    groups = {line[heads.index("Inode")]: int(line[heads.index("Groups")], 16) for line in lines}

    def heard() -> list[int]:
        files = [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
        inodes = [name.removeprefix("socket:[").removesuffix("]") for name in files]
        return [groups[inode] for inode in inodes if inode in groups]

    until("a copy of the socket", lambda: heard() == [GROUPS] * 2)


KNOCK = """\
import socket
with socket.socket(socket.AF_UNIX) as knocking:
    knocking.settimeout(30)
    try:
        knocking.connect("/run/lintel/link")
    except PermissionError:
        print("no way in")
    else:
        print("shown out" if knocking.recv(1) == b"" else "taken in")
"""


def test_a_process_of_another_user_does_not_join_the_link(units: UnitSet) -> None:
    nobody = units.container.run("setpriv", "--reuid=nobody", "--clear-groups", "lintel-python", "-c", KNOCK)
    assert nobody.stdout == "no way in\n", nobody.stderr
    # Root passes every door of the file system; the hub asks the kernel who it is.
    assert units.container.run("lintel-python", "-c", KNOCK).stdout == "shown out\n"
    assert "user 0 may not join" in units.container.run("cat", "/run/said/lintel-control").stdout


def test_root_at_the_device_asks_it_without_an_account_and_is_no_role(units: UnitSet) -> None:
    done = units.container.run("/usr/bin/lintel", "status")
    assert "roles: control, media, network" in done.stdout, done.stdout + done.stderr
    report = units.container.run("/usr/bin/lintel", "report")
    assert "----- Server Report Start -----" in report.stdout, report.stderr
    nobody = units.container.run("setpriv", "--reuid=nobody", "--clear-groups", "/usr/bin/lintel", "restart")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "is closed to you" in nobody.stderr
    assert [units.active(role) for role in ROLES] == [True] * 3


def test_udev_itself_has_no_complaint_about_a_rule(units: UnitSet) -> None:
    done = units.container.run("udevadm", "test", "--action=add", "/class/mem/null")
    said = done.stdout + done.stderr
    for name in ("60-lintel", "61-lintel-slots", "61-lintel-adapters"):
        assert f"Reading rules file: /usr/lib/udev/rules.d/{name}.rules" in said
    complaints = [line for line in said.splitlines() if re.match(r"/usr/lib/udev/rules.d/[^:]*lintel[^:]*:\d", line)]
    assert all("broken" in line for line in complaints), complaints
    assert complaints, "a mistake would not be noticed"


def test_media_writes_its_pictures_to_a_viewer_from_where_it_has_no_network(units: UnitSet) -> None:
    """The connection is handed to it; all that its unit forbids stays forbidden."""
    with units.http.stream("GET", "/video/entrance/mjpeg") as answer:
        pieces, seen = answer.iter_raw(), b""
        client = answer.extensions["network_stream"].get_extra_info("socket")
        port = client.getsockname()[1]

        def seen_from_media() -> bool:
            """One more picture; a media role that is too busy takes its viewer over later."""
            nonlocal seen
            seen += next(pieces)
            return [role for role in ROLES if shares(units.pid(role), port)] == ["media", "network"]

        until("media at the connection", seen_from_media)
        first = seen.count(b"x-frame: ")
        while seen.count(b"x-frame: ") < first + 5:
            seen += next(pieces)


def test_kill_9_of_media_and_network_leaves_control_and_the_door_alone(units: UnitSet) -> None:
    before = {role: units.pid(role) for role in ROLES}
    for role in ("media", "network"):
        os.kill(before[role], signal.SIGKILL)
    units.opens()
    for role in ("media", "network"):
        until(f"another {role}", partial(units.replaced, role, before[role]))
    assert units.pid("control") == before["control"]
    assert units.restarts("control") == 0
    until("the API answers", units.answers)


def test_kill_9_of_control_brings_the_relay_to_rest_and_the_next_one_opens_again(units: UnitSet) -> None:
    units.opens()
    os.kill(was := units.pid("control"), signal.SIGKILL)
    until("a relay at rest", lambda: not units.released())
    until("another control", lambda: units.replaced("control", was))
    units.opens()


def test_row_22_a_loop_that_hangs_is_ended_by_the_watchdog_and_replaced(units: UnitSet) -> None:
    service = "lintel-control.service"
    assert units.container.shown(service, "WatchdogUSec") == "8s"
    assert units.container.shown(service, "RestartUSec") == "500ms"  # together well within 10 s
    restarts, was = units.restarts("control"), units.pid("control")
    os.kill(was, signal.SIGSTOP)
    until("the watchdog has bitten", lambda: units.restarts("control") > restarts)
    assert not Path(f"/proc/{was}").exists()
    until("another control", lambda: units.active("control"))
    units.opens()


def test_stopping_the_units_ends_them_in_order_and_puts_every_output_at_rest(units: UnitSet) -> None:
    units.opens()
    units.container.systemctl("stop", *UNITS)
    assert not units.released()
    assert [units.container.shown(unit, "ActiveState") for unit in UNITS] == ["inactive"] * 3
    assert units.container.shown("lintel-control.service", "Result") == "success"
    # The command afterwards ran, and says that it finds no chip of a simulated board.
    said = units.container.run("tail", "-n", "2", "/run/said/lintel-control").stdout
    assert "lintel safe-outputs: gpio0: cannot open the GPIO chip /dev/lintel/gpio" in said
    units.container.systemctl("start", *UNITS)
    assert [units.active(role) for role in ROLES] == [True] * 3
    units.opens()
