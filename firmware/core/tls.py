"""Transport security as other rooms get it: contexts that are ready, never keys. The certificates room makes them."""

from __future__ import annotations

import ssl
from typing import Protocol

# TLS 1.2 with forward secrecy and authenticated encryption only; TLS 1.3 has nothing else (hardening row 46).
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


class Tls(Protocol):
    """Who the device is and whom it trusts, for those who speak TLS."""

    def server(self, name: str = "") -> ssl.SSLContext:
        """The context of a server that shows the certificate `name` (empty: the device's own). Raises NotFound."""

    def fingerprint(self, name: str = "") -> str:
        """SHA-256 of that certificate, in hex. Raises NotFound."""

    def client(self, authorities: str = "", own: str = "") -> ssl.SSLContext:
        """The context of a client that trusts one installed authority (empty: the system's and all installed).

        `own` is the certificate shown to a server that asks for one. Raises NotFound.
        """


def hardened(context: ssl.SSLContext) -> ssl.SSLContext:
    """Nothing older than TLS 1.2 and nothing weak."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context
