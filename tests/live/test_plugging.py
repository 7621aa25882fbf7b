"""A cable that is plugged in or pulled is noticed because the kernel tells of it, and nobody looks meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.live.plugging import MANY
from tests.live.two_ends import on_a_stage


def test_links_and_addresses_are_told_by_the_kernel_and_many_at_once_are_few_words(tmp_path: Path) -> None:
    found = on_a_stage("tests.live.plugging", tmp_path)
    assert found["told"]
    assert found["times"] < MANY / 2
