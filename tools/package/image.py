"""Builds the image of a card with two slots, and the bundle that upgrades it; needs no root and no loop device.

    python -m tools.package.image [--keys DIR] [--board NAME] [--system DIR] [--boot DIR] OUT

OUT is a folder: `card.img` (sparse) and `lintel-VERSION.raucb`. `--system` is the root file system of a Debian with the
package installed, `--boot` the files of a board's boot loader, as rpi-image-gen makes both (tools/rpi-image-gen).
Without them the layout is the same and the card starts nothing.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firmware.upgrade.bundle_build import Facts, Signer, build, pack, stage
from firmware.upgrade.fat_image import SECTORS, write_image
from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import AUTOBOOT, PARTITIONS, SlotDoor, autoboot_text
from hal.board import load_board
from tools.package.system_files import CHECKOUT, lay_out

MIB = 1 << 20
ALIGNED = MIB
BOOT_MIB, ROOT_MIB, DATA_MIB = 256, 512, 512
SYSTEM_MIB = 2048
BLOCK = 512
# GPT kinds: what a boot loader reads, and what Linux reads.
BASIC, LINUX = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
# The same for every card: an image depends on its files alone.
DISK = "4C494E54-454C-4001-8001-000000000000"
FAT_IDS = {Slot.A: "4C49000A", Slot.B: "4C49000B"}
CONFIG = """\
# Lintel: buses of boards/_rpi.toml and boards/door_station.toml.
enable_uart=1
dtparam=i2c_arm=on
dtparam=watchdog=on
dtoverlay=disable-bt
# A kernel that hangs before systemd feeds the watchdog is reset too, into the default slot.
kernel_watchdog_timeout=60
[pi4]
dtoverlay=uart4,ctsrts
[pi5]
dtoverlay=uart3-pi5,ctsrts
[all]
"""
COMMAND_LINE = (
    "console=tty1 root=PARTLABEL=system rootfstype=ext4 ro rootwait panic=5 fsck.repair=no "
    "lintel.slot={slot} rauc.slot={name}\n"
)
# RAUC writes and checks a second time; what starts and what stays is decided by the firmware (docs/upgrade.md).
RAUC = """\
[system]
compatible={compatible}
bootloader=noop
bundle-formats=verity
activate-installed=false
data-directory=/var/lib/rauc
mountprefix=/run/rauc

[keyring]
path=/var/lib/lintel/keyring/release.pem
check-purpose=codesign
check-crl=true

[slot.rootfs.0]
device=/dev/disk/by-partlabel/root-a
type=raw
bootname=A

[slot.rootfs.1]
device=/dev/disk/by-partlabel/root-b
type=raw
bootname=B
"""
# What NetworkManager and systemd keep in /etc (a connection, the host name, the time zone) lies on the data partition.
KEPT = "/var/lib/etc"
FSTAB = f"""\
PARTLABEL=system / ext4 ro,noatime 0 1
PARTLABEL=data /var/lib ext4 noatime,nodev,nosuid,noexec 0 2
overlay /etc overlay lowerdir=/etc,upperdir={KEPT}/upper,workdir={KEPT}/work,x-systemd.requires-mounts-for={KEPT} 0 0
tmpfs /tmp tmpfs nodev,nosuid,size=128M 0 0
tmpfs /var/log tmpfs nodev,nosuid,noexec,size=32M 0 0
tmpfs /var/tmp tmpfs nodev,nosuid,noexec,size=128M 0 0
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: its name in the table, its size, its kind."""

    name: str
    mib: int
    kind: str


# In this order: boot control knows the first three by their number, everybody else by their name.
TABLE = (
    Partition("autoboot", SECTORS * BLOCK // MIB, BASIC),
    Partition("boot-a", BOOT_MIB, BASIC),
    Partition("boot-b", BOOT_MIB, BASIC),
    Partition("root-a", ROOT_MIB, LINUX),
    Partition("root-b", ROOT_MIB, LINUX),
    Partition("system", SYSTEM_MIB, LINUX),
    Partition("data", DATA_MIB, LINUX),
)
assert [TABLE[number - 1].name for number in PARTITIONS.values()] == ["boot-a", "boot-b"]


def run(words: list[str], text: str | None = None) -> None:
    """Run a tool. Raises SystemExit with its complaint."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        words,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path, "MTOOLS_SKIP_CHECK": "1"},
    )
    if done.returncode:
        raise SystemExit(f"image: {' '.join(words[:3])} ...: {(done.stderr or done.stdout).strip()[-500:]}")


def table_text() -> str:
    """The partition table, as sfdisk reads it."""
    lines = ["label: gpt", f"label-id: {DISK}", "unit: sectors", ""]
    at = ALIGNED
    for number, one in enumerate(TABLE, 1):
        uuid = f"{DISK[:-1]}{number}"
        lines.append(
            f'start={at // BLOCK}, size={one.mib * MIB // BLOCK}, type={one.kind}, uuid={uuid}, name="{one.name}"'
        )
        at += one.mib * MIB
    return "\n".join(lines) + "\n"


def starts() -> dict[str, int]:
    """Where each partition begins, in bytes."""
    found, at = {}, ALIGNED
    for one in TABLE:
        found[one.name] = at
        at += one.mib * MIB
    return found


