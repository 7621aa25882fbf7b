"""Where the parts of a bundle file lie: payload, hash tree, signature, and the eight bytes that give its size.

Nothing here is authenticated yet: it finds the signature, and says as exactly as it can what is wrong when
there is none. Reference: RAUC, Bundle formats (verity); dm-verity in the Linux kernel's documentation.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from firmware.upgrade.refusals import Refusal, Why

BLOCK = 4096
DIGEST = 32
DIGESTS = BLOCK // DIGEST
TRAILER = 8
LARGEST_SIGNATURE = 64 * 1024
SUPERBLOCK = 96
_MAGIC = b"hsqs"


@dataclass(frozen=True, slots=True)
class Layout:
    """`size` of the file and `signature_at`, both in bytes; `signature` is CMS, DER."""

    size: int
    signature_at: int
    signature: bytes


def read_at(file: int, offset: int, count: int) -> bytes:
    """Exactly `count` bytes. Raises Refusal when the file does not have them, or cannot be read."""
    try:
        data = os.pread(file, count, offset)
        while len(data) < count:
            more = os.pread(file, count - len(data), offset + len(data))
            if not more:
                raise Refusal(Why.TRUNCATED, f"no byte at {offset + len(data)}")
            data += more
    except OSError as error:
        raise Refusal(Why.UNREADABLE, error.strerror or "input error") from None
    return data


def find(file: int, size: int) -> Layout:
    """The signature at the end of a bundle. Raises Refusal with what is wrong with the file."""
    if size < SUPERBLOCK + TRAILER:
        raise Refusal(Why.TRUNCATED if read_at(file, 0, min(size, 4)) == _MAGIC else Why.NOT_A_BUNDLE)
    (count,) = struct.unpack(">Q", read_at(file, size - TRAILER, TRAILER))
    at = size - TRAILER - count
    if 0 < count <= LARGEST_SIGNATURE and at > 0:
        signature = read_at(file, at, count)
        if _der_length(signature) == count:
            return Layout(size, at, signature)
    raise _diagnosis(file, size, at)


def tree_blocks(data_blocks: int) -> list[int]:
    """Blocks of each level of a hash tree, from the leaves up; the last has one block."""
    levels: list[int] = []
    while data_blocks > 1 or not levels:
        data_blocks = -(-data_blocks // DIGESTS)
        levels.append(data_blocks)
    return levels


def _der_length(data: bytes) -> int:
    """How long the SEQUENCE at the start of `data` is with its header; 0 when there is none."""
    if len(data) < 2 or data[0] != 0x30:
        return 0
    if data[1] < 0x80:
        return 2 + data[1]
    count = data[1] & 0x7F
    return 2 + count + int.from_bytes(data[2 : 2 + count]) if 1 <= count <= 4 else 0


def _diagnosis(file: int, size: int, said: int) -> Refusal:
    """What the payload says about where its bundle should have ended; `said` is where the signature should be."""
    head = read_at(file, 0, SUPERBLOCK)
    (used,) = struct.unpack_from("<Q", head, 40)
    if head[:4] != _MAGIC or used < SUPERBLOCK:
        return Refusal(Why.NOT_A_BUNDLE)
    blocks = -(-used // BLOCK)
    at = (blocks + sum(tree_blocks(blocks))) * BLOCK
    if at + 6 > size:
        return Refusal(Why.TRUNCATED)
    if at == said:
        return Refusal(Why.SIGNATURE_FORM, "it is not as long as it says")
    length = _der_length(read_at(file, at, 6))
    if not length:
        return Refusal(Why.NOT_A_BUNDLE, "there is no signature behind its content")
    end = at + length + TRAILER
    if end > size:
        return Refusal(Why.TRUNCATED, f"{end - size} bytes are missing")
    return Refusal(Why.APPENDED, f"{size - end} bytes") if end < size else Refusal(Why.SIZE_FIELD)
