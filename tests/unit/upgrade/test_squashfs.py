"""Our reader of squashfs against trees that mksquashfs packed: every name and byte, wherever its records are cut."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.upgrade.squashfs import Kind, Squashfs

FILES = 900


def walked(image: Squashfs) -> dict[str, bytes]:
    """Every file of an image."""

    def below(reference: int, path: str) -> Iterator[tuple[str, bytes]]:
        inode = image.inode(reference)
        if inode.kind is Kind.FOLDER:
            for entry in image.entries(inode):
                yield from below(entry.inode, f"{path}/{entry.name.decode()}")
        else:
            yield path, b"".join(image.content(inode))

    return dict(below(image.superblock.root, ""))


@pytest.mark.parametrize("options", [(), ("-noI",), ("-no-fragments",)])
def test_a_tree_whose_records_lie_across_blocks_of_metadata_is_read_whole(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Names of odd lengths and many inodes: records begin in one block of 8 KiB and end in the next."""
    chance = random.Random(8)
    tree = tmp_path / "tree"
    put: dict[str, bytes] = {}
    for number in range(FILES):
        path = f"/folder{number % 3}/{'n' * chance.randrange(1, 60)}{number}"
        put[path] = bytes(chance.randrange(256) for _ in range(chance.randrange(40)))
        (tree / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tree / path[1:]).write_bytes(put[path])
    packed = tmp_path / "image"
    subprocess.run(
        ["mksquashfs", tree, packed, "-quiet", "-no-progress", "-no-xattrs", *options], check=True, capture_output=True
    )
    raw = packed.read_bytes()
    assert walked(Squashfs(lambda offset, count: raw[offset : offset + count], len(raw))) == put
