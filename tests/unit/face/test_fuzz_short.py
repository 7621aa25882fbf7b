"""Rows 33, 36, 37: changed requests by the thousand, at every reader of them: refused or taken, at bounded cost.

`make fuzz` does it for ten minutes each, guided by coverage.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.judge import Judge
from tests.fuzz.mutate import text_input
from tests.fuzz.run import main
from tests.fuzz.targets import TARGETS, corpus

ROOT = Path(__file__).resolve().parents[3]
SEED, INPUTS, LONGEST_S = 1, 400, 100.0


def test_row_37_changed_requests_are_refused_or_taken_and_cost_neither_time_nor_memory() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.brief", str(SEED), str(INPUTS), str(LONGEST_S)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    said = json.loads(ended.stdout)
    assert set(said["inputs"]) == set(TARGETS)
    assert set(said["inputs"].values()) == {INPUTS}


def test_a_reader_that_raises_or_takes_too_long_is_a_finding() -> None:
    judge = Judge()

    def raises(_: bytes) -> None:
        raise KeyError("a finding")

    def takes_long(_: bytes) -> None:
        sum(number * number for number in range(30_000_000))

    with pytest.raises(KeyError):
        judge.look(raises, b"x", "this one")
    with pytest.raises(AssertionError, match="times the fixed work"):
        judge.look(takes_long, b"x", "that one")


def test_an_input_is_made_again_from_its_seed_and_number() -> None:
    good = corpus("soap")
    again = [text_input(3, number, good, 1000) for number in range(20)]
    assert again == [text_input(3, number, good, 1000) for number in range(20)]
    assert len(set(again)) > 15


def test_a_wrong_target_is_refused_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sope"]) == 2
    assert "did you mean 'soap'" in capsys.readouterr().err
