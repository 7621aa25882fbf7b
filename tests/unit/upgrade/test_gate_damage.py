"""Row 28: files that are damaged, cut, longer than they should be, or no bundles at all."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.upgrade import layout
from tests.unit.upgrade.bundles import Workshop, hash_tree, sparse_file, with_bytes
from tests.unit.upgrade.conftest import Refused

SIGNATURE_CODES = {"signature-form", "signature-wrong", "second-judge", "foreign-key", "key-usage", "size-field"}


def regions(bundle: Path) -> dict[str, range]:
    """Where payload, hash tree, signature and size field lie."""
    size = bundle.stat().st_size
    with bundle.open("rb") as file:
        at = layout.find(file.fileno(), size).signature_at
        (used,) = struct.unpack("<Q", os.pread(file.fileno(), 8, 40))
    tree = -(-used // layout.BLOCK) * layout.BLOCK
    return {
        "payload": range(tree),
        "tree": range(tree, at),
        "signature": range(at, size - layout.TRAILER),
        "size": range(size - layout.TRAILER, size),
    }


def test_row_28_a_bundle_cut_anywhere_is_refused_as_truncated(
    copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    data = copy_of.read_bytes()
    parts = regions(copy_of)
    cuts = [97, len(data) // 3, parts["tree"].start + 5, parts["signature"].start + 40, len(data) - 8, len(data) - 1]
    for cut in cuts:
        copy_of.write_bytes(data[:cut])
        assert refused(copy_of, workshop.context()) == "truncated", cut


@pytest.mark.parametrize("more", [b"\0", b"\0" * 4096, b"#!/bin/sh\n"])
def test_row_28_a_bundle_with_something_behind_it_is_refused(
    more: bytes, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    copy_of.write_bytes(copy_of.read_bytes() + more)
    assert refused(copy_of, workshop.context()) == "appended"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.999])
@pytest.mark.parametrize(
    ("region", "codes"),
    [
        ("payload", {"payload-damaged"}),
        ("tree", {"tree-damaged"}),
        ("signature", SIGNATURE_CODES),
        ("size", {"size-field"}),
    ],
)
def test_row_28_a_flipped_bit_in_every_region_is_refused(
    region: str, codes: set[str], share: float, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    place = regions(copy_of)[region]
    at = place[int(share * len(place))]

    def flip(data: bytearray) -> None:
        data[at] ^= 0x10

    assert refused(with_bytes(copy_of, flip), workshop.context()) in codes


def test_row_28_a_payload_and_tree_that_were_changed_together_are_refused(
    copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    """Whoever has no key can recompute the tree, and not the root that was signed."""
    parts = regions(copy_of)
    data = bytearray(copy_of.read_bytes())
    data[5000] ^= 1
    tree, _ = hash_tree(bytes(data[: parts["tree"].start]), bytes(32))
    data[parts["tree"].start : parts["tree"].stop] = tree
    copy_of.write_bytes(data)
    assert refused(copy_of, workshop.context()) == "payload-damaged"


@pytest.mark.parametrize("content", [b"", b"x", b"hello world" * 1000, bytes(100_000), b"hsqs" + bytes(10_000)])
def test_row_28_a_file_that_is_no_bundle_is_refused(
    content: bytes, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    (tmp_path / "file").write_bytes(content)
    assert refused(tmp_path / "file", workshop.context()) == "not-a-bundle"


def test_row_28_only_a_plain_file_is_looked_at(
    tmp_path: Path, good: Path, workshop: Workshop, refused: Refused
) -> None:
    (tmp_path / "link").symlink_to(good)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder", "nothing"):
        assert refused(tmp_path / name, workshop.context()) == "unreadable", name


def test_row_28_a_bundle_larger_than_the_slots_is_refused_unread(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    sparse_file(tmp_path / "large", 40 * 1024 * 1024)
    assert refused(tmp_path / "large", workshop.context()) == "too-large"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda ring: (ring / "release.pem").unlink(), "no-keyring"),
        (lambda ring: (ring / "release.pem").write_bytes(b"nothing"), "no-keyring"),
        (lambda ring: (ring / "release.pem").write_bytes(b"x" * 300_000), "no-keyring"),
    ],
)
def test_row_28_a_device_without_a_usable_keyring_takes_nothing(
    damage: Callable[[Path], object], code: str, tmp_path: Path, copy_of: Path, workshop: Workshop, refused: Refused
) -> None:
    ring = tmp_path / "keyring"
    ring.mkdir()
    (ring / "release.pem").write_bytes(workshop.vendor.release_pem())
    damage(ring)
    assert refused(copy_of, workshop.context(keyring=ring)) == code
