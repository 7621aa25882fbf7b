"""The root hash of a payload, recomputed over every block, and its hash tree compared to the last byte.

dm-verity, version 1, SHA-256: a block's digest is taken over salt and block; a tree's levels lie top first.
Reference: the Linux kernel's documentation, dm-verity.
"""

from __future__ import annotations

import hashlib
import hmac

from firmware.upgrade.layout import BLOCK, DIGEST, read_at, tree_blocks
from firmware.upgrade.manifest import Verity
from firmware.upgrade.refusals import Refusal, Why

# Read and hashed at a time: 1 MiB.
CHUNK_BLOCKS = 256


def check(file: int, signature_at: int, verity: Verity) -> int:
    """The size of the verified payload in bytes. Raises Refusal unless payload and tree fit `verity.root`."""
    data_size = signature_at - verity.size
    blocks, rest = divmod(data_size, BLOCK)
    if rest or blocks < 1 or verity.size != sum(tree_blocks(blocks)) * BLOCK:
        raise Refusal(Why.TREE_DAMAGED, f"{verity.size} bytes of tree do not fit {data_size} bytes of content")
    levels = [_leaves(file, blocks, verity.salt)]
    for _ in tree_blocks(blocks)[1:]:
        levels.append(_digests(levels[-1], verity.salt))
    root = hashlib.sha256(verity.salt + levels[-1]).digest()
    if not hmac.compare_digest(root, verity.root):
        raise Refusal(Why.PAYLOAD_DAMAGED)
    at = data_size
    for level in reversed(levels):
        _compare(file, at, level)
        at += len(level)
    return data_size


def _digests(data: bytes | bytearray, salt: bytes) -> bytearray:
    """The digests of the blocks of `data`, one after the other, padded to whole blocks as they are stored."""
    salted = hashlib.sha256(salt)
    found = bytearray()
    with memoryview(data) as view:
        for at in range(0, len(view), BLOCK):
            digest = salted.copy()
            digest.update(view[at : at + BLOCK])
            found += digest.digest()
    return _pad(found)


def _leaves(file: int, blocks: int, salt: bytes) -> bytearray:
    # One array that grows, and no copy of it: a large bundle has many digests, and the child little room.
    found = bytearray()
    for at in range(0, blocks, CHUNK_BLOCKS):
        count = min(CHUNK_BLOCKS, blocks - at)
        digests = _digests(read_at(file, at * BLOCK, count * BLOCK), salt)
        found += memoryview(digests)[: count * DIGEST]
    return _pad(found)


def _pad(level: bytearray) -> bytearray:
    level += bytes(-len(level) % BLOCK)
    return level


def _compare(file: int, at: int, level: bytearray) -> None:
    """A level as it lies in the file, padding and all, against the one computed."""
    with memoryview(level) as view:
        for start in range(0, len(view), CHUNK_BLOCKS * BLOCK):
            part = view[start : start + CHUNK_BLOCKS * BLOCK]
            if read_at(file, at + start, len(part)) != part:
                raise Refusal(Why.TREE_DAMAGED, f"between bytes {at + start} and {at + start + len(part)}")
