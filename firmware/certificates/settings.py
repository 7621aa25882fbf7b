"""Parameters of certificates: the group `certificates`. Manual 001, System, Security: Secure keystore."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from firmware.core.actions import Level
from firmware.core.params import Group, param


class KeystoreKind(StrEnum):
    """Where new private keys are made and kept."""

    FILE = "file"
    TPM = "tpm"


class CertificateSettings(Group):
    """Where private keys are kept."""

    group: ClassVar[str] = "certificates"
    level: ClassVar[Level] = Level.ADMIN

    keystore: KeystoreKind = param(
        KeystoreKind.FILE, "New keys in a file of the settings, or in a TPM 2.0; followed at the next start."
    )
