"""The certificate of one device: who may install what, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.errors import Refused, StationError
from firmware.upgrade import pki
from firmware.upgrade.certificates import Device, binding
from firmware.upgrade.custom import CustomCertificate, read
from firmware.upgrade.gate import approve
from firmware.upgrade.pki import Wish
from firmware.upgrade.refusals import Refusal
from tests.unit.upgrade.bundles import CHIP, NOW, SERIAL, Workshop
from tests.unit.upgrade.conftest import Refused as RefusedBundle

DAY = timedelta(days=1)
DEVICE = Device(serial=SERIAL, chip_id=CHIP, now=NOW, clock_trusted=True)


@pytest.fixture
def store(tmp_path: Path, workshop: Workshop) -> CustomCertificate:
    """Where a device keeps its own certificate."""
    return CustomCertificate(tmp_path / "custom", workshop.keys / "keyring")


@pytest.fixture
def holder(workshop: Workshop) -> pki.Holder:
    """What the vendor made for this device."""
    return pki.for_device(workshop.vendor.custom, SERIAL, CHIP, NOW - DAY)


def test_an_installed_certificate_lets_test_firmware_in_and_a_deleted_one_does_not(
    store: CustomCertificate, holder: pki.Holder, tmp_path: Path, workshop: Workshop, refused: RefusedBundle
) -> None:
    bundle = workshop.bundle(tmp_path / "test.raucb", workshop.signer(holder, tmp_path))
    context = workshop.context(certificate=store.path)
    assert refused(bundle, context) == "certificate-not-installed"
    installed = store.install(holder.certificate_pem(), DEVICE, acknowledged=True)
    assert (installed.state, installed.valid_to) == ("ok", NOW + 89 * DAY)
    assert store.info(DEVICE) == installed
    assert approve(bundle, context).signer == "device"
    assert store.delete()
    assert store.info(DEVICE) is None
    assert refused(bundle, context) == "certificate-not-installed"
    assert not store.delete()


def test_a_certificate_is_installed_only_when_it_was_agreed_to(store: CustomCertificate, holder: pki.Holder) -> None:
    with pytest.raises(Refused, match="agreed"):
        store.install(holder.certificate_pem(), DEVICE, acknowledged=False)
    assert store.info(DEVICE) is None


@pytest.mark.parametrize(
    ("changed", "device", "code"),
    [
        ({"extra": (binding("02AABBCCDD00", CHIP),)}, DEVICE, "other-device"),
        ({"extra": (binding(SERIAL, "other"),)}, DEVICE, "other-device"),
        ({"extra": ()}, DEVICE, "binding-malformed"),
        ({"life": 91 * DAY}, DEVICE, "certificate-too-long"),
        ({"start": NOW - 90 * DAY, "life": 89 * DAY}, DEVICE, "certificate-expired"),
        ({"is_authority": True}, DEVICE, "key-usage"),
        ({}, replace(DEVICE, clock_trusted=False), "clock-not-set"),
        ({}, replace(DEVICE, serial="02AABBCCDD00"), "other-device"),
        ({}, replace(DEVICE, now=NOW - 2 * DAY), "certificate-not-yet-valid"),
    ],
)
def test_a_certificate_that_does_not_count_is_not_installed_and_the_old_one_stays(
    changed: dict[str, object],
    device: Device,
    code: str,
    store: CustomCertificate,
    holder: pki.Holder,
    workshop: Workshop,
) -> None:
    before = store.install(holder.certificate_pem(), DEVICE, acknowledged=True)
    wish = Wish(name="test", start=NOW - DAY, life=90 * DAY, extra=(binding(SERIAL, CHIP),))
    wrong = pki.issue(replace(wish, **changed), workshop.vendor.custom)  # type: ignore[arg-type]
    with pytest.raises(Refusal) as refusal:
        store.install(wrong.certificate_pem(), device, acknowledged=True)
    assert refusal.value.code == code
    assert store.info(DEVICE) == before


def test_a_release_certificate_is_no_devices_own(store: CustomCertificate, workshop: Workshop) -> None:
    with pytest.raises(Refusal) as refusal:
        store.install(workshop.vendor.release.certificate_pem(), DEVICE, acknowledged=True)
    assert refusal.value.code == "foreign-key"


def test_an_installed_certificate_that_expires_or_is_revoked_is_shown_as_such(
    holder: pki.Holder, tmp_path: Path, workshop: Workshop
) -> None:
    ring = tmp_path / "ring"
    ring.mkdir()
    (ring / "custom.pem").write_bytes(workshop.vendor.custom_pem())
    store = CustomCertificate(tmp_path / "custom", ring)
    store.install(holder.certificate.public_bytes(Encoding.DER), DEVICE, acknowledged=True)
    later = store.info(replace(DEVICE, now=NOW + 90 * DAY))
    (ring / "custom.pem").write_bytes(workshop.vendor.custom_pem([holder.certificate]))
    revoked = store.info(DEVICE)
    (ring / "custom.pem").unlink()
    unknown = store.info(DEVICE)
    assert later is not None
    assert revoked is not None
    assert unknown is not None
    assert (later.state, revoked.state, unknown.state) == ("certificate-expired", "certificate-revoked", "no-keyring")


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda raw: b"-----BEGIN CERTIFICATE-----\n" + raw))
def test_anything_else_is_no_certificate(raw: bytes) -> None:
    with pytest.raises(StationError) as refusal:
        read(raw)
    assert refusal.value.code == "certificate-malformed"
