"""Certificates are judged at the latest time that is known to have passed, whatever the clock says now (row 16)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firmware.core.store_file import frame
from firmware.upgrade.context import at_least
from firmware.upgrade.saved_time import NAME, SavedTime
from hal.clock import BUILT
from tests.unit.upgrade.bundles import NOW, Workshop
from tests.unit.upgrade.conftest import Refused

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("clock", "saved", "found"),
    [
        (NOW, None, NOW),
        (NOW, NOW - DAY, NOW),
        (NOW, NOW + DAY, NOW + DAY),
        (datetime(1970, 1, 1, tzinfo=UTC), None, BUILT),
        (datetime(1970, 1, 1, tzinfo=UTC), NOW, NOW),
    ],
)
def test_row_16_the_latest_known_time_counts(clock: datetime, saved: datetime | None, found: datetime) -> None:
    assert at_least(clock, saved) == found


def test_row_16_a_clock_that_was_set_back_makes_an_expired_release_no_better(
    good: Path, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    saved = SavedTime(tmp_path)
    saved.note(NOW + 4 * 365 * DAY)
    context = workshop.context(now=at_least(NOW, SavedTime(tmp_path).read()))
    assert refused(good, context) == "certificate-expired"


def test_a_saved_time_only_grows_and_survives_a_damaged_copy(tmp_path: Path) -> None:
    saved = SavedTime(tmp_path / "identity")
    assert saved.read() is None
    saved.note(NOW)
    saved.note(NOW - DAY)
    assert saved.read() == NOW
    saved.note(NOW + DAY)
    (tmp_path / "identity" / NAME).write_bytes(b"\0" * 80)
    assert SavedTime(tmp_path / "identity").read() == NOW


@pytest.mark.parametrize("content", [b"", b"tomorrow", b"2026-06-01T12:00:00", b"\xff"])
def test_a_saved_time_that_is_none_counts_for_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(frame(content))
    assert SavedTime(tmp_path).read() is None
