"""`lintel param` as a person uses it against a running device: lists, reads, changes, resets, and is told no."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.live.device import LINTEL, PASSWORD, PATIENCE_S, Device, environment

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def param(shared_device: Device) -> Run:
    """Runs `lintel param` with these words, as the administrator."""

    def run(*words: str, password: str | None = PASSWORD) -> subprocess.CompletedProcess[str]:
        secret = {} if password is None else {"LINTEL_PASSWORD": password}
        return subprocess.run(
            [*LINTEL, "param", "--url", f"http://127.0.0.1:{shared_device.port}", *words],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False, stdin=subprocess.DEVNULL,
            env={name: value for name, value in environment().items() if name != "LINTEL_PASSWORD"} | secret,
        )  # fmt: skip

    return run


def read(param: Run, name: str) -> Any:
    done = param("get", name)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_parameter_is_listed_with_its_limits_read_set_and_reset_by_name(param: Run) -> None:
    (line,) = param("list", "brute_force.period_s").stdout.splitlines()
    assert line.startswith("brute_force.period_s  ")
    assert " s, default " in line
    assert "admin" in line
    before = read(param, "brute_force.period_s")
    done = param("set", "brute_force.period_s=17", "http.hsts=true", 'http.host_names=["door.example"]')
    assert json.loads(done.stdout) == {
        "brute_force.period_s": 17, "http.hsts": True, "http.host_names": ["door.example"],
    }  # fmt: skip
    assert read(param, "brute_force.period_s") == 17
    assert read(param, "http")["http.host_names"] == ["door.example"]
    assert param("reset", "brute_force.period_s", "http").returncode == 0
    assert read(param, "brute_force.period_s") == before
    assert read(param, "http")["http.host_names"] == []


def test_every_group_of_every_role_is_listed(param: Run, shared_device: Device) -> None:
    declared = {f"{each['group']}.{each['name']}" for each in shared_device.api.get("/params").json()["params"]}
    listed = {line.partition(" ")[0] for line in param("list").stdout.splitlines()}
    assert listed == declared
    assert len({name.partition(".")[0] for name in listed}) > 8


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "brute_force.periods"], 1, "did you mean 'brute_force.period_s'"),
        (["set", "brute_force.period_s=soon"], 1, "brute_force.period_s"),
        (["set", "brute_force.period_s=-1"], 1, "brute_force.period_s"),
        (["set", "htp.hsts=true"], 1, "did you mean 'http.hsts'"),
        (["set", "http=true"], 1, "'http' is a group"),
        (["set", "http.hsts"], 1, "is not GROUP.NAME=VALUE"),
        (["lst"], 1, "did you mean 'list'"),
        (["--usr", "x", "list"], 1, "did you mean '--user'"),
        (["--ca", "/no/such/file", "list"], 1, "--ca"),
        (["--user", "nobody", "list"], 1, "name or password is wrong"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(param: Run, words: list[str], code: int, said: str) -> None:
    done = param(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_device_or_a_password_it_says_so(param: Run) -> None:
    assert "LINTEL_PASSWORD is not set" in param("list", password=None).stderr
    done = subprocess.run(
        [*LINTEL, "param", "--url", "http://127.0.0.1:9", "list"], capture_output=True, text=True, check=False,
        timeout=PATIENCE_S, env=environment() | {"LINTEL_PASSWORD": "x"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert os.linesep.join(done.stderr.splitlines()) + os.linesep == done.stderr
