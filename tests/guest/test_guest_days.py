"""Row 26, the short form: a night of a card an hour; `make soak` goes on for a week.

Time is the guest's, which is virtual in `make kernel-short`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.kernel_soak import BOARD, Soak
from tests.bench.kernel.bench import KernelBench

HOURS = 12
# A Saturday evening: summer time begins in the night, and the card is good from 08:00 of that.
BEGINS = datetime(2027, 3, 27, 20, 30, tzinfo=UTC)

pytestmark = pytest.mark.skipif(
    os.environ.get("LINTEL_KERNEL_BENCH") != "virtual", reason="needs the guest's virtual time (run.py --virtual)"
)


def test_row_26_a_card_an_hour_through_a_change_of_the_clocks_costs_no_memory_and_no_file(tmp_path: Path) -> None:
    bench = KernelBench(tmp_path / "state", str(BOARD))
    soak = Soak(bench, HOURS, (BEGINS,))
    bench.play(soak.play, {})
    assert soak.cards == HOURS
    assert soak.faults() == []
