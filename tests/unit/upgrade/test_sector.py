"""The commit sector and the door of a slot, on images made by others (mtools) and by us, judged by fsck.vfat."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.upgrade.fat import SECTOR, find_sector, parse_layout
from firmware.upgrade.fat_image import BACKUP, first_sector, write_image
from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import AUTOBOOT, TEXTS, AutobootSector, SlotDoor, autoboot_text

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
# mformat's words for each kind of FAT, and how many sectors the image has.
KINDS = {
    "fat12": (["-T", "2880"], 2880),
    "fat16": (["-T", "65536", "-c", "4"], 65536),
    "fat32": (["-F", "-T", "131072", "-c", "1"], 131072),
}


def tool(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PATH": PATH})
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def checked(image: Path) -> None:
    """fsck.vfat finds nothing to say."""
    tool("fsck.vfat", "-n", str(image))


def content(image: Path, name: str = AUTOBOOT) -> bytes:
    """The file as mtools reads it."""
    return subprocess.run(["mtype", "-i", str(image), f"::{name}"], capture_output=True, check=True).stdout


@pytest.fixture(params=[*KINDS, "ours"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A boot partition with `autoboot.txt` for slot A among other files, made by mtools or by us."""
    path = tmp_path / "boot.img"
    if request.param == "ours":
        write_image(path, "AUTOBOOT", {"README.TXT": b"one" * 700, AUTOBOOT: autoboot_text(Slot.A)})
        return path
    words, sectors = KINDS[request.param]
    with path.open("wb") as file:
        file.truncate(sectors * SECTOR)
    tool("mformat", "-i", str(path), *words, "::")
    for name, data in {"a long name.txt": b"x" * 3000, "autoboot.txt": TEXTS[Slot.A], "later.txt": b"y"}.items():
        (tmp_path / name).write_bytes(data)
        tool("mcopy", "-i", str(path), str(tmp_path / name), f"::{name}")
    tool("mdel", "-i", str(path), "::a long name.txt")
    return path


def test_the_texts_are_one_sector_and_differ_in_what_they_start() -> None:
    for slot, text in TEXTS.items():
        assert len(text) == SECTOR
        words = text.decode("ascii").split()
        partition = {Slot.A: "2", Slot.B: "3"}
        assert words == [
            "[all]",
            "tryboot_a_b=1",
            f"boot_partition={partition[slot]}",
            "[tryboot]",
            f"boot_partition={partition[slot.other]}",
        ]


