"""Keys of a PKCS #11 token in OpenSSL: to sign with, to serve TLS with. By ctypes, with the OpenSSL that Python has.

Python's `ssl` takes a key from a file only. OpenSSL takes one from its PKCS #11 engine; it is given to the SSL_CTX that
lies in Python's context. That this is the right place is checked before anything is written there.
"""

from __future__ import annotations

import ctypes
import os
import ssl
import sys
from functools import lru_cache
from glob import glob
from typing import Any

from firmware.core.errors import Invalid, Unavailable

Pointer = ctypes.c_void_p
ENGINES = "/usr/lib/*/engines-3/pkcs11.so"
DIGESTS = {"sha256": "EVP_sha256", "sha384": "EVP_sha384"}
LONGEST_SIGNATURE = 1024


class TokenKey:
    """A private key in the token, as OpenSSL knows it."""

    def __init__(self, crypto: Any, handle: int) -> None:
        self._crypto = crypto
        self.handle = handle

    def public_der(self) -> bytes:
        """The public key (SubjectPublicKeyInfo)."""
        size = self._crypto.i2d_PUBKEY(self.handle, None)
        buffer = ctypes.create_string_buffer(max(size, 1))
        end = Pointer(ctypes.addressof(buffer))
        if size <= 0 or self._crypto.i2d_PUBKEY(self.handle, ctypes.byref(end)) != size:
            raise Unavailable("keystore", "the token does not tell the public key")
        return buffer.raw[:size]

    def sign(self, data: bytes, digest: str) -> bytes:
        """Sign; the token does it. Raises Unavailable."""
        crypto = self._crypto
        context = crypto.EVP_MD_CTX_new()
        try:
            size, made = ctypes.c_size_t(LONGEST_SIGNATURE), ctypes.create_string_buffer(LONGEST_SIGNATURE)
            algorithm = getattr(crypto, DIGESTS[digest])()
            if (
                crypto.EVP_DigestSignInit(context, None, algorithm, None, self.handle) != 1
                or crypto.EVP_DigestSign(context, made, ctypes.byref(size), data, len(data)) != 1
            ):
                raise Unavailable("keystore", "the token does not sign")
            return made.raw[: size.value]
        finally:
            crypto.EVP_MD_CTX_free(context)


class Engine:
    """OpenSSL's PKCS #11 engine with one module; keys are found by the label of token and key."""

    def __init__(self, module: str, label: str, pin: str) -> None:
        """Load it. Raises Unavailable."""
        self._crypto, self._ssl = _libraries()
        found = glob(ENGINES)
        if not found:
            raise Unavailable("keystore", "OpenSSL has no PKCS #11 engine (package libengine-pkcs11-openssl)")
        self._label = label
        engine = self._crypto.ENGINE_by_id(b"dynamic")
        for command, value in (
            ("SO_PATH", found[0]), ("ID", "pkcs11"), ("LOAD", None), ("MODULE_PATH", module), ("PIN", pin),
        ):  # fmt: skip
            text = None if value is None else value.encode()
            if not engine or self._crypto.ENGINE_ctrl_cmd_string(engine, command.encode(), text, 0) != 1:
                raise Unavailable("keystore", f"OpenSSL's PKCS #11 engine refuses {command}")
        if self._crypto.ENGINE_init(engine) != 1:
            raise Unavailable("keystore", "OpenSSL's PKCS #11 engine does not start")
        self._engine = engine

    def key(self, name: str) -> TokenKey:
        """A private key by its label. Raises Unavailable."""
        label = "".join(sign if sign.isalnum() else f"%{ord(sign):02x}" for sign in name)
        uri = f"pkcs11:token={self._label};object={label};type=private"
        handle = self._crypto.ENGINE_load_private_key(self._engine, uri.encode(), None, None)
        if not handle:
            raise Unavailable("keystore", f"the token has no key {name!r}")
        return TokenKey(self._crypto, handle)

    def serve(self, context: ssl.SSLContext, key: TokenKey, chain: bytes) -> None:
        """Give a TLS context a chain with its key in the token. Raises Invalid, Unavailable."""
        inner = self._inner(context)
        memory = os.memfd_create("lintel-chain", os.MFD_CLOEXEC)
        try:
            os.write(memory, chain)
            place = f"/proc/self/fd/{memory}".encode()
            taken = self._ssl.SSL_CTX_use_certificate_chain_file(inner, place) == 1
        finally:
            os.close(memory)
        if not taken or self._ssl.SSL_CTX_use_PrivateKey(inner, key.handle) != 1:
            raise Invalid("certificates", "cannot be used for TLS: certificate and key of the token do not fit")
        if self._ssl.SSL_CTX_check_private_key(inner) != 1:
            raise Invalid("certificates", "cannot be used for TLS: the token's key does not belong to the certificate")

    def _inner(self, context: ssl.SSLContext) -> int:
        """OpenSSL's part of a context: the first field behind the head that every object of CPython has."""
        if sys.implementation.name != "cpython":
            raise Unavailable("keystore", "a token serves TLS with CPython only")
        inner = ctypes.cast(id(context) + object.__basicsize__, ctypes.POINTER(Pointer))[0]
        same = inner and self._ssl.SSL_CTX_get_options(inner) == context.options & 0xFFFF_FFFF_FFFF_FFFF
        if not same or self._ssl.SSL_CTX_get_verify_mode(inner) != _VERIFY[context.verify_mode]:
            raise Unavailable("keystore", "this Python keeps its TLS contexts in another way")
        return int(inner)


