"""What the gate lets through, and what it says about it."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

from firmware.upgrade import bundle_build, pki
from firmware.upgrade.bundle_build import Facts
from firmware.upgrade.gate import Mode, approve
from tests.unit.upgrade.bundles import CHIP, MODEL, NOW, SERIAL, Workshop


def test_a_release_bundle_is_approved_with_what_its_manifest_says(good: Path, workshop: Workshop) -> None:
    approved = approve(good, workshop.context())
    (image,) = approved.images
    unpacked = subprocess.run(["unsquashfs", "-cat", good, image.filename], capture_output=True, check=True).stdout
    assert (approved.bundle, approved.version, approved.model) == (good, "0.2.0", MODEL)
    assert (approved.signer, approved.counter) == ("release", 3)
    assert (image.name, image.size) == ("rootfs", len(unpacked))


def test_a_bundle_of_this_checkout_is_approved(workshop: Workshop, tmp_path: Path) -> None:
    out = tmp_path / "checkout.raucb"
    tree = Path(bundle_build.__file__).parents[2]
    bundle_build.build(tree, out, Facts(models=(MODEL,), version="0.9.1"), workshop.release_signer())
    assert approve(out, workshop.context()).version == "0.9.1"


def test_an_older_version_is_approved_together_with_factory_default(good: Path, workshop: Workshop) -> None:
    context = workshop.context(running="0.3.0", mode=Mode.FACTORY_DEFAULT)
    assert approve(good, context).version == "0.2.0"


def test_test_firmware_is_approved_on_its_own_device_and_never_raises_the_floor(
    workshop: Workshop, tmp_path: Path
) -> None:
    holder = pki.for_device(workshop.vendor.custom, SERIAL, CHIP, NOW - timedelta(days=1))
    out = tmp_path / "test.raucb"
    signer = workshop.signer(holder, tmp_path)
    bundle_build.build(workshop.root / "tree", out, Facts(models=(MODEL,), counter=9), signer)
    installed = tmp_path / "own.der"
    installed.write_bytes(holder.certificate.public_bytes(pki.Encoding.DER))
    approved = approve(out, workshop.context(certificate=installed))
    assert (approved.signer, approved.counter) == ("device", 0)