def test_a_commit_changes_one_sector_and_the_file_system_stays_whole(image: Path) -> None:
    before = image.read_bytes()
    sector = AutobootSector(image)
    assert sector.read() is Slot.A
    sector.write(Slot.B)
    assert sector.read() is Slot.B
    after = image.read_bytes()
    changed = {at // SECTOR for at in range(len(before)) if before[at] != after[at]}
    assert len(changed) == 1
    assert content(image) == TEXTS[Slot.B]
    checked(image)
    sector.write(Slot.A)
    assert image.read_bytes() == before


def test_a_sector_with_another_text_is_neither_believed_nor_overwritten(image: Path) -> None:
    foreign = b"[all]\nkernel=other.img\n".ljust(SECTOR, b" ")
    with image.open("r+b") as file:
        at = find_sector(file.fileno(), AUTOBOOT)
        file.seek(at)
        file.write(foreign)
    before = image.read_bytes()
    with pytest.raises(OSError, match="neither of its two texts"):
        AutobootSector(image).read()
    with pytest.raises(OSError, match="not ours; nothing was written"):
        AutobootSector(image).write(Slot.B)
    assert image.read_bytes() == before


def test_a_rotten_byte_in_the_sector_is_not_believed_and_is_healed_by_the_next_commit(image: Path) -> None:
    raw = bytearray(image.read_bytes())
    at = raw.index(TEXTS[Slot.A])
    raw[at + 25] ^= 0x01  # boot_partition=2 becomes another number
    image.write_bytes(bytes(raw))
    with pytest.raises(OSError, match="neither"):
        AutobootSector(image).read()
    AutobootSector(image).write(Slot.B)
    assert content(image) == TEXTS[Slot.B]


@pytest.mark.parametrize("size", [0, 511, 513])
def test_a_file_that_is_not_one_sector_long_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    write_image(path, "AUTOBOOT", {AUTOBOOT: TEXTS[Slot.A].ljust(513)[:size]})
    with pytest.raises(OSError, match=f"has {size} bytes, not 512"):
        AutobootSector(path).read()


def test_a_missing_file_a_missing_image_and_no_file_system_are_each_named(tmp_path: Path) -> None:
    empty, blank = tmp_path / "empty.img", tmp_path / "blank.img"
    write_image(empty, "AUTOBOOT", {})
    blank.write_bytes(bytes(SECTOR * 100))
    with pytest.raises(OSError, match=r"no AUTOBOOT\.TXT"):
        AutobootSector(empty).read()
    with pytest.raises(OSError, match="not one of a FAT file system"):
        AutobootSector(blank).write(Slot.B)
    with pytest.raises(FileNotFoundError):
        AutobootSector(tmp_path / "none.img").read()


def test_a_folder_of_that_name_is_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    with path.open("wb") as file:
        file.truncate(2880 * SECTOR)
    tool("mformat", "-i", str(path), "-T", "2880", "::")
    tool("mmd", "-i", str(path), "::autoboot.txt")
    with pytest.raises(OSError, match=r"no AUTOBOOT\.TXT"):
        AutobootSector(path).read()


def test_our_own_image_is_what_other_tools_call_fat_16(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    files = {"CONFIG.TXT": b"abc" * 1000, "EMPTY.TXT": b"", AUTOBOOT: TEXTS[Slot.B]}
    write_image(path, "BOOT-A", files)
    checked(path)
    assert {name: content(path, name) for name in files} == files
    assert "BOOT-A" in tool("mdir", "-i", str(path), "::")
    assert path.stat().st_blocks * 512 < path.stat().st_size / 8  # a hole but for a few sectors


def test_a_closed_slot_is_no_file_system_and_an_opened_one_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    write_image(path, "BOOT-B", {"CONFIG.TXT": b"abc"})
    before, door = path.read_bytes(), SlotDoor(path)
    assert door.is_open()
    door.close()
    assert not door.is_open()
    assert path.read_bytes() == bytes(SECTOR) + before[SECTOR:]
    door.close()  # again, after a power cut
    door.open()
    assert path.read_bytes() == before
    door.open()
    assert path.read_bytes() == before


def test_a_slot_of_fat_32_made_by_others_opens_from_the_copy_that_fat_32_has(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    with path.open("wb") as file:
        file.truncate(131072 * SECTOR)
    tool("mkfs.vfat", "-F", "32", "-s", "1", str(path))
    door = SlotDoor(path)
    door.close()
    door.open()
    assert door.is_open()
    checked(path)


def test_a_slot_without_a_copy_stays_closed(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    write_image(path, "BOOT-B", {})
    with path.open("r+b") as file:
        file.seek(BACKUP * SECTOR)
        file.write(bytes(SECTOR))
    door = SlotDoor(path)
    door.close()
    with pytest.raises(OSError, match="no copy of its first sector in sector 6"):
        door.open()
    assert not door.is_open()


@given(at=st.integers(0, SECTOR - 1), bits=st.integers(1, 255), second=st.binary(max_size=64))
def test_a_first_sector_with_any_damage_is_read_or_refused_and_never_anything_else(
    at: int, bits: int, second: bytes
) -> None:
    raw = bytearray(first_sector("AUTOBOOT"))
    raw[at] ^= bits
    raw[: len(second)] = second
    try:
        layout = parse_layout(bytes(raw))
    except OSError:
        return
    assert layout.clusters >= 1
    assert layout.root <= layout.data < layout.sectors


@given(damage=st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_image_is_committed_whole_or_not_touched(
    damage: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rot") / "boot.img"
    write_image(path, "AUTOBOOT", {AUTOBOOT: TEXTS[Slot.A]})
    with path.open("r+b") as file:
        for at, value in damage:
            file.seek(at)
            file.write(bytes([value]))
    before = path.read_bytes()
    try:
        AutobootSector(path).write(Slot.B)
    except OSError:
        assert path.read_bytes() == before
    else:
        assert AutobootSector(path).read() is Slot.B
    shutil.rmtree(path.parent)
