"""Accounts at rest: the hash of the password, and the Digest secrets sealed with a device key.

A Digest server must keep HA1, which is as good as the password for this realm. It is encrypted
(AES-256-GCM) with a key in a file of its own, so that a copied account file alone gives nothing away.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from firmware.core.errors import Invalid
from firmware.core.values import decode, encode
from firmware.core.vocabulary.security import AccountLevel
from firmware.security.digest import Algorithm, ha1

KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account as kept; `sha256` and `md5` are sealed HA1 of `realm`, in base64."""

    name: str
    level: AccountLevel
    hash: str = field(repr=False)
    realm: str
    sha256: str = field(repr=False)
    md5: str = field(repr=False)
    ptz: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFile:
    """The account file."""

    version: Literal[1] = 1
    accounts: tuple[Account, ...] = ()


class Vault:
    """Seals Digest secrets; the place and the name are part of the seal, so that none can be swapped."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, name: str, realm: str, algorithm: Algorithm, password: str) -> str:
        """The sealed HA1 of a password."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = ha1(algorithm, name, realm, password).encode()
        return b64encode(nonce + self._cipher.encrypt(nonce, plain, _place(name, realm, algorithm))).decode()

    def open(self, account: Account, algorithm: Algorithm) -> str | None:
        """The HA1 of an account; None when it was sealed with another key or changed since."""
        sealed = account.sha256 if algorithm is Algorithm.SHA256 else account.md5
        try:
            raw = b64decode(sealed, validate=True)
            place = _place(account.name, account.realm, algorithm)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place).decode()
        except (InvalidTag, ValueError):
            return None


def _place(name: str, realm: str, algorithm: Algorithm) -> bytes:
    return f"{name}:{realm}:{algorithm.value}".encode()


def new_key() -> bytes:
    """A device key."""
    return secrets.token_bytes(KEY_BYTES)


def write_accounts(accounts: Iterable[Account]) -> bytes:
    """The account file's bytes."""
    return json.dumps(encode(AccountFile(accounts=tuple(accounts)))).encode()


def read_accounts(data: bytes) -> dict[str, Account]:
    """Accounts by name. Raises Invalid when the bytes are no account file."""
    try:
        value = json.loads(data)
    except ValueError:
        raise Invalid("accounts", "is not JSON") from None
    if isinstance(value, dict) and isinstance(value.get("accounts"), list):
        value["accounts"] = tuple(value["accounts"])
    return {account.name: account for account in decode(AccountFile, value, where="accounts").accounts}
