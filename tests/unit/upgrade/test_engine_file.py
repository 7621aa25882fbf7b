"""The file engine on real files: whole or not at all, and little memory however large the image."""

from __future__ import annotations

import errno
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firmware.core.store_file import Damaged
from firmware.upgrade.engine_file import SPARE_BYTES, FileEngine, image_path, note_path
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Approved, Image, Slot
from firmware.upgrade.squash import unpacked

ROOT = Path(__file__).resolve().parents[3]
CONTENT = bytes(range(256)) * 5000


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The payload of a bundle: a squashfs with one image."""
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "rootfs.img").write_bytes(CONTENT)
    packed = tmp_path / "bundle"
    subprocess.run(["mksquashfs", tmp_path / "content", packed, "-quiet", "-no-progress"], check=True)
    return packed


def approved(bundle: Path, content: bytes = CONTENT) -> Approved:
    image = Image(name="rootfs", filename="rootfs.img", size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return Approved(
        bundle=bundle, version="2.0", model="M", manifest_sha256="ab" * 32, signer="release", counter=0, images=(image,)
    )


def test_what_is_written_reads_back_and_progress_ends_at_a_hundred(tmp_path: Path, bundle: Path) -> None:
    told: list[int] = []
    engine = FileEngine(FileMedium(tmp_path))
    engine.write(Slot.B, approved(bundle), told.append)
    assert (tmp_path / image_path(Slot.B, "rootfs")).read_bytes() == CONTENT
    assert told == sorted(set(told))
    assert told[-1] == 100
    assert engine.holds(Slot.B, "ab" * 32)
    assert not engine.holds(Slot.B, "cd" * 32)
    assert not engine.holds(Slot.A, "ab" * 32)
    assert not engine.holds(Slot.B, "")


@pytest.mark.parametrize("damage", ["one byte", "shorter", "no note", "a note that is none"])
def test_a_slot_that_is_not_exactly_what_its_note_says_holds_nothing(tmp_path: Path, bundle: Path, damage: str) -> None:
    engine = FileEngine(FileMedium(tmp_path))
    engine.write(Slot.B, approved(bundle), lambda percent: None)
    image, note = tmp_path / image_path(Slot.B, "rootfs"), tmp_path / note_path(Slot.B)
    match damage:
        case "one byte":
            image.write_bytes(CONTENT[:-1] + b"x")
        case "shorter":
            image.write_bytes(CONTENT[:-1])
        case "no note":
            note.unlink()
        case _:
            note.write_text(json.dumps(["x"]))
    assert not engine.holds(Slot.B, "ab" * 32)


@pytest.mark.parametrize("lie", ["size", "sha256", "filename"])
def test_row_28_an_image_other_than_its_manifest_says_is_damage_and_leaves_no_slot(
    tmp_path: Path, bundle: Path, lie: str
) -> None:
    told = approved(bundle)
    wrong: dict[str, object] = {"size": len(CONTENT) - 7, "sha256": "0" * 64, "filename": "other.img"}
    changed = replace(told, images=(replace(told.images[0], **{lie: wrong[lie]}),))  # type: ignore[arg-type]
    engine = FileEngine(FileMedium(tmp_path))
    with pytest.raises(Damaged):
        engine.write(Slot.B, changed, lambda percent: None)
    assert list((tmp_path / "boot" / "slots").iterdir()) == []


def test_row_18_a_full_disk_is_seen_before_the_first_byte(tmp_path: Path, bundle: Path) -> None:
    engine = FileEngine(FileMedium(tmp_path), free_bytes=lambda: SPARE_BYTES + len(CONTENT) - 1)
    with pytest.raises(OSError, match="room") as full:
        engine.write(Slot.B, approved(bundle), lambda percent: None)
    assert full.value.errno == errno.ENOSPC
    assert list((tmp_path / "boot" / "slots").iterdir()) == []


def test_row_18_a_disk_that_fills_up_on_the_way_gets_its_room_back(tmp_path: Path, bundle: Path) -> None:
    def fills(path: Path, image: Image) -> Iterator[bytes]:
        yield CONTENT[:100]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        FileEngine(FileMedium(tmp_path), fills).write(Slot.B, approved(bundle), lambda percent: None)
    assert list((tmp_path / "boot" / "slots").iterdir()) == []


def test_the_tool_is_ended_when_nobody_reads_on(bundle: Path) -> None:
    pieces = unpacked(bundle, approved(bundle).images[0])
    assert next(pieces)
    pieces.close()  # type: ignore[attr-defined]


def test_a_large_image_takes_little_memory(tmp_path: Path) -> None:
    """The peak of a process that writes 96 MB, against one that writes 1 MB: no more than 8 MB apart."""
    peaks = {size: _peak(tmp_path / str(size), size) for size in (1, 96)}
    assert peaks[96] - peaks[1] < 8 * 1024


def _peak(folder: Path, megabytes: int) -> int:
    """The largest resident set of a process that installs an image of that size, in KiB."""
    (folder / "content").mkdir(parents=True)
    with (folder / "content" / "rootfs.img").open("wb") as file:
        for number in range(megabytes):
            file.write(bytes([number]) * 1024 * 1024)
    packed = folder / "bundle"
    subprocess.run(["mksquashfs", folder / "content", packed, "-quiet", "-no-progress", "-noD"], check=True)
    code = (
        "import hashlib, sys\n"
        "from pathlib import Path\n"
        "from tests.unit.upgrade.test_engine_file import approved\n"
        "from firmware.upgrade.engine_file import FileEngine\n"
        "from firmware.upgrade.medium import FileMedium\n"
        "from firmware.upgrade.ports import Image, Slot\n"
        "from dataclasses import replace\n"
        "folder = Path(sys.argv[1])\n"
        "digest = hashlib.sha256()\n"
        "with (folder / 'content' / 'rootfs.img').open('rb') as file:\n"
        "    while piece := file.read(1 << 20): digest.update(piece)\n"
        "told = approved(folder / 'bundle', b'')\n"
        "image = replace(told.images[0], size=int(sys.argv[2]) << 20, sha256=digest.hexdigest())\n"
        "FileEngine(FileMedium(folder)).write(Slot.B, replace(told, images=(image,)), lambda percent: None)\n"
        # Not by getrusage(2): its peak begins with that of whoever started it.
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(megabytes)],
        capture_output=True, text=True, timeout=100, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, check=True,
    )  # fmt: skip
    peak = int(done.stdout)
    print(f"{megabytes} MB: {peak} KiB")
    return peak
