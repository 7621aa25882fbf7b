"""Row 28: good bundles signed by the wrong people, or by the right ones with the wrong papers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from firmware.upgrade import cms, layout, pki
from firmware.upgrade.bundle_build import Signer
from firmware.upgrade.certificates import binding
from firmware.upgrade.gate import approve
from firmware.upgrade.pki import Holder, Wish
from tests.unit.upgrade.bundles import CHIP, NOW, SERIAL, Workshop
from tests.unit.upgrade.conftest import Refused

DAY = timedelta(days=1)
RELEASE = Wish(name="release", start=NOW - 10 * DAY, life=100 * DAY)


def signed_by(holder: Holder, workshop: Workshop, folder: Path, between: Holder | None = None) -> Path:
    """A bundle of somebody."""
    return workshop.bundle(folder / "bundle.raucb", workshop.signer(holder, folder, between))


def test_row_28_the_release_of_another_vendor_is_a_foreign_key(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    other = pki.Vendor.new(NOW - 10 * DAY)
    bundle = signed_by(other.release, workshop, tmp_path, other.authority)
    assert refused(bundle, workshop.context()) == "foreign-key"


def test_row_28_a_certificate_that_signed_itself_is_a_foreign_key(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    assert refused(signed_by(pki.issue(RELEASE), workshop, tmp_path), workshop.context()) == "foreign-key"


def test_row_28_a_release_without_its_authority_is_a_foreign_key(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    assert refused(signed_by(workshop.vendor.release, workshop, tmp_path), workshop.context()) == "foreign-key"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (replace(RELEASE, usage=(ExtendedKeyUsageOID.SERVER_AUTH,)), "key-usage"),
        (
            replace(RELEASE, usage=(ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH)),
            "key-usage",
        ),
        (replace(RELEASE, is_authority=True), "key-usage"),
        (replace(RELEASE, life=5 * DAY), "certificate-expired"),
        (replace(RELEASE, start=NOW + DAY), "certificate-not-yet-valid"),
    ],
)
def test_row_28_a_release_certificate_with_wrong_papers_is_refused(
    wish: Wish, code: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    authority = workshop.vendor.authority
    bundle = signed_by(pki.issue(wish, authority), workshop, tmp_path, authority)
    assert refused(bundle, workshop.context()) == code


def test_row_28_an_authority_below_the_release_authority_is_refused(
    tmp_path: Path, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    """The release authority may have none below it (pathlen 0)."""
    top = workshop.vendor.authority
    below = pki.issue(replace(RELEASE, name="below", is_authority=True), top)
    signer = workshop.signer(pki.issue(RELEASE, below), tmp_path, below)
    assert signer.intermediate is not None
    signer.intermediate.write_bytes(below.certificate_pem() + top.certificate_pem())
    lists = pki.revocations(below, NOW - DAY, 100 * DAY).public_bytes(Encoding.PEM)
    keyring = ring(tmp_path, workshop.vendor.release_pem() + lists)
    assert refused(resigned(copy_of, workshop, signer), workshop.context(keyring=keyring)) == "key-usage"


def resigned(bundle: Path, workshop: Workshop, signer: Signer, *options: str) -> Path:
    """The same manifest and payload with another signature, made by openssl."""
    with bundle.open("rb") as file:
        found = layout.find(file.fileno(), bundle.stat().st_size)
    signature = workshop.openssl_signed(cms.read(found.signature).manifest, signer, *options)
    bundle.write_bytes(bundle.read_bytes()[: found.signature_at] + signature + len(signature).to_bytes(8))
    return bundle


def test_row_28_a_leaf_with_a_critical_extension_nobody_knows_is_refused_by_the_second_judge(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    authority = workshop.vendor.authority
    holder = pki.issue(replace(RELEASE, extra_critical=(strange,)), authority)
    assert refused(signed_by(holder, workshop, tmp_path, authority), workshop.context()) == "second-judge"


def ring(folder: Path, release: bytes, custom: bytes | None = None) -> Path:
    """A device's keyring."""
    made = folder / "ring"
    made.mkdir()
    (made / "release.pem").write_bytes(release)
    if custom is not None:
        (made / "custom.pem").write_bytes(custom)
    return made


