"""How an outgoing connection trusts its far end (hardening row 46)."""

from __future__ import annotations

import ssl
from collections.abc import Callable

# Makes the context of a client that trusts the system's authorities and those installed on the device.
Installed = Callable[[], ssl.SSLContext]


def trusting(ca: str, installed: Installed) -> ssl.SSLContext:
    """Checks name and certificate against the authority `ca` alone (PEM), or where it is empty against all installed.

    TLS 1.2 at least.
    """
    context = ssl.create_default_context(cadata=ca) if ca else installed()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
