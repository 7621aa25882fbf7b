"""Mistakes of a person at the command line: one clear line, the nearest valid word, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.device import Device, free_port, lintel

MISTAKES = [
    (["rum"], "did you mean 'run'?"),
    (["run", "--bord", "door_station"], "did you mean '--board'?"),
    (["run", "--board", "dor_station"], "did you mean 'door_station'?"),
    (["run", "--hal", "simm"], "did you mean 'sim'?"),
    (["run", "--http", "8080"], "HOST:PORT"),
    (["run", "--http", "127.0.0.1:99999"], "lintel run --http: port 99999"),
    (["run", "--http", "192.0.2.1:8080"], "cannot be used"),
    (["run", "--https", "127.0.0.1:99999"], "lintel run --https: port 99999"),
    (["run", "--rtsp", "127.0.0.1:99999"], "lintel run --rtsp: port 99999"),
    (["run", "--role", "contrl"], "did you mean 'control'?"),
    (["explain", "--board", "ptz_dom"], "did you mean 'ptz_dome'?"),
    (["bundle", "biuld"], "did you mean 'build'?"),
    (["bundle", "build"], "the following arguments are required: out"),
    (["bundle", "build", "--keys", "nowhere", "x.raucb"], "'lintel bundle keys DIR' makes keys"),
    (["bundle", "build", "--version", "1", "x.raucb"], "MAJOR.MINOR"),
    (["bundle", "build", "--mode", "standrad", "x.raucb"], "did you mean 'standard'?"),
    (["bundle", "build", "--model", "ds 1", "x.raucb"], "is not the name of a model"),
    (["bundle", "build", "--cert", "x.pem", "x.raucb"], "--cert and --key belong together"),
    (["bundle", "sign", "nowhere.raucb", "x.raucb"], "there is no such file"),
    (["bundle", "inspect", "nowhere.raucb"], "No such file"),
    (["bundle", "keys", "--device", "1:2", "keys"], "is not SERIAL:CHIP"),
    (["bench", "swipe", "front", "H10301:42:1234"], "no device runs"),
    (["bench"], "a verb is missing"),
    (["bench", "state", "--state"], "--state needs a directory"),
    (["bench", "--stat", "x", "state"], "did you mean '--state'?"),
    (["bench", "swipe", "front", "1" * 70_000], "the longest is"),
]


@pytest.mark.parametrize(("words", "hint"), MISTAKES, ids=[" ".join(words)[:60] for words, _ in MISTAKES])
def test_a_mistake_gets_one_line_with_a_hint_and_writes_nothing(words: list[str], hint: str, tmp_path: Path) -> None:
    done = lintel(*words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert hint in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_board_file_gets_one_line_with_place_and_value_and_writes_nothing(tmp_path: Path) -> None:
    board = tmp_path / "mine.toml"
    board.write_text(
        'base = "_rpi.toml"\n[product]\nname = "Mine"\nmodel = "M1"\n'
        '[nodes]\nr = { compatible = "rely", line = "gpio0:5" }\n'
    )
    done = lintel("run", "--board", str(board), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "nodes.r" in done.stderr
    assert "did you mean 'relay'?" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_an_address_in_use_gets_one_line_and_writes_nothing(shared_device: Device, tmp_path: Path) -> None:
    address = f"127.0.0.1:{shared_device.port}"
    done = lintel("run", "--state", str(tmp_path / "state"), "--http", address)
    assert done.returncode == 1
    assert done.stderr == f"lintel: --http: {address} is in use by another program; another with --http HOST:PORT\n"
    assert list(tmp_path.iterdir()) == []


def test_a_state_directory_that_cannot_be_made_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = lintel("run", "--state", str(tmp_path / "file" / "state"), "--http", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be used" in done.stderr


def test_a_state_directory_of_somebody_else_gets_one_line(tmp_path: Path) -> None:
    # Root may write anywhere; a directory where the lock has to be stops root, too.
    (tmp_path / "state" / "lock").mkdir(parents=True)
    done = lintel("run", "--state", str(tmp_path / "state"), "--http", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "cannot be used" in done.stderr


def test_two_devices_cannot_share_a_state_directory(device: Device) -> None:
    for port in (free_port(), device.port):
        done = lintel("run", "--state", str(device.state), "--http", f"127.0.0.1:{port}")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "belongs to a running device" in done.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["swip", "front", "H10301:42:1234"], "did you mean 'swipe'?"),
        (["swipe", "frnt", "H10301:42:1234"], "did you mean 'front'?"),
        (["swipe", "front", "H10302:x:1"], "H10302:x:1"),
        (["input", "contact:door", "opn"], "did you mean 'open'?"),
        (["power", "of"], "did you mean 'off'?"),
        (["power", "on", "off"], "write: power on|off|cycle"),
        (["watch", "door"], "takes no words"),
        (["unplug", "nowhere"], "lintel: nowhere: no peer"),
        (["fault", "reader:front", "nose"], "did you mean 'noise'?"),
        (["trace", "relay:dor"], "did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_bench_verb_gets_one_line(words: list[str], hint: str, shared_device: Device) -> None:
    done = lintel("bench", "--state", str(shared_device.state), *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert hint in done.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "hint"),
    [
        ("POST", "/entries", {"name": "Ada", "crd": "H10301:42:1234"}, 400, "did you mean 'card'?"),
        ("POST", "/entries", {"name": "Ada", "card": "H10311:42:1234"}, 400, "did you mean 'H10301'?"),
        ("PATCH", "/params/doors", {"dor": {"hold_s": 3}}, 400, "did you mean"),
        ("POST", "/actions/door.relase", {"door": "door"}, 404, "did you mean 'door.release'?"),
        ("POST", "/actions/door.release", {"door": "dor"}, 404, "did you mean 'door'?"),
        ("POST", "/actions/door.release", {"door": "door", "hold_s": "long"}, 400, "hold_s"),
    ],
)
def test_a_wrong_body_gets_one_error_with_place_and_hint_and_changes_nothing(
    method: str, path: str, body: dict[str, object], status: int, hint: str, shared_device: Device
) -> None:
    before = shared_device.bench("trace", "door")["points"]
    answer = shared_device.api.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "where", "message"}
    assert hint in error["message"] or hint in error["where"]
    assert shared_device.api.get("/entries").json()["entries"] == []
    assert shared_device.bench("trace", "door")["points"] == before
