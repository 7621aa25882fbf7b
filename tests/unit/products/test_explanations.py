"""What `lintel explain` says of every shipped product, held against golden files."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.app import explain
from hal.board import board_names

PRODUCTS = [name for name in board_names() if not name.startswith("_")]
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_explains_itself_as_its_golden_file_says(product: str) -> None:
    """A change of a golden file goes with a line in CHANGELOG.md (tests/unit/test_changelog.py)."""
    assert explain(product) == (GOLDEN / f"{product}.txt").read_text()


def test_there_is_a_golden_file_for_every_product_and_no_other() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted(PRODUCTS)
