"""The second try of live tests, with real runs of pytest: who gets one, who gets none, and what is said of it.

And the script of CI around it, whose commands are played here: that it says last what was unsteady.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.steady import FAILED, LIST, MOST, UNSTEADY

ROOT = Path(__file__).resolve().parents[2]
# Of all plugins only the one that is needed: others take a second to load, in each process.
ALONE = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
BESIDE = ("-p", "xdist.plugin", "--dist", "loadfile", "--max-worker-restart", "0", "-n")
# Tests note each of their runs in a file, so that the second can do something else; a run is a line.
HEAD = """
import os, pathlib, pytest

pytestmark = pytest.mark.live

def run(name):
    with open(pathlib.Path(__file__).with_name(name), "a") as noted:
        noted.write("run\\n")
    return len(pathlib.Path(__file__).with_name(name).read_text().splitlines())
"""
STEADY = "def test_steady(): pass\n"


def failing(name: str, *, times: int) -> str:
    """A test that fails so many times before it passes."""
    return f"def test_{name}(): assert run({name!r}) > {times}\n"


PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a run: its code, and the tests below each heading."""

    code: int
    text: str

    def under(self, heading: str) -> list[str]:
        """The tests below a heading."""
        _, _, rest = self.text.partition(f"\n{heading}\n")
        lines = rest.splitlines()
        end = next((number for number, line in enumerate(lines) if not line.startswith("  ")), len(lines))
        return [line.strip() for line in lines[:end]]


def ran(folder: Path, *words: str, workers: int = 1, **files: str) -> Ended:
    """Run these test files beside one another; the unsteady are listed in `listed` as well."""
    for name, tests in files.items():
        (folder / f"test_{name}.py").write_text(HEAD + tests)
    done = subprocess.run(
        [sys.executable, "-m", "tools.steady", *BESIDE, str(workers), *words, "."],
        cwd=folder, env=os.environ | ALONE | {LIST: str(folder / "listed")},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout + done.stderr)


def runs(folder: Path, name: str) -> int:
    """How often a test has run."""
    return len((folder / name).read_text().splitlines())


def test_what_failed_beside_others_and_passes_alone_is_told_and_fails_no_run(tmp_path: Path) -> None:
    ended = ran(tmp_path, workers=2, one=failing("once", times=1) + STEADY, two=STEADY)
    assert ended.code == 0, ended.text
    assert ended.under(UNSTEADY) == ["test_one.py::test_once"]
    assert FAILED not in ended.text
    assert ended.text.rstrip().endswith("test_one.py::test_once"), "it is the last that is said"
    assert runs(tmp_path, "once") == 2
    assert (tmp_path / "listed").read_text() == f"{UNSTEADY}\n  test_one.py::test_once\n"


def test_what_fails_twice_fails_the_run_and_is_not_called_unsteady(tmp_path: Path) -> None:
    ended = ran(tmp_path, one=failing("once", times=1), two=failing("always", times=9))
    assert ended.code == 1, ended.text
    assert ended.under(FAILED) == ["test_two.py::test_always"]
    assert ended.under(UNSTEADY) == ["test_one.py::test_once"]
    assert runs(tmp_path, "always") == 2


def test_a_test_whose_fixture_failed_beside_others_has_its_second_try_as_well(tmp_path: Path) -> None:
    fixture = "@pytest.fixture\ndef device(): assert run('device') > 1\n"
    ended = ran(tmp_path, one=fixture + "@pytest.mark.parametrize('n', ['a b'])\ndef test_it(device, n): pass\n")
    assert (ended.code, ended.under(UNSTEADY)) == (0, ["test_one.py::test_it[a b]"]), ended.text


def test_a_device_of_a_whole_file_that_failed_once_fails_all_of_its_tests_and_counts_as_one(tmp_path: Path) -> None:
    fixture = "@pytest.fixture(scope='module')\ndef device(): assert run('device') > 1\n"
    tests = "".join(f"def test_{number}(device): pass\n" for number in range(MOST + 2))
    ended = ran(tmp_path, one=fixture + tests)
    assert ended.code == 0, ended.text
    assert ended.under(UNSTEADY) == [f"test_one.py::test_{number}" for number in range(MOST + 2)]


def test_where_the_devices_of_more_than_three_files_fail_none_is_tried_again(tmp_path: Path) -> None:
    tests = "@pytest.fixture\ndef device(): assert run('NAME') > 1\n\ndef test_it(device): pass\n"
    files = {name: tests.replace("NAME", name) for name in map("f{}".format, range(MOST + 1))}
    ended = ran(tmp_path, **files)
    assert ended.code == 1, ended.text
    assert UNSTEADY not in ended.text


def test_where_more_than_three_fail_none_is_tried_again(tmp_path: Path) -> None:
    many = [f"f{number}" for number in range(MOST + 1)]
    ended = ran(tmp_path, one="".join(failing(name, times=1) for name in many))
    assert ended.code == 1, ended.text
    assert UNSTEADY not in ended.text
    assert [runs(tmp_path, name) for name in many] == [1] * len(many)


