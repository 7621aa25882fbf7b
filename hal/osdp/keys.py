"""Secure channel base keys: what is published or patterned is no key (hardening row 4).

Source: OSDP 2.2, D.2 (SCBK-D); Bishop Fox, "Badge of Shame" (weak keys found in the field).
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable

KEY_BYTES = 16
SCBK_D = bytes(range(0x30, 0x40))

# Printed in standards, manuals and examples: everybody has them.
PUBLISHED = {
    SCBK_D: "the published install key",
    bytes.fromhex("000102030405060708090A0B0C0D0E0F"): "a key from examples",
    bytes.fromhex("0102030405060708090A0B0C0D0E0F10"): "a key from examples",
    bytes.fromhex("00112233445566778899AABBCCDDEEFF"): "a key from examples",
    bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"): "the key of the AES standard's examples",
    bytes.fromhex("404142434445464748494A4B4C4D4E4F"): "the published default key of smart cards",
    bytes.fromhex("0123456789ABCDEF0123456789ABCDEF"): "a key from examples",
    bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"): "a key from examples",
    bytes.fromhex("DEADBEEFDEADBEEFDEADBEEFDEADBEEF"): "a key from examples",
    b"0123456789ABCDEF": "a key from examples",
    b"0123456789abcdef": "a key from examples",
    b"1234567890123456": "a key from examples",
}
FEWEST_VALUES = 6


def weak_key(key: bytes) -> str | None:
    """Why `key` must not protect a reader, in words after "the key"; None for one that may."""
    if len(key) != KEY_BYTES:
        return f"has {len(key)} bytes instead of {KEY_BYTES}"
    if key in PUBLISHED:
        return f"is {PUBLISHED[key]}"
    if len(set(key)) == 1:
        return "is one byte repeated"
    steps = {(after - before) & 0xFF for before, after in itertools.pairwise(key)}
    if len(steps) == 1:
        return "counts in equal steps"
    for size in (2, 4, 8):
        if key == key[:size] * (KEY_BYTES // size):
            return f"repeats {size} bytes"
    if key == key[::-1]:
        return "is a palindrome"
    digits = key.hex()
    if digits == digits[::-1]:
        return "is a palindrome of hex digits"
    if len({(int(b, 16) - int(a, 16)) & 0xF for a, b in itertools.pairwise(digits)}) == 1:
        return "counts in hex digits"
    if len(set(key)) < FEWEST_VALUES:
        return f"uses only {len(set(key))} different bytes"
    return None


def new_key(random: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """A key nobody can guess; from the system's random numbers."""
    while True:
        key = random(KEY_BYTES)
        if weak_key(key) is None:
            return key
