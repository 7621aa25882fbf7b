"""How an outgoing connection trusts its far end (hardening row 46)."""

from __future__ import annotations

import ssl


def trusting(ca: str) -> ssl.SSLContext:
    """Checks name and certificate against the authority `ca` (PEM; empty: the system's own); TLS 1.2 at least."""
    context = ssl.create_default_context(cadata=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