@pytest.mark.parametrize("whose", ["release", "authority"])
def test_row_28_a_revoked_certificate_is_refused(
    whose: str, tmp_path: Path, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    revoked = getattr(workshop.vendor, whose).certificate
    keyring = ring(tmp_path, workshop.vendor.release_pem([revoked]))
    assert refused(copy_of, workshop.context(keyring=keyring)) == "certificate-revoked"


def test_row_28_without_the_list_of_every_authority_nothing_is_taken(
    tmp_path: Path, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    vendor = workshop.vendor
    one = pki.revocations(vendor.root, vendor.start, 100 * DAY).public_bytes(Encoding.PEM)
    keyring = ring(tmp_path, vendor.root.certificate_pem() + one)
    assert refused(copy_of, workshop.context(keyring=keyring)) == "crl-missing"


def test_row_28_a_list_made_by_somebody_else_counts_for_nothing(
    tmp_path: Path, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    vendor = workshop.vendor
    liar = Holder(vendor.authority.certificate, pki.issue(RELEASE).key)
    lists = [pki.revocations(one, vendor.start, 100 * DAY) for one in (vendor.root, liar)]
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in lists)
    assert refused(copy_of, workshop.context(keyring=ring(tmp_path, vendor.root.certificate_pem() + pem))) == (
        "crl-missing"
    )


@pytest.mark.parametrize(("start", "life"), [(NOW - 9 * DAY, DAY), (NOW + DAY, 9 * DAY)])
def test_row_28_a_list_out_of_its_time_is_refused(
    start: object, life: timedelta, tmp_path: Path, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    vendor = workshop.vendor
    lists = [pki.revocations(one, start, life) for one in (vendor.root, vendor.authority)]  # type: ignore[arg-type]
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in lists)
    keyring = ring(tmp_path, vendor.root.certificate_pem() + pem)
    assert refused(copy_of, workshop.context(keyring=keyring)) == "crl-expired"


def own(workshop: Workshop, folder: Path, **changed: object) -> tuple[Path, Path]:
    """A bundle signed for this device, and the installed certificate; `changed` of the certificate."""
    wish = Wish(name="test", start=NOW - DAY, life=90 * DAY, extra=(binding(SERIAL, CHIP),))
    holder = pki.issue(replace(wish, **changed), workshop.vendor.custom)  # type: ignore[arg-type]
    installed = folder / "own.der"
    installed.write_bytes(holder.certificate.public_bytes(Encoding.DER))
    return signed_by(holder, workshop, folder), installed


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        ({"extra": (binding("02AABBCCDDEF", CHIP),)}, "other-device"),
        ({"extra": (binding(SERIAL, "0123456789abcdee"),)}, "other-device"),
        ({"extra": ()}, "binding-malformed"),
        ({"extra": (x509.UnrecognizedExtension(binding("", "").oid, b"\x30\x03\x0c\x01A"),)}, "binding-malformed"),
        ({"life": 91 * DAY}, "certificate-too-long"),
        ({"start": NOW - 91 * DAY}, "certificate-expired"),
        ({"usage": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "key-usage"),
    ],
)
def test_row_28_a_certificate_that_is_not_this_devices_own_is_refused(
    certificate: dict[str, object], code: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    bundle, installed = own(workshop, tmp_path, **certificate)
    assert refused(bundle, workshop.context(certificate=installed)) == code


def test_row_28_test_firmware_needs_a_clock_that_is_set(tmp_path: Path, workshop: Workshop, refused: Refused) -> None:
    bundle, installed = own(workshop, tmp_path)
    assert refused(bundle, workshop.context(certificate=installed, clock_trusted=False)) == "clock-not-set"


def test_row_28_test_firmware_needs_its_certificate_installed(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    bundle, _ = own(workshop, tmp_path)
    assert refused(bundle, workshop.context()) == "certificate-not-installed"
    (tmp_path / "other").mkdir()
    _, another = own(workshop, tmp_path / "other")
    assert refused(bundle, workshop.context(certificate=another)) == "certificate-not-installed"


def test_row_28_a_revoked_certificate_of_a_device_is_refused(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    bundle, installed = own(workshop, tmp_path)
    revoked = x509.load_der_x509_certificate(installed.read_bytes())
    keyring = ring(tmp_path, workshop.vendor.release_pem(), workshop.vendor.custom_pem([revoked]))
    assert refused(bundle, workshop.context(certificate=installed, keyring=keyring)) == "certificate-revoked"


def test_row_28_a_device_that_takes_no_test_firmware_knows_no_custom_key(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    bundle, installed = own(workshop, tmp_path)
    keyring = ring(tmp_path, workshop.vendor.release_pem())
    assert refused(bundle, workshop.context(certificate=installed, keyring=keyring)) == "foreign-key"


def test_row_28_the_custom_authority_signs_no_release(tmp_path: Path, workshop: Workshop, refused: Refused) -> None:
    """Without a binding its certificates are good for nothing."""
    bundle, _ = own(workshop, tmp_path, extra=())
    assert refused(bundle, workshop.context()) == "binding-malformed"


def test_row_28_a_signature_that_openssl_made_is_as_good_as_one_of_rauc(copy_of: Path, workshop: Workshop) -> None:
    bundle = resigned(copy_of, workshop, workshop.release_signer())
    assert approve(bundle, workshop.context()).signer == "release"


@pytest.mark.parametrize(
    "options",
    [["-md", "sha1"], ["-md", "sha512"], ["-noattr"], ["-keyid"], ["-nocerts"]],
    ids=lambda options: options[-1],
)
def test_row_28_a_signature_built_in_another_way_is_refused(
    options: list[str], copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    bundle = resigned(copy_of, workshop, workshop.release_signer(), *options)
    assert refused(bundle, workshop.context()) == "signature-form"


def test_row_28_two_signers_are_one_too_many(
    tmp_path: Path, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    second = workshop.signer(pki.issue(RELEASE, workshop.vendor.authority), tmp_path)
    also = ["-signer", str(second.certificate), "-inkey", str(second.key)]
    bundle = resigned(copy_of, workshop, workshop.release_signer(), *also)
    assert refused(bundle, workshop.context()) == "signature-form"
