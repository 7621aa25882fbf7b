"""Rows 35 and 36: images with links, devices, paths, twins, a million names, or far more inside than outside."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.upgrade import bundle_build
from firmware.upgrade.gate import Refusal, approve
from firmware.upgrade.squashfs import Squashfs
from firmware.upgrade.squashfs_list import Limits, listing
from tests.unit.upgrade.bundles import Workshop, sparse_file, with_bytes
from tests.unit.upgrade.conftest import Refused


def link(tree: Path) -> None:
    (tree / "hal" / "passwd").symlink_to("/etc/passwd")


def link_inside(tree: Path) -> None:
    (tree / "hal" / "two.py").symlink_to("__init__.py")


def link_of_a_folder(tree: Path) -> None:
    (tree / "core").symlink_to("firmware", target_is_directory=True)


def hard_link(tree: Path) -> None:
    os.link(tree / "hal" / "__init__.py", tree / "hal" / "two.py")


def pipe(tree: Path) -> None:
    os.mkfifo(tree / "pipe")


def set_user_id(tree: Path) -> None:
    (tree / "hal" / "__init__.py").chmod(0o4755)


def twins(tree: Path) -> None:
    (tree / "hal" / "Door.py").write_text("one")
    (tree / "hal" / "door.py").write_text("two")


def twins_of_unicode(tree: Path) -> None:
    (tree / "hal" / "caf\u00e9.py").write_text("one")
    (tree / "hal" / "cafe\u0301.py").write_text("two")


def control_character(tree: Path) -> None:
    (tree / "hal" / "a\nb").write_text("x")


def not_utf8(tree: Path) -> None:
    (tree / "hal" / os.fsdecode(b"a\xff")).write_text("x")


def backslash(tree: Path) -> None:
    (tree / "hal" / "a\\b").write_text("x")


def many(tree: Path) -> None:
    for number in range(20_001):
        (tree / f"f{number}").touch()


def deep(tree: Path) -> None:
    (tree / "/".join("d" * 30)).mkdir(parents=True)


def bomb(tree: Path) -> None:
    """Zeros pack to next to nothing."""
    sparse_file(tree / "zeros", 100 * 1024 * 1024)


def bombs(tree: Path) -> None:
    for number in range(200):
        sparse_file(tree / f"zeros{number}", 1024 * 1024)


TREES: dict[Callable[[Path], None], str] = {
    link: "link-or-device",
    link_inside: "link-or-device",
    link_of_a_folder: "link-or-device",
    hard_link: "link-or-device",
    pipe: "link-or-device",
    set_user_id: "link-or-device",
    twins: "twins",
    twins_of_unicode: "twins",
    control_character: "path",
    not_utf8: "path",
    backslash: "path",
    many: "too-many-entries",
    deep: "too-many-entries",
    bomb: "bomb",
    bombs: "bomb",
}


def changed_tree(workshop: Workshop, folder: Path, change: Callable[[Path], None]) -> Path:
    """The small tree with something in it that has no place there."""
    tree = workshop.tree(folder / "changed")
    change(tree)
    return tree


@pytest.mark.parametrize("change", TREES, ids=lambda change: change.__name__)
def test_row_35_36_a_slot_image_is_refused_because_of_its(
    change: Callable[[Path], None], tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    image = workshop.image(tmp_path / "image", changed_tree(workshop, tmp_path, change))
    (tmp_path / "made").mkdir()
    bundle = workshop.forged(tmp_path / "made" / "bundle.raucb", image=image)
    assert refused(bundle, workshop.context()) == TREES[change]


@pytest.mark.parametrize(
    "definition", ["dev c 666 0 0 1 3", "dev b 666 0 0 8 0", "dev p 666 0 0"], ids=["character", "block", "pipe"]
)
def test_row_35_a_device_in_a_slot_image_is_refused(
    definition: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    kind = definition.split()[1]
    options = ["-p", definition] if kind != "p" else ["-p", "dev i 666 0 0 s"]
    image = workshop.image(tmp_path / "image", None, *options)
    assert refused(workshop.forged(tmp_path / "bundle.raucb", image=image), workshop.context()) == "link-or-device"


@pytest.mark.parametrize(
    ("name", "becomes"), [(b"xx", b".."), (b"a_b", b"a/b"), (b"_etc", b"/etc"), (b"Q", b"."), (b"a_b", b"a\0b")]
)
def test_row_35_a_name_that_leads_out_of_the_image_is_refused(
    name: bytes, becomes: bytes, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    """No tool writes such names: they are put into the folder's bytes, which are not packed here."""
    tree = changed_tree(workshop, tmp_path, lambda tree: (tree / os.fsdecode(name)).write_text("x"))
    image = workshop.image(tmp_path / "image", tree, "-noI")
    entry = (len(name) - 1).to_bytes(2, "little") + name

    def rename(data: bytearray) -> None:
        assert data.count(entry) == 1
        data[data.index(entry) : data.index(entry) + len(entry)] = entry[:2] + becomes

    bundle = workshop.forged(tmp_path / "bundle.raucb", image=with_bytes(image, rename))
    assert refused(bundle, workshop.context()) == "path"


