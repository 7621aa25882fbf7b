"""No test runs the benchmarks; that each of them can at least be begun is seen here."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHES = sorted((Path(__file__).resolve().parents[2] / "bench").glob("*.py"))


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_a_bench_finds_everything_that_it_takes_from_elsewhere(path: Path) -> None:
    importlib.import_module(f"bench.{path.stem}")