def test_a_test_that_fails_for_what_ran_before_it_in_its_file_fails_the_run(tmp_path: Path) -> None:
    before = "asked = []\ndef test_first(): asked.append(1)\ndef test_second(): asked.append(1)\n"
    ended = ran(tmp_path, one=before + "def test_third(): assert len(asked) < 2\n")
    assert (ended.code, ended.under(FAILED)) == (1, ["test_one.py::test_third"]), ended.text
    assert UNSTEADY not in ended.text


def test_a_second_try_runs_a_file_once_whatever_failed_in_it_and_no_other_file(tmp_path: Path) -> None:
    also = "def test_also(): run('also')\n"
    ended = ran(tmp_path, one=failing("a", times=1) + failing("b", times=1) + also, two="def test_it(): run('other')\n")
    assert (ended.code, ended.under(UNSTEADY)) == (0, ["test_one.py::test_a", "test_one.py::test_b"]), ended.text
    assert [runs(tmp_path, name) for name in ("a", "b", "also", "other")] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("test", "how"),
    [
        ("def test_it(): run('it') > 1 and pytest.skip('no more'); assert 0\n", "skipped"),
        ("def test_it(): run('it') > 1 and pytest.xfail('known'); assert 0\n", "expected to fail"),
        ("if run('it') < 2:\n    def test_it(): assert 0\nelse:\n    def test_other(): pass\n", "not run"),
        ("def test_it(): run('it') > 1 and os._exit(0); assert 0\n", "not run"),
        ("def test_it(): run('it') > 1 and pytest.exit('enough', 0); assert 0\n", "not run"),
    ],
    ids=["skipped", "expected to fail", "not there", "the end of its process", "the end of its run"],
)
def test_what_did_not_pass_the_second_time_is_not_called_unsteady(tmp_path: Path, test: str, how: str) -> None:
    ended = ran(tmp_path, one=test)
    assert (ended.code, ended.under(FAILED)) == (1, [f"test_one.py::test_it ({how} alone)"]), ended.text
    assert UNSTEADY not in ended.text
    assert not (tmp_path / "listed").exists()


@pytest.mark.parametrize(
    "other",
    [
        "def test_other(): assert run('other') < 2\n",
        "@pytest.fixture\ndef kept():\n    yield\n    assert run('kept') < 2\ndef test_other(kept): pass\n",
    ],
    ids=["in a test", "in a teardown"],
)
def test_what_passes_beside_a_new_failure_in_its_file_is_not_called_unsteady(tmp_path: Path, other: str) -> None:
    ended = ran(tmp_path, one=failing("once", times=1) + other)
    told = ["test_one.py::test_once (passed alone, but its file did not)"]
    assert (ended.code, ended.under(FAILED)) == (1, told), ended.text
    assert UNSTEADY not in ended.text


def test_a_teardown_that_failed_has_no_second_try(tmp_path: Path) -> None:
    fixture = "@pytest.fixture(scope='module')\ndef device():\n    yield\n    assert run('device') > 1\n"
    ended = ran(tmp_path, one=fixture + "def test_it(device): pass\n")
    assert ended.code == 1, ended.text
    assert UNSTEADY not in ended.text
    assert runs(tmp_path, "device") == 1


QUICK = "pytestmark = []\ndef test_quick(): assert run('quick') > 1\n"
CRASH = "def test_crash(): os._exit(1)\n"


@pytest.mark.parametrize(
    ("words", "workers", "other"),
    [((), 1, "import no_such_module\n"), ((), 1, QUICK), ((), 1, CRASH), (("-x",), 1, STEADY), (("-x",), 0, STEADY)],
    ids=[
        "that cannot be read",
        "in which one fails that is not live",
        "in which a worker crashes",
        "that ends early",
        "that ends early in one process",
    ],
)
def test_in_a_run_that_is_not_whole_nothing_is_tried_again(
    tmp_path: Path, words: tuple[str, ...], workers: int, other: str
) -> None:
    ended = ran(tmp_path, *words, workers=workers, one=failing("once", times=1), two=other)
    assert ended.code != 0, ended.text
    assert UNSTEADY not in ended.text
    # A run that reads no file may end before the first test.
    assert not (tmp_path / "once").exists() or runs(tmp_path, "once") == 1


def test_of_a_run_without_a_failure_nothing_more_is_said(tmp_path: Path) -> None:
    ended = ran(tmp_path, one=STEADY)
    assert ended.code == 0, ended.text
    assert "once more" not in ended.text
    assert UNSTEADY not in ended.text


def test_ci_says_last_what_was_unsteady_and_nothing_where_there_was_nothing(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "run"
    script.write_bytes((ROOT / ".ci" / "run").read_bytes())
    played = {"make": f'[ "$1" != test ] || printf %s "$UNSTEADY_TOLD" >>"${LIST}"\nexit 0', "python3": "exit 0"}
    for name, does in played.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)

    def said(told: str) -> str:
        env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "UNSTEADY_TOLD": told}
        done = subprocess.run(
            ["bash", str(script)], env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    told = f"{UNSTEADY}\n  test_one.py::test_once\n"
    assert said("") + told == said(told)