PAYLOADS: dict[str, tuple[Callable[[Path], object], str]] = {
    "one file more": (lambda content: (content / "hook.sh").write_text("#!/bin/sh\n"), "listing"),
    "a folder": (lambda content: (content / "folder").mkdir(), "listing"),
    "no manifest": (lambda content: (content / "manifest.raucm").unlink(), "listing"),
    "no image": (lambda content: (content / bundle_build.IMAGE).unlink(), "listing"),
    "a link in the place of the image": (
        lambda content: (
            (content / bundle_build.IMAGE).unlink(),
            (content / bundle_build.IMAGE).symlink_to("/dev/mmcblk0"),
        ),
        "link-or-device",
    ),
    "a hard link": (
        lambda content: (
            (content / "manifest.raucm").unlink(),
            os.link(content / bundle_build.IMAGE, content / "manifest.raucm"),
        ),
        "link-or-device",
    ),
    "a pipe": (lambda content: os.mkfifo(content / "pipe"), "link-or-device"),
    "twins": (lambda content: (content / "ROOTFS.IMG").write_text("x"), "twins"),
    "many files": (lambda content: [(content / f"f{n}").touch() for n in range(9)], "too-many-entries"),
    "a large manifest": (lambda content: (content / "manifest.raucm").write_bytes(os.urandom(70_000)), "listing"),
    "a bomb": (lambda content: sparse_file(content / "zeros", 40 * 1024 * 1024), "bomb"),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_row_35_36_a_payload_is_refused_because_of(
    name: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    change, code = PAYLOADS[name]
    bundle = workshop.forged(tmp_path / "bundle.raucb", change_payload=change)
    assert refused(bundle, workshop.context()) == code


@pytest.mark.parametrize("kind", ["lzo", "lz4", "zstd", "lzma"])
def test_row_36_an_image_packed_in_a_way_that_cannot_be_bounded_here_is_refused(
    kind: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    image = workshop.image(tmp_path / "image")
    image.unlink()
    made = subprocess.run(
        ["mksquashfs", workshop.root / "tree", image, "-comp", kind, "-no-xattrs", "-all-root"], capture_output=True
    )
    if made.returncode:  # this mksquashfs was built without it: the number of the method is what counts
        workshop.image(image)
        number = {"lzma": 2, "lzo": 3, "lz4": 5, "zstd": 6}[kind]
        with_bytes(image, lambda data: data.__setitem__(slice(20, 22), number.to_bytes(2, "little")))
    assert refused(workshop.forged(tmp_path / "bundle.raucb", image=image), workshop.context()) == "image-form"


@pytest.mark.parametrize("kind", ["xz", "gzip"])
def test_an_image_packed_in_another_known_way_is_approved(kind: str, tmp_path: Path, workshop: Workshop) -> None:
    options = ["-comp", kind, "-all-root", "-no-xattrs"]
    subprocess.run(
        ["mksquashfs", workshop.root / "tree", tmp_path / "image", *options], capture_output=True, check=True
    )
    bundle = workshop.forged(tmp_path / "bundle.raucb", image=tmp_path / "image")
    assert approve(bundle, workshop.context()).version == "0.2.0"


def test_row_36_metadata_that_unpacks_to_more_than_a_block_is_refused(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    """The table of inodes is replaced by 400 kB of zeros packed into its place: a bomb inside a block."""
    tree = changed_tree(
        workshop, tmp_path, lambda tree: [(tree / f"file{n}").write_text("x") for n in range(2_000)] and None
    )
    image = workshop.image(tmp_path / "image", tree)
    packed = zlib.compress(bytes(400 * 1024), 9)

    def change(data: bytearray) -> None:
        at = int.from_bytes(data[64:72], "little")
        room = int.from_bytes(data[at : at + 2], "little") & 0x7FFF
        assert len(packed) <= room
        data[at + 2 : at + 2 + room] = packed.ljust(room, b"\0")

    data = bytearray(image.read_bytes())
    data[32:40] = bytes(8)  # the root is the first inode, so that the block is looked at
    image.write_bytes(data)
    bundle = workshop.forged(tmp_path / "bundle.raucb", image=with_bytes(image, change))
    assert refused(bundle, workshop.context()) == "bomb"


def test_row_36_a_file_that_claims_to_be_larger_than_any_is_refused(
    tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    size = 123_457
    tree = changed_tree(workshop, tmp_path, lambda tree: (tree / "file").write_bytes(os.urandom(size)) and None)
    image = workshop.image(tmp_path / "image", tree, "-noI")

    def claim(data: bytearray) -> None:
        at = data.index(size.to_bytes(4, "little"), int.from_bytes(data[64:72], "little"))
        data[at : at + 4] = (0xF0000000).to_bytes(4, "little")

    bundle = workshop.forged(tmp_path / "bundle.raucb", image=with_bytes(image, claim))
    assert refused(bundle, workshop.context()) == "bomb"


def test_a_slot_image_is_the_same_bytes_for_the_same_tree(tmp_path: Path, workshop: Workshop) -> None:
    digests = set()
    for name in ("one", "two"):
        tree = tmp_path / name
        bundle_build.stage(workshop.root / "tree", tree, None)
        for path in tree.rglob("*"):
            os.utime(path, (1_000_000 + len(digests), 1_000_000))
        digests.add(hashlib.sha256(workshop.image(tmp_path / f"{name}.img", tree).read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.fixture(scope="session")
def small_image(workshop: Workshop) -> bytes:
    """A slot image whose metadata is not packed, so that every change reaches the reader."""
    return workshop.image(workshop.root / "small.img", None, "-noI").read_bytes()


def listed(raw: bytes) -> tuple[str, ...]:
    """The names of an image."""

    def read(at: int, count: int) -> bytes:
        if at < 0 or at + count > len(raw):
            raise AssertionError("the reader asked for bytes outside of the image")
        return raw[at : at + count]

    return tuple(file.path for file in listing(Squashfs(read, len(raw)), Limits()))


def test_the_reader_sees_what_unsquashfs_sees(workshop: Workshop, small_image: bytes) -> None:
    lines = subprocess.run(["unsquashfs", "-lln", workshop.root / "small.img"], capture_output=True, text=True)
    theirs = {line.split(" squashfs-root/")[1] for line in lines.stdout.splitlines() if line.startswith("-")}
    assert set(listed(small_image)) == theirs


@given(data=st.data())
def test_row_35_a_changed_image_is_listed_or_refused_and_never_read_outside_of_itself(
    data: st.DataObject, small_image: bytes
) -> None:
    raw = bytearray(small_image)
    tables = int.from_bytes(raw[64:72], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        area = data.draw(st.sampled_from([(0, 96), (tables, len(raw))]))
        at = data.draw(st.integers(area[0], area[1] - 8))
        raw[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        names = listed(bytes(raw))
    except Refusal:
        return
    assert all(".." not in name.split("/") and not name.startswith("/") for name in names)
