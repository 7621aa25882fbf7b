"""Verbs for whoever sits at the device: over the link's socket, without an account, on one running door station."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from firmware.cli.main import run as lintel_run
from tests.live.device import Device, lintel, running, until

CARD = "H10301:42:1234"
ADDRESS = {"boot_proto": "static", "address": "10.1.2.3", "mask": "255.255.0.0"}
UPGRADE = ["upgrade", "none.raucb", "--mode", "factory_default"]
ROLES = ("control", "media", "network")


class Done(NamedTuple):
    """What came of a verb."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One door station for all verbs; those that restart it come last."""
    with running(tmp_path_factory.mktemp("console") / "state") as found:
        found.set_up()
        assert found.api.patch("/params/troubleshooting", json={"local": True}).status_code == 200
        ready(found)
        yield found


@pytest.fixture
def run(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs `lintel VERB --state ... WORDS` in a folder of its own, and in this process: one is slow to start."""

    def verb(name: str, *words: str) -> Done:
        monkeypatch.chdir(tmp_path)
        code = lintel_run([name, "--state", str(device.state), *words])
        told = capsys.readouterr()
        return Done(code, told.out, told.err)

    return verb


def ready(device: Device, other_than: frozenset[int] = frozenset()) -> None:
    """Until every role runs, ready, as another process than those."""

    def look() -> bool:
        roles = device.ask("state")["roles"]
        return set(roles) == set(ROLES) and all(
            role["ready"] and role["pid"] and role["pid"] not in other_than for role in roles.values()
        )

    until("every role ready", look)


def pids(device: Device) -> frozenset[int]:
    """The processes of the roles."""
    return frozenset(role["pid"] for role in device.ask("state")["roles"].values())


def restarted(device: Device, run: Callable[[], Done]) -> None:
    """Fails unless the verb restarts the device as a whole."""
    before = pids(device)
    done = run()
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "restarts" in done.stdout
    ready(device, other_than=before)


def test_status_tells_what_the_device_says_of_itself(device: Device, run: Run) -> None:
    serial = device.api.get("/device").json()["serial"]

    def nothing_wrong() -> subprocess.CompletedProcess[str] | None:
        said = lintel("status", "--state", str(device.state))
        return said if said.stdout.endswith("nothing is wrong\n") else None

    done = until("nothing wrong", nothing_wrong)  # a machine that stood still may be wrong for a moment
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"Network door station, LINTEL-DS1, serial {serial}, simulated"
    assert "roles: control, media, network" in lines
    assert f"http://127.0.0.1:{device.port}" in done.stdout
    assert lines[-1] == "nothing is wrong"

    def untroubled() -> Any:
        said = json.loads(run("status", "--json").stdout)
        return said if said["troubles"] == [] else None

    told = until("no troubles", untroubled)
    assert told["roles"] == {"control": True, "media": True, "network": True}
    assert told["states"]["device/info"]["serial"] == serial


def test_while_the_network_role_answers_nobody_the_device_can_be_asked_all_the_same(device: Device, run: Run) -> None:
    pid = device.ask("state")["roles"]["network"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert run("locate", "--for", "1").stdout == "the device shows itself for 1 s\n"
        until("a good status", lambda: run("status").returncode == 0)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_report_is_read_or_kept_in_a_file_that_only_its_owner_reads(
    device: Device, run: Run, tmp_path: Path
) -> None:
    serial = device.api.get("/device").json()["serial"]
    assert f"serial: {serial}" in run("report").stdout
    for name in ("kept.txt", "kept.zip", "kept.tgz"):
        assert run("report", name).stdout == f"{name}\n"
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert f"serial: {serial}" in (tmp_path / "kept.txt").read_text()
    assert {"server_report.txt", "audit.log"} <= set(zipfile.ZipFile(tmp_path / "kept.zip").namelist())
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "kept.tgz").read_bytes())) as archive:
        assert {"processes.txt", "clients.json"} <= set(archive.getnames())
    assert list((device.state / "spool").glob("?" * 32)) == [], "nothing is left in the spool"


def test_a_ping_and_a_port_check_tell_what_they_found_and_end_with_it(run: Run) -> None:
    done = run("ping", "127.0.0.1")
    assert done.returncode == 0, done  # one answer at least: on a crowded machine another may come too late
    assert re.match(r"127\.0\.0\.1 \(127\.0\.0\.1\): [1-4] of 4 answered, ", done.stdout), done.stdout
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = str(door.getsockname()[1])
        done = run("port-check", "127.0.0.1", port, "--json")
        assert (done.returncode, json.loads(done.stdout)["open"]) == (0, True)
    done = run("port-check", "127.0.0.1", port)
    assert (done.returncode, done.stdout) == (1, f"127.0.0.1 (127.0.0.1), {port}/tcp: closed (refused)\n")
    done = run("port-check", "127.0.0.1", port, "--udp")
    assert (done.returncode, done.stdout) == (1, f"127.0.0.1 (127.0.0.1), {port}/udp: closed (refused)\n")


def test_the_device_is_located_for_a_time_or_until_told_otherwise(device: Device, run: Run) -> None:
    def shows() -> bool:
        states = device.api.get("/state").json()["states"]
        return any(each["topic"] == "device/identify" and each["active"] for each in states)

    assert run("locate", "--for", "600").returncode == 0
    until("it shows itself", shows)
    assert run("locate", "--stop").returncode == 0
    until("it is quiet", lambda: not shows())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rollback", "--yes"], "roll"),
        (["confirm"], "no firmware is on trial"),
        (["upgrade", "bad.raucb"], "bundle"),
        (["ping", "169.254.169.254"], "ping.host"),
        (["port-check", "a b", "80"], "port_check.host"),
    ],
)
def test_what_the_device_refuses_is_one_line_and_nothing_happens(
    device: Device, run: Run, tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "bad.raucb").write_bytes(b"no bundle at all")
    before = pids(device)
    done = run(*words)
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert pids(device) == before
    assert list((device.state / "spool").glob("?" * 32)) == []


@pytest.mark.parametrize("words", [["restore"], ["factory-default"], ["rollback"], UPGRADE])
def test_without_yes_it_is_told_which_device_it_would_be_and_nothing_happens(
    device: Device, run: Run, words: list[str]
) -> None:
    assert device.api.patch("/params/place", json={"name": "Back door"}).status_code == 200
    info, before = device.api.get("/device").json(), pids(device)
    done = run(*words)
    assert (done.returncode, done.stdout) == (1, "")
    verb = " ".join(word for word in words if word != "none.raucb")
    assert done.stderr.splitlines() == [
        f"lintel {verb}: would do it to {info['product']} 'Back door' with serial {info['serial']} in {device.state};"
        " it cannot be undone: say --yes when it is meant"
    ]
    assert pids(device) == before


def test_where_no_device_runs_it_says_so(tmp_path: Path) -> None:
    done = lintel("restart", "--state", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "no device runs in" in done.stderr


def test_restart_restarts_all_of_it_and_changes_no_setting(device: Device, run: Run) -> None:
    assert device.api.patch("/params/access", json={"holders": 77}).status_code == 200
    restarted(device, lambda: run("restart"))
    assert device.api.get("/params/access").json()["holders"] == 77


def test_restore_keeps_the_network_settings_alone(device: Device, run: Run) -> None:
    device.enrol(CARD)
    assert device.api.patch("/params/network", json=ADDRESS).status_code == 200
    restarted(device, lambda: run("restore", "--yes"))
    device.set_up()  # the account is gone
    assert device.api.get("/params/network").json()["address"] == "10.1.2.3"
    assert device.api.get("/entries").json()["entries"] == []


def test_factory_default_takes_everything(device: Device, run: Run) -> None:
    assert device.api.patch("/params/network", json=ADDRESS).status_code == 200
    restarted(device, lambda: run("factory-default", "--yes"))
    device.set_up()
    assert device.api.get("/params/network").json()["address"] == ""
