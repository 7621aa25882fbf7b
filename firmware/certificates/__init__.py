"""Certificates: who the device is to others, whom it trusts, and where its private keys are kept."""

from firmware.certificates.service import CertificatesService

__all__ = ["CertificatesService"]
