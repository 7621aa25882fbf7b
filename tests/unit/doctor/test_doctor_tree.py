"""`lintel doctor` on a tree of files: a whole machine has nothing to mend, and each missing thing is one line."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any

import pytest

from firmware.cli.main import run
from firmware.doctor.finding import Grade
from firmware.doctor.machine import Machine
from firmware.doctor.storage import SLOW_S, TOO_SLOW_S, check_storage, judged
from firmware.upgrade.boot_tryboot import RASPBERRY_PI
from firmware.upgrade.fat_image import write_image
from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import AUTOBOOT, autoboot_text
from hal.clock import SystemClock

PROJECT = Path(__file__).resolve().parents[3]
ME = os.getgid()
GROUPS = {"gpio": 991, "i2c": 992, "dialout": 20, "video": 44, "audio": 29, "lintel": 990}


class Tree:
    """A Raspberry Pi with the door station installed, as files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("etc/passwd", "root:x:0:0::/root:/bin/bash\nlintel:x:990:990::/var/lib/lintel:/usr/sbin/nologin\n")
        self.write("etc/group", "".join(f"{name}:x:{number}:\n" for name, number in GROUPS.items()))
        shutil.copytree(PROJECT / "udev", root / "usr/lib/udev/rules.d")
        shutil.copytree(PROJECT / "systemd", root / "usr/lib/systemd/system", dirs_exist_ok=True)
        for unit in ("lintel-control.service", "lintel-media.service", "lintel-network.service", "lintel-restart.path"):
            self.link(f"etc/systemd/system/multi-user.target.wants/{unit}", f"/usr/lib/systemd/system/{unit}")
        trace = "lintel-trace.socket"
        self.link(f"etc/systemd/system/sockets.target.wants/{trace}", f"/usr/lib/systemd/system/{trace}")
        deadman = "lintel-deadman.timer"
        self.link(f"etc/systemd/system/timers.target.wants/{deadman}", f"/usr/lib/systemd/system/{deadman}")
        for name, target in (("gpio", "gpiochip0"), ("i2c-1", "i2c-1"), ("rs485", "ttyAMA0"), ("rs485b", "ttyAMA4")):
            self.write(f"dev/{target}", "", mode=0o666)
            self.link(f"dev/lintel/{name}", f"../{target}")
        self.write("dev/media0", "")
        self.write("sys/class/sound/card0/id", "lintel\n")
        self.write("sys/class/rtc/rtc0/name", "rpi-rtc\n")
        self.write("run/systemd/timesync/synchronized", "")
        self.write(
            "proc/self/mounts", "/dev/mmcblk0p5 / ext4 ro,noatime 0 0\n/dev/mmcblk0p7 /var/lib ext4 rw,noatime 0 0\n"
        )
        (root / "var/lib/lintel").mkdir(parents=True)
        self.write("etc/rauc/system.conf", "[system]\n")
        for name in ("boot-a", "boot-b"):
            self.write(f"dev/{name}", "")
            self.link(f"dev/lintel/{name}", f"../{name}")
        write_image(root / "dev/autoboot", "AUTOBOOT", {AUTOBOOT: autoboot_text(Slot.A)})
        self.link("dev/lintel/autoboot", "../autoboot")
        self.loader(partition=2, tryboot=0, built=1_770_000_000)

    def loader(self, *, partition: int, tryboot: int, built: int) -> None:
        folder = self.root / str(RASPBERRY_PI.loader).lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in (("partition", partition), ("tryboot", tryboot), ("build-timestamp", built)):
            (folder / name).write_bytes(value.to_bytes(4, "big"))

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def link(self, name: str, target: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def remove(self, *names: str) -> None:
        for path in (self.root / name for name in names):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The medium of the tree is that of this machine, which may be as slow and as full as it likes."""
    for limit, value in (("SLOW_S", inf), ("TOO_SLOW_S", inf), ("FEW_FREE_MB", 0), ("LEAST_FREE_MB", 0)):
        monkeypatch.setattr(f"firmware.doctor.storage.{limit}", value)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "root")


@pytest.fixture
def doctor(
    tree: Tree, capsys: pytest.CaptureFixture[str], patient: None
) -> Callable[..., tuple[int, list[Mapping[str, Any]]]]:
    """Runs `lintel doctor --json` on the tree: its status, and its findings that are not in order."""

    def examine(*words: str) -> tuple[int, list[Mapping[str, Any]]]:
        status = run(["doctor", "--root", str(tree.root), "--json", *words])
        told = json.loads(capsys.readouterr().out)
        assert told["ok"] is (status == 0)
        return status, [finding for finding in told["findings"] if finding["grade"] != "ok"]

    return examine


Doctor = Callable[..., tuple[int, list[Mapping[str, Any]]]]


def test_a_machine_with_everything_has_nothing_to_mend(doctor: Doctor) -> None:
    assert doctor() == (0, [])


# What is broken, the one line that names it, and what the command that mends it says.
BROKEN: Mapping[str, tuple[Callable[[Tree], None], str, str, str]] = {
    "no user": (
        lambda tree: tree.write("etc/passwd", "root:x:0:0::/root:/bin/bash\n"),
        "groups", "there is no user lintel", "sudo systemd-sysusers",
    ),
    "no group": (
        lambda tree: tree.write("etc/group", (tree.root / "etc/group").read_text().replace("i2c:", "i3c:")),
        "groups", "there is no group i2c", "sudo groupadd --system i2c",
    ),
    "not in a group": (
        lambda tree: tree.write(
            "usr/lib/systemd/system/lintel-control.service",
            (PROJECT / "systemd/lintel-control.service").read_text().replace("=gpio i2c dialout", "=gpio i2c"),
        ),
        "groups", "lintel is not in the group dialout", "sudo usermod -aG dialout lintel",
    ),
    "no rules": (
        lambda tree: tree.remove("usr/lib/udev", "dev/lintel/gpio"),
        "devices", "/dev/lintel/gpio (gpio0) is missing, and so are the udev rules", "sudo cp udev/*.rules",
    ),
    "rules not applied": (
        lambda tree: tree.remove("dev/lintel/gpio"),
        "devices", "/dev/lintel/gpio (gpio0) is missing, although /dev/gpiochip0 is there", "sudo udevadm control",
    ),
    "i2c is off": (
        lambda tree: tree.remove("dev/lintel/i2c-1", "dev/i2c-1"),
        "devices", "/dev/lintel/i2c-1 (i2c1) is missing, and the kernel offers no", "echo dtparam=i2c_arm=on | sudo",
    ),
    "second uart is off": (
        lambda tree: tree.remove("dev/ttyAMA4"),
        "devices", "/dev/lintel/rs485b (rs485b) is missing", "echo dtoverlay=uart4,ctsrts | sudo tee",
    ),
    "device not permitted": (
        lambda tree: (tree.root / "dev/i2c-1").chmod(0o600),
        "devices", "lintel may not use /dev/lintel/i2c-1 (i2c1)", "sudo udevadm control --reload",
    ),
    "clock not set": (
        lambda tree: tree.remove("run/systemd/timesync/synchronized"),
        "clock", "no time server has set it", "sudo timedatectl set-ntp true",
    ),
    "no state directory": (
        lambda tree: tree.remove("var/lib/lintel"),
        "storage", "/var/lib/lintel is missing", "sudo install -d -o lintel -g lintel -m 0700 /var/lib/lintel",
    ),
    "read-only": (
        lambda tree: tree.write("proc/self/mounts", "/dev/mmcblk0p7 /var/lib/lintel ext4 ro,noatime 0 0\n"),
        "storage", "/var/lib/lintel is mounted read-only", "sudo mount -o remount,rw /var/lib/lintel",
    ),
    "in memory": (
        lambda tree: tree.write("proc/self/mounts", "tmpfs /var/lib/lintel tmpfs rw 0 0\n"),
        "storage", "/var/lib/lintel is tmpfs: all settings are lost with the power", "sudo umount /var/lib/lintel",
    ),
    "careless": (
        lambda tree: tree.write("proc/self/mounts", "/dev/x /var ext4 rw,barrier=0 0 0\n"),
        "storage", "/var is mounted with barrier=0: a power cut may lose", "sudo mount -o remount /var",
    ),
    "half a slot": (
        lambda tree: tree.remove("dev/lintel/boot-b"),
        "slots", "/dev/lintel/boot-b is missing", "sudo udevadm trigger --subsystem-match=block",
    ),
    "no rauc": (
        lambda tree: tree.remove("etc/rauc"),
        "slots", "/etc/rauc/system.conf is missing: no bundle can be installed", "apt-get install --reinstall lintel",
    ),
    "another partition": (
        lambda tree: tree.loader(partition=9, tryboot=0, built=1_770_000_000),
        "slots", "which slot runs is unknown: started from partition 9", "sudo rpi-eeprom-update -a",
    ),
    "old boot loader": (
        lambda tree: tree.loader(partition=2, tryboot=0, built=1_600_000_000),
        "slots", "the boot loader is older than 2025-08-20", "sudo rpi-eeprom-update -a && sudo reboot",
    ),
    "unit not installed": (
        lambda tree: tree.remove("usr/lib/systemd/system/lintel-network.service"),
        "units", "lintel-network.service is not installed", "sudo apt-get install --reinstall lintel",
    ),
    "no dead man's timer": (
        lambda tree: tree.remove("etc/systemd/system/timers.target.wants/lintel-deadman.timer"),
        "units", "lintel-deadman.timer is not enabled", "sudo systemctl enable --now lintel-deadman.timer",
    ),
    "unit not enabled": (
        lambda tree: tree.remove("etc/systemd/system/multi-user.target.wants/lintel-media.service"),
        "units", "lintel-media.service is not enabled", "sudo systemctl enable --now lintel-media.service",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_missing_thing_is_one_line_with_the_command_that_mends_it(case: str, tree: Tree, doctor: Doctor) -> None:
    breaking, check, text, mend = BROKEN[case]
    breaking(tree)
    status, found = doctor()
    mine = [finding for finding in found if finding["check"] == check and text in finding["text"]]
    assert len(mine) == 1, found
    assert mend in mine[0]["mend"]
    assert (status, mine[0]["grade"]) == (1, "bad")
    # Nothing else is named, but what follows from it: without its user or groups nobody may use the devices.
    others = {finding["check"] for finding in found if finding not in mine}
    assert others <= ({"groups", "devices"} if check == "groups" else {check} if case == "no rules" else set()), found


@pytest.mark.parametrize(
    ("name", "text"),
    [("dev/media0", "no camera"), ("sys/class/sound", "no sound card"), ("sys/class/rtc", "no battery clock")],
)
def test_what_the_door_works_without_is_a_note_and_no_failure(name: str, text: str, tree: Tree, doctor: Doctor) -> None:
    tree.remove(name)
    status, found = doctor()
    assert status == 0
    assert [finding["grade"] for finding in found] == ["note"]
    assert found[0]["text"].startswith(text)
    assert found[0]["mend"]


def test_a_machine_without_slots_is_told_what_that_means(tree: Tree, doctor: Doctor) -> None:
    tree.remove("dev/lintel/autoboot", "dev/lintel/boot-a", "dev/lintel/boot-b", "etc/rauc")
    tree.remove("etc/systemd/system/timers.target.wants")  # nobody upgrades here, nobody has to go back
    status, found = doctor()
    assert status == 0
    assert [finding["check"] for finding in found] == ["slots"]
    assert "nothing is rolled back" in found[0]["text"]


def test_the_board_is_the_one_that_the_units_start_with(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("etc/lintel/board.conf", "# which\nLINTEL_BOARD=horn_speaker\n")
    run(["doctor", "--root", str(tree.root), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["board"] == "horn_speaker"
    assert not any("i2c-1 (i2c1) is missing" in finding["text"] for finding in told["findings"])


def test_every_finding_for_people_is_one_line_and_the_last_line_counts(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.remove("dev/lintel/gpio")
    tree.remove("run/systemd/timesync/synchronized")
    assert run(["doctor", "--root", str(tree.root)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "Network door station: 2 to mend"
    assert all(re.match(r"(ok|note|bad) +(groups|devices|clock|storage|slots|units) ", line) for line in lines)
    assert sum(line.startswith("bad") and "; mend it with: " in line for line in lines) == 2


def test_a_wrong_word_on_the_command_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--jsn"]) == 1
    assert capsys.readouterr().err == "lintel doctor: unknown option '--jsn'; did you mean '--json'?\n"
    assert run(["doctor", "--root", "/nonexistent"]) == 1
    assert "--root: /nonexistent is no folder" in capsys.readouterr().err


def test_nothing_is_left_behind_in_the_state_directory_and_nothing_else_is_touched(tree: Tree, doctor: Doctor) -> None:
    before = {path: path.lstat().st_mtime_ns for path in tree.root.rglob("*")}
    doctor()
    after = {path: path.lstat().st_mtime_ns for path in tree.root.rglob("*")}
    state = tree.root / "var/lib/lintel"
    assert list(state.iterdir()) == []
    before.pop(state), after.pop(state)
    assert after == before


def test_a_medium_is_judged_by_its_time_to_keep_what_was_written() -> None:
    state = Path("/var/lib/lintel")
    grades = [judged(s, state).grade for s in (SLOW_S / 10, SLOW_S * 2, TOO_SLOW_S * 2)]
    assert grades == [Grade.OK, Grade.NOTE, Grade.BAD]


def test_a_full_medium_is_bad_before_anything_fails(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs

    def full(path: Any) -> os.statvfs_result:
        found = list(real(path))
        found[3] = found[4] = 10_000_000 // found[1]  # free blocks: 10 MB
        return os.statvfs_result(found)

    monkeypatch.setattr("firmware.doctor.storage.os.statvfs", full)
    monkeypatch.setattr("firmware.doctor.storage.SLOW_S", inf)  # this machine's own medium may be slow
    monkeypatch.setattr("firmware.doctor.storage.TOO_SLOW_S", inf)
    found = [each for each in check_storage(Machine(tree.root), Path("/var/lib/lintel"), SystemClock()) if each.mend]
    assert [(each.grade, each.text.partition(" MB")[2]) for each in found] == [(Grade.BAD, " free at /var/lib/lintel")]
