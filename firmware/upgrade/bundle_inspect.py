"""What a bundle says about itself, and who signed it, for people: nothing is approved here (`gate` does that)."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from firmware.core.errors import Invalid
from firmware.upgrade import certificates, cms, layout, manifest, verity
from firmware.upgrade.certificates import Device, Keyring
from firmware.upgrade.manifest import Manifest
from firmware.upgrade.refusals import Refusal


def inspect(path: Path, keyring: Path | None, now: datetime) -> dict[str, object]:
    """Manifest, signer and condition of a bundle as JSON values; `keyring` is a device's. Raises Invalid, Refusal."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Invalid(str(path), error.strerror or "cannot be read") from None
    try:
        found = layout.find(file, os.fstat(file).st_size)
        signed = cms.read(found.signature)
        said = manifest.parse(signed.manifest)
        payload = _intact(file, found.signature_at, said)
    except OSError as error:
        raise Invalid(str(path), error.strerror or "cannot be read") from None
    finally:
        os.close(file)
    values: dict[str, object] = {
        "bytes": found.size,
        "manifest": _manifest(said),
        "signer": _certificate(signed.signer),
        "payload": payload,
    }
    if keyring is not None:
        values["trusted"] = _trusted(keyring, signed, now)
    return values


def _trusted(keyring: Path, signed: cms.Signed, now: datetime) -> str:
    """The role of the signer for a device with this keyring (if bound: that very device), or the refusal's code."""
    release, custom = (keyring / name for name in ("release.pem", "custom.pem"))
    try:
        rings = Keyring(
            release=certificates.read_trust(release.read_bytes()),
            custom=certificates.read_trust(custom.read_bytes()) if custom.exists() else None,
            installed=signed.signer,
        )
        serial, chip_id = _bound_to(signed.signer) or ("", "")
        device = Device(serial=serial, chip_id=chip_id, now=now, clock_trusted=True)
        return certificates.judge(signed.signer, signed.others, rings, device)[0]
    except OSError as error:
        raise Invalid(str(keyring), f"has no readable release.pem: {error.strerror}") from None
    except Refusal as refusal:
        return refusal.code


def _bound_to(one: x509.Certificate) -> tuple[str, str] | None:
    """Serial number and chip id of the device a certificate was made for; None for every other certificate."""
    try:
        return certificates.binding_of(one)
    except Refusal:
        return None


def _intact(file: int, at: int, said: Manifest) -> str:
    """`ok`, or the code of what is wrong with the payload."""
    try:
        verity.check(file, at, said.verity)
    except Refusal as refusal:
        return refusal.code
    return "ok"


def _manifest(said: Manifest) -> dict[str, object]:
    return {
        "sha256": said.sha256,
        "compatible": said.compatible,
        "version": said.version.text,
        "build": said.build,
        "models": list(said.models),
        "revisions": "any" if said.revisions is None else list(said.revisions),
        "security_counter": said.counter,
        "lts": [one.text for one in said.lts],
        "modes": [mode.value for mode in said.modes],
        "images": [
            {"name": one.name, "filename": one.filename, "bytes": one.size, "sha256": one.sha256} for one in said.images
        ],
    }


def _certificate(one: x509.Certificate) -> dict[str, object]:
    return {
        "subject": one.subject.rfc4514_string(),
        "issuer": one.issuer.rfc4514_string(),
        "valid_from": one.not_valid_before_utc.isoformat(),
        "valid_to": one.not_valid_after_utc.isoformat(),
        "sha256": one.fingerprint(hashes.SHA256()).hex(),
        "device": _bound_to(one),
    }
