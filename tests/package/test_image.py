"""The image of a card and its bundle, looked at with other people's tools: the layout that boot control expects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firmware import VERSION
from firmware.cli import run as lintel
from firmware.upgrade.context import GateContext, Mode, at_least
from firmware.upgrade.gate import approve
from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import PARTITIONS, AutobootSector, SlotDoor
from tests.package.debian import QUIET
from tools.package.image import MIB, ROOT_MIB, TABLE


@dataclass(frozen=True, slots=True)
class Made:
    """What `make image` made; `parts` are the FAT partitions, cut out of the card."""

    card: Path
    bundle: Path
    keyring: Path
    parts: dict[str, Path]
    table: list[dict[str, Any]]

    def at(self, name: str) -> int:
        """Where a partition begins, in bytes."""
        return int(next(one["start"] for one in self.table if one["name"] == name)) * 512

    def debugfs(self, name: str, request: str) -> str:
        """What is asked of an ext4 partition."""
        return said("debugfs", "-R", request, f"{self.card}?offset={self.at(name)}")


def said(*words: str, fails: bool = False) -> str:
    """What a tool prints; it must end well, or must not."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=QUIET)
    assert (done.returncode != 0) == fails, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("card")
    assert lintel(["bundle", "keys", str(folder / "keys")]) == 0
    out = folder / "out"
    words = [sys.executable, "-m", "tools.package.image", "--keys", str(folder / "keys"), str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "starts nothing" in done.stderr
    card = out / "card.img"
    table = json.loads(said("sfdisk", "-J", str(card)))["partitiontable"]["partitions"]
    parts = {}
    for one in table[:3]:
        path = parts[one["name"]] = folder / one["name"]
        skip, count = one["start"] * 512 // MIB, one["size"] * 512 // MIB
        said("dd", f"if={card}", f"of={path}", "bs=1M", f"skip={skip}", f"count={count}", "conv=sparse", "status=none")
    yield Made(card, out / f"lintel-{VERSION}.raucb", folder / "keys/keyring", parts, table)
    for path in (card, *parts.values()):
        path.unlink()


def test_the_partitions_stand_where_boot_control_and_the_udev_rules_look(made: Made) -> None:
    assert [one["name"] for one in made.table] == [one.name for one in TABLE]
    numbers = {one["name"]: int(one["node"].removeprefix(str(made.card))) for one in made.table}
    assert {slot: numbers[f"boot-{slot.value.lower()}"] for slot in Slot} == PARTITIONS
    assert numbers["autoboot"] == 1
    said("sfdisk", "--verify", str(made.card))


def test_the_boot_loader_is_told_slot_a_and_finds_slot_b_closed(made: Made) -> None:
    said("fsck.vfat", "-n", str(made.parts["autoboot"]))
    assert AutobootSector(made.parts["autoboot"]).read() is Slot.A
    assert "boot_partition=2" in said("mtype", "-i", str(made.parts["autoboot"]), "::AUTOBOOT.TXT")
    doors = {slot: SlotDoor(made.parts[f"boot-{slot.value.lower()}"]) for slot in Slot}
    assert (doors[Slot.A].is_open(), doors[Slot.B].is_open()) == (True, False)
    said("fsck.vfat", "-n", str(made.parts["boot-b"]), fails=True)
    doors[Slot.B].open()
    for slot in Slot:
        part = str(made.parts[f"boot-{slot.value.lower()}"])
        said("fsck.vfat", "-n", part)
        line = said("mtype", "-i", part, "::cmdline.txt")
        assert f"lintel.slot={slot.value.lower()} rauc.slot={slot.value}" in line
        assert "panic=5" in line
        assert "kernel_watchdog_timeout" in said("mtype", "-i", part, "::config.txt")
    doors[Slot.B].close()


def test_system_and_data_are_sound_and_the_device_trusts_its_vendor(made: Made) -> None:
    for name in ("system", "data"):
        said("e2fsck", "-f", "-n", f"{made.card}?offset={made.at(name)}")
    listed = made.debugfs("data", "ls -l /lintel/keyring")
    assert "release.pem" in listed
    assert {line.split()[1] for line in listed.splitlines() if ".pem" in line} == {"100644"}
    conf = made.debugfs("system", "cat /etc/rauc/system.conf")
    assert "activate-installed=false" in conf
    for name in ("root-a", "root-b"):
        assert f"/dev/disk/by-partlabel/{name}" in conf


def test_what_the_system_keeps_in_etc_is_written_to_the_data_partition(made: Made, tmp_path: Path) -> None:
    """The line of the card's fstab, mounted for once below a folder, over what the partitions hold."""
    for name in ("system", "data"):
        (tmp_path / name).mkdir()
        made.debugfs(name, f"rdump /etc {tmp_path / name}")
    lines = [line.split() for line in made.debugfs("system", "cat /etc/fstab").splitlines()]
    place, options = next((words[1], words[3]) for words in lines if words[0] == "overlay")
    assert place == "/etc"
    assert next(words[0] for words in lines if words[1] == "/var/lib") == "PARTLABEL=data"
    here = {"lowerdir=/etc": f"lowerdir={tmp_path / 'system/etc'}", "=/var/lib": f"={tmp_path / 'data'}"}
    mapped = ",".join(each for each in options.split(",") if not each.startswith("x-"))
    for there, instead in here.items():
        assert there in mapped
        mapped = mapped.replace(there, instead)
    etc = tmp_path / "system/etc"
    mounted = f'mount -t overlay overlay -o "{mapped}" "{etc}" && echo kept > "{etc}/hostname" && cat "{etc}/fstab"'
    assert "PARTLABEL=system" in said("unshare", "--mount", "sh", "-c", mounted)
    assert not (etc / "hostname").exists()
    assert (tmp_path / "data/etc/upper/hostname").read_text() == "kept\n"


def test_slot_a_holds_the_program_that_the_bundle_brings_byte_for_byte(made: Made, tmp_path: Path) -> None:
    assert "squashfs-root/firmware/__init__.py" in said(
        "unsquashfs", "-o", str(made.at("root-a")), "-l", str(made.card)
    )
    said("unsquashfs", "-q", "-d", str(tmp_path / "bundle"), str(made.bundle))
    image = (tmp_path / "bundle/rootfs.img").read_bytes()
    with made.card.open("rb") as slot:
        slot.seek(made.at("root-a"))
        assert slot.read(len(image)) == image


def test_rauc_itself_reads_the_configuration_and_the_bundle(made: Made, tmp_path: Path) -> None:
    conf = tmp_path / "system.conf"
    text = made.debugfs("system", "cat /etc/rauc/system.conf")
    conf.write_text(text.replace("/var/lib/lintel/keyring/release.pem", str(made.keyring / "release.pem")))
    told = json.loads(said("rauc", f"--conf={conf}", "info", "--output-format=json", str(made.bundle)))
    assert (told["compatible"], told["version"]) == ("lintel-ds1", VERSION)
    conf.write_text(conf.read_text().replace("bootloader=noop", "bootlaoder=noop"))
    said("rauc", f"--conf={conf}", "info", str(made.bundle), fails=True)


def test_the_gate_of_a_device_of_this_image_takes_the_bundle(made: Made) -> None:
    context = GateContext(
        model="LINTEL-DS1",
        hardware_revision=1,
        running="0.0.1",
        floor=0,
        serial="02A11CE00001",
        chip_id="0123456789abcdef",
        now=at_least(datetime.now(UTC)),
        clock_trusted=True,
        mode=Mode.STANDARD,
        slot_size=ROOT_MIB * MIB,
        keyring=made.keyring,
    )
    approved = approve(made.bundle, context)
    assert [image.name for image in approved.images] == ["rootfs"]
    assert os.path.samefile(approved.bundle, made.bundle)
