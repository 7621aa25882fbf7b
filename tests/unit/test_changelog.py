"""A changed explanation of a board is a change for whoever builds on it: CHANGELOG.md must name it."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_golden_file_stands_in_the_changelog_with_its_digest() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    golden = sorted((ROOT / "tests" / "unit" / "products" / "golden").glob("*.txt"))
    assert golden
    for path in golden:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        assert f"| {path.stem} | {digest} |" in changes, (
            f"{path.name} is now {digest}: say in CHANGELOG.md what changed"
        )