@lru_cache
def engine_of(module: str, label: str, pin: str) -> Engine:
    """The engine for a token; OpenSSL has it once in a process, however often the keystore is opened."""
    return Engine(module, label, pin)


_VERIFY = {ssl.CERT_NONE: 0, ssl.CERT_OPTIONAL: 1, ssl.CERT_REQUIRED: 3}


def _libraries() -> tuple[Any, Any]:
    """The OpenSSL that Python itself uses. Raises Unavailable when it has another one."""
    try:
        crypto, tls = ctypes.CDLL("libcrypto.so.3"), ctypes.CDLL("libssl.so.3")
    except OSError as error:
        raise Unavailable("keystore", f"OpenSSL 3 is not there: {error}") from None
    crypto.OpenSSL_version_num.restype = ctypes.c_ulong
    if crypto.OpenSSL_version_num() != ssl.OPENSSL_VERSION_NUMBER:
        raise Unavailable("keystore", "Python has an OpenSSL of its own, which knows no tokens")
    text, size = ctypes.c_char_p, ctypes.c_size_t
    for library, name, answers, takes in (
        (crypto, "ENGINE_by_id", Pointer, (text,)),
        (crypto, "ENGINE_ctrl_cmd_string", ctypes.c_int, (Pointer, text, text, ctypes.c_int)),
        (crypto, "ENGINE_init", ctypes.c_int, (Pointer,)),
        (crypto, "ENGINE_load_private_key", Pointer, (Pointer, text, Pointer, Pointer)),
        (crypto, "EVP_MD_CTX_new", Pointer, ()),
        (crypto, "EVP_MD_CTX_free", None, (Pointer,)),
        (crypto, "EVP_sha256", Pointer, ()),
        (crypto, "EVP_sha384", Pointer, ()),
        (crypto, "EVP_DigestSignInit", ctypes.c_int, (Pointer, Pointer, Pointer, Pointer, Pointer)),
        (crypto, "EVP_DigestSign", ctypes.c_int, (Pointer, text, ctypes.POINTER(size), text, size)),
        (crypto, "i2d_PUBKEY", ctypes.c_int, (Pointer, Pointer)),
        (tls, "SSL_CTX_get_options", ctypes.c_uint64, (Pointer,)),
        (tls, "SSL_CTX_get_verify_mode", ctypes.c_int, (Pointer,)),
        (tls, "SSL_CTX_use_certificate_chain_file", ctypes.c_int, (Pointer, text)),
        (tls, "SSL_CTX_use_PrivateKey", ctypes.c_int, (Pointer, Pointer)),
        (tls, "SSL_CTX_check_private_key", ctypes.c_int, (Pointer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = answers, takes
    return crypto, tls
