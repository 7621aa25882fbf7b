"""Checked texts of settings of outgoing connections: an address, the certificate of an authority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field


def checked_url(url: str, schemes: Sequence[str], *, path: bool = True) -> str:
    """An address as it is kept, without a slash at its end; the first of `schemes` is the one suggested.

    Empty is no address. Raises ValueError.
    """
    if not url:
        return url
    form = f"{schemes[0]}://HOST[:PORT]" + ("[/PATH]" if path else "")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"is not an address; write {form}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or password; there are parameters for them")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("ends with the path; it has no query and no fragment")
    if port == 0 or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(f"is not an address; write {form}")
    if not path and parts.path not in ("", "/"):
        raise ValueError(f"has no path; write {form}")
    return url.rstrip("/")


def _checked_ca(pem: str) -> str:
    if not pem.strip():
        return ""
    if "PRIVATE KEY" in pem:
        raise ValueError("holds a private key; only the certificate of the authority belongs here")
    # Here and not above: most devices have no such setting, and the library takes long to load.
    from cryptography.x509 import load_pem_x509_certificates

    try:
        load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError("is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)") from None
    return pem


Pem = Annotated[str, Field(max_length=65_536), AfterValidator(_checked_ca)]
