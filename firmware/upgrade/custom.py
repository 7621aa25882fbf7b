"""The certificate of this one device: installed by an administrator, shown, deleted, gone after a hard reset.

With it the device takes test firmware that its vendor signed for it alone; without it, release firmware only.
Blocks; runs on the writer thread, or in the early start before any service.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.core.errors import Refused, Unavailable
from firmware.core.store_disk import Disk, FileDisk
from firmware.upgrade import certificates, cms
from firmware.upgrade.certificate_service import NAME
from firmware.upgrade.certificates import Device
from firmware.upgrade.gate import read_bounded
from firmware.upgrade.refusals import Refusal, Why

LARGEST = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The certificate that is installed; `state` is `ok` or the code why it counts for nothing now."""

    subject: str
    issuer: str
    valid_from: datetime
    valid_to: datetime
    sha256: str
    state: str


class CustomCertificate:
    """The one certificate of a folder that only this class writes to."""

    def __init__(self, folder: Path, keyring: Path, disk: Disk | None = None) -> None:
        """`keyring` is the folder of `custom.pem`, the vendor's custom root with its revocation list."""
        self.path = folder / NAME
        self._keyring = keyring
        self._disk = FileDisk() if disk is None else disk

    def install(self, pem: bytes, device: Device, *, acknowledged: bool) -> Installed:
        """Check a certificate (PEM or DER) and keep it in the place of any other. Raises Refused, Refusal, Unavailable.

        Whoever calls is an administrator, and has `acknowledged` that test firmware is not supported as releases are.
        """
        if not acknowledged:
            raise Refused("certificate.acknowledged", "test firmware has to be agreed to: send true")
        found = read(pem)
        custom = read_bounded(self._keyring / "custom.pem")
        if custom is None:
            raise Refusal(Why.NO_KEYRING, "this device takes no test firmware", where="certificate")
        certificates.judge_own(found, certificates.read_trust(custom), device)
        waiting = self.path.with_name(NAME + ".new")
        try:
            self._disk.folder(self.path.parent)
            self._disk.write(waiting, found.public_bytes(Encoding.DER))
            self._disk.rename(waiting, self.path)
            self._disk.sync(self.path.parent)
        except OSError as error:
            raise Unavailable("certificate", f"cannot be kept ({error.strerror or error}); nothing changed") from error
        return self._about(found, device)

    def info(self, device: Device) -> Installed | None:
        """What is installed, and whether it counts; None when nothing is. Raises Refusal, Unavailable."""
        try:
            raw = self._disk.read(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable("certificate", f"cannot be read ({error.strerror or error})") from error
        return self._about(read(raw), device)

    def delete(self) -> bool:
        """Forget the certificate; whether there was one. Also for a hard reset. Raises Unavailable."""
        try:
            there = self.path.exists()
            for path in (self.path.with_name(NAME + ".new"), self.path):
                self._disk.remove(path)
            if self.path.parent.exists():
                self._disk.sync(self.path.parent)
        except OSError as error:
            raise Unavailable("certificate", f"cannot be deleted ({error.strerror or error})") from error
        return there

    def _about(self, found: x509.Certificate, device: Device) -> Installed:
        return Installed(
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.rfc4514_string(),
            valid_from=found.not_valid_before_utc,
            valid_to=found.not_valid_after_utc,
            sha256=found.fingerprint(hashes.SHA256()).hex(),
            state=self._state(found, device),
        )

    def _state(self, found: x509.Certificate, device: Device) -> str:
        """Judged anew each time: certificates expire and are revoked after they were installed."""
        try:
            custom = read_bounded(self._keyring / "custom.pem")
            if custom is None:
                return Why.NO_KEYRING.value
            certificates.judge_own(found, certificates.read_trust(custom), device)
        except Refusal as refusal:
            return refusal.code
        return "ok"


def read(raw: bytes) -> x509.Certificate:
    """One certificate, PEM or DER, and nothing beside it. Raises Refusal."""
    if len(raw) > LARGEST:
        raise Refusal(Why.CERTIFICATE_FORM, f"{len(raw)} bytes; the longest is {LARGEST}", where="certificate")
    try:
        if raw.lstrip().startswith(b"-----BEGIN"):
            (one,) = x509.load_pem_x509_certificates(raw)
            raw = one.public_bytes(Encoding.DER)
        return cms.certificate(raw)
    except (Refusal, ValueError):
        raise Refusal(Why.CERTIFICATE_FORM, where="certificate") from None
