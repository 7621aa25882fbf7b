"""Bundles that are really built, with keys made once for the whole run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from firmware.upgrade import pki
from firmware.upgrade.gate import GateContext, Refusal, approve
from tests.unit.upgrade.bundles import NOW, Workshop

Refused = Callable[[Path, GateContext], str]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A vendor whose certificates are valid since ten days."""
    root = tmp_path_factory.mktemp("workshop")
    vendor = pki.Vendor.new(NOW - timedelta(days=10))
    vendor.save(root / "keys")
    made = Workshop(root, vendor)
    made.tree(root / "tree")
    return made


@pytest.fixture(scope="session")
def good(workshop: Workshop) -> Path:
    """A bundle that the usual device takes."""
    return workshop.bundle(workshop.root / "good.raucb", counter=3)


@pytest.fixture
def refused() -> Refused:
    """The code with which the gate refuses a bundle; the bundle and its folder are the same afterwards."""

    def ask(bundle: Path, context: GateContext) -> str:
        before = {path: path.read_bytes() for path in bundle.parent.rglob("*") if path.is_file()}
        with pytest.raises(Refusal) as refusal:
            approve(bundle, context)
        assert {path: path.read_bytes() for path in bundle.parent.rglob("*") if path.is_file()} == before
        assert "\n" not in str(refusal.value)
        return refusal.value.code

    return ask


@pytest.fixture
def copy_of(good: Path, tmp_path: Path) -> Path:
    """A copy of the good bundle to damage."""
    return Path(shutil.copy(good, tmp_path / "copy.raucb"))