def boot_partition(path: Path, slot: Slot, files: Path | None) -> None:
    """FAT 32, with a copy of its first sector in sector 6; the boot loader's files, and ours."""
    with path.open("wb") as image:
        image.truncate(BOOT_MIB * MIB)
    run(["mkfs.vfat", "-F", "32", "-n", f"BOOT-{slot.value}", "-i", FAT_IDS[slot], "--invariant", str(path)])
    with tempfile.TemporaryDirectory(prefix="lintel-boot-") as scratch:
        tree = Path(scratch)
        if files is not None:
            shutil.copytree(files, tree, dirs_exist_ok=True)
        with (tree / "config.txt").open("a") as config:
            config.write(CONFIG)
        (tree / "cmdline.txt").write_text(COMMAND_LINE.format(slot=slot.value.lower(), name=slot.value))
        run(["mcopy", "-s", "-m", "-i", str(path), *map(str, sorted(tree.iterdir())), "::"])


def system_tree(root: Path, system: Path | None, compatible: str) -> None:
    """What the system partition holds: somebody's Debian, and what this card adds to it."""
    if system is not None:
        shutil.copytree(system, root, symlinks=True, dirs_exist_ok=True)
    else:
        lay_out(root)
    for folder in ("boot", "dev", "proc", "run", "sys", "tmp", "usr/lib/lintel/slot", "var/lib", "var/log", "var/tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/rauc").mkdir(parents=True, exist_ok=True)
    (root / "etc/rauc/system.conf").write_text(RAUC.format(compatible=compatible))
    (root / "etc/fstab").write_text(FSTAB)


def data_tree(root: Path, keys: Path) -> None:
    """What the data partition begins with: whom the device trusts."""
    (root / "lintel").mkdir(parents=True, mode=0o700)
    (root / "rauc").mkdir()
    for name in ("upper", "work"):
        (root / "etc" / name).mkdir(parents=True)
    ring = root / "lintel/keyring"
    shutil.copytree(keys / "keyring", ring)
    # Certificates are nobody's secret, and here they belong to root: the firmware only reads them.
    ring.chmod(0o755)
    for path in ring.iterdir():
        path.chmod(0o644)


def ext4(path: Path, label: str, mib: int, tree: Path) -> None:
    """An ext4 of a tree, made without mounting it."""
    with path.open("wb") as image:
        image.truncate(mib * MIB)
    run(["mkfs.ext4", "-q", "-L", label, "-d", str(tree), "-E", "root_owner=0:0", str(path)])


def put(card: int, at: int, source: Path) -> None:
    """Copy a partition's image to its place; what is empty stays a hole."""
    with source.open("rb", buffering=0) as image:
        descriptor, end = image.fileno(), os.fstat(image.fileno()).st_size
        position = 0
        while position < end:
            try:
                position = os.lseek(descriptor, position, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                return  # nothing but a hole up to the end
            stop = os.lseek(descriptor, position, os.SEEK_HOLE)
            while position < stop:
                block = os.pread(descriptor, min(4 * MIB, stop - position), position)
                os.pwrite(card, block, at + position)
                position += len(block)


def make_card(out: Path, board: str, keys: Path, system: Path | None, boot: Path | None) -> Path:
    """The image of a card whose slot A holds this checkout and whose slot B is closed; returns its file."""
    product = load_board(board).product
    card = out / "card.img"
    with tempfile.TemporaryDirectory(prefix="lintel-card-") as name:
        scratch = Path(name)
        parts = {one.name: scratch / one.name for one in TABLE}
        write_image(parts["autoboot"], "AUTOBOOT", {AUTOBOOT: autoboot_text(Slot.A)})
        for slot in Slot:
            boot_partition(parts[f"boot-{slot.value.lower()}"], slot, boot)
        SlotDoor(parts["boot-b"]).close()
        stage(CHECKOUT, scratch / "program", None)
        pack(scratch / "program", parts["root-a"])
        parts["root-b"].touch()
        system_tree(scratch / "tree", system, product.model.lower())
        ext4(parts["system"], "system", SYSTEM_MIB, scratch / "tree")
        data_tree(scratch / "begin", keys)
        ext4(parts["data"], "data", DATA_MIB, scratch / "begin")
        if parts["root-a"].stat().st_size > ROOT_MIB * MIB:
            raise SystemExit(f"image: the program is larger than its slot of {ROOT_MIB} MiB")
        with card.open("wb") as image:
            image.truncate(ALIGNED * 2 + sum(one.mib for one in TABLE) * MIB)
        run(["sfdisk", "-q", str(card)], table_text())
        descriptor = os.open(card, os.O_RDWR)
        try:
            for one, at in starts().items():
                put(descriptor, at, parts[one])
        finally:
            os.close(descriptor)
    return card


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="image", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keys", type=Path, default=Path("keys"), help="made by 'lintel bundle keys'")
    parser.add_argument("--board", default="door_station", help="a board's name or file")
    parser.add_argument("--system", type=Path, help="the root file system of a Debian with the package")
    parser.add_argument("--boot", type=Path, help="the boot loader's files")
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    if not (asked.keys / "keyring/release.pem").is_file():
        raise SystemExit(f"image: no keys in {asked.keys}; 'lintel bundle keys {asked.keys}' makes them")
    asked.out.mkdir(parents=True)
    card = make_card(asked.out, asked.board, asked.keys, asked.system, asked.boot)
    facts = Facts(models=(load_board(asked.board).product.model,))
    waiting = asked.out / "new.raucb"
    version = build(CHECKOUT, waiting, facts, Signer.of(asked.keys, "release"))
    bundle = waiting.rename(asked.out / f"lintel-{version}.raucb")
    if asked.system is None or asked.boot is None:
        print("image: without --system and --boot the card starts nothing: only its layout is there", file=sys.stderr)
    print(f"{card}\n{bundle}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
