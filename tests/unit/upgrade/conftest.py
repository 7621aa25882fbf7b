"""Bundles that are really built: mksquashfs, rauc and openssl, with keys made once for the whole run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firmware.upgrade import bundle_build, pki
from firmware.upgrade.bundle_build import Facts, Signer
from firmware.upgrade.gate import GateContext, Mode, Refusal, approve

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MODEL, SERIAL, CHIP = "LINTEL-DS1", "02AABBCCDDEE", "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Workshop:
    """A vendor with keys in a folder, and ways to make a bundle."""

    root: Path
    vendor: pki.Vendor

    @property
    def keys(self) -> Path:
        """What `lintel bundle keys` would have made."""
        return self.root / "keys"

    def context(self, **changed: object) -> GateContext:
        """A door station of revision 1 that runs 0.1.0, as the gate is told of it."""
        usual = GateContext(
            model=MODEL,
            hardware_revision=1,
            running="0.1.0",
            floor=0,
            serial=SERIAL,
            chip_id=CHIP,
            now=NOW,
            clock_trusted=True,
            mode=Mode.STANDARD,
            slot_size=16 * 1024 * 1024,
            keyring=self.keys / "keyring",
        )
        return replace(usual, **changed)  # type: ignore[arg-type]

    def tree(self, folder: Path) -> Path:
        """A small program tree."""
        for part in bundle_build.NEEDED:
            (folder / part).mkdir(parents=True)
            (folder / part / "__init__.py").write_text(f'"""The part {part}."""\n' * 20)
        (folder / "firmware" / "__init__.py").write_text('VERSION = "0.2.0"\n')
        return folder

    def signer(self, holder: pki.Holder, folder: Path, between: pki.Holder | None = None) -> Signer:
        """Files of somebody who signs."""
        certificate, key, authority = folder / "signer.pem", folder / "signer.key", folder / "between.pem"
        certificate.write_bytes(holder.certificate_pem())
        key.write_bytes(holder.key_pem())
        if between is not None:
            authority.write_bytes(between.certificate_pem())
        return Signer(certificate=certificate, key=key, intermediate=None if between is None else authority)

    def release_signer(self) -> Signer:
        """Whoever signs releases."""
        return Signer.of(self.keys, "release")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A vendor whose certificates are valid since ten days."""
    root = tmp_path_factory.mktemp("workshop")
    vendor = pki.Vendor.new(NOW - timedelta(days=10))
    vendor.save(root / "keys")
    return Workshop(root, vendor)


@pytest.fixture(scope="session")
def good(workshop: Workshop) -> Path:
    """A bundle that the usual device takes."""
    out = workshop.root / "good.raucb"
    tree = workshop.tree(workshop.root / "tree")
    bundle_build.build(tree, out, Facts(models=(MODEL,), counter=3), workshop.release_signer())
    return out


@pytest.fixture
def refused() -> Callable[[Path, GateContext], str]:
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
