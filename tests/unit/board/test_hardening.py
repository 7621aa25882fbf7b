"""How exposed the units are, in the words and numbers of systemd itself; and what may talk to RAUC."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from hal.board import BOARDS
from tools.package.system_files import MERGED, MOUNT_POINTS, PLACES, ROOT, lay_out

SYSTEMD = BOARDS.parent / "systemd"
# The highest exposure each may have: systemd-analyze security, 0 (none) to 10.
HIGHEST = {"control": 1.0, "media": 1.0, "network": 1.0, "trace@": 1.1}


def exposure(path: Path) -> float:
    """The overall exposure of a unit file."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    return float(found[1])


@pytest.mark.parametrize("role", HIGHEST)
def test_a_unit_is_no_more_exposed_than_it_may_be(role: str, tmp_path: Path) -> None:
    name = f"lintel-{role}.service"
    text = (SYSTEMD / name).read_text().replace("/usr/bin/lintel", "/bin/true")
    (tmp_path / name).write_text(text)
    assert exposure(tmp_path / name) <= HIGHEST[role]
    (tmp_path / name).write_text(text.replace("SystemCallFilter=@system-service\n", ""))
    assert exposure(tmp_path / name) > HIGHEST[role], "a lost setting would not be noticed"


def test_what_control_leaves_behind_is_put_at_rest_by_a_command_that_ends_before_systemd_ends_it() -> None:
    from firmware.cli.main import COMMANDS
    from firmware.cli.safe_outputs import PATIENCE_S

    text = (SYSTEMD / "lintel-control.service").read_text()
    found = re.search(r"^ExecStopPost=-/usr/bin/lintel (\S+) --board \$\{LINTEL_BOARD\}$", text, re.MULTILINE)
    assert found is not None
    assert found[1] in COMMANDS
    stop = re.search(r"^TimeoutStopSec=(\d+)s$", text, re.MULTILINE)
    assert stop is not None
    assert float(stop[1]) > PATIENCE_S


def test_everything_below_systemd_udev_and_dbus_has_a_place_on_a_device() -> None:
    checkout = BOARDS.parent
    found = {str(path.relative_to(checkout)) for folder in ("systemd", "udev", "dbus") for path in files_of(folder)}
    assert found == set(PLACES)


def files_of(folder: str) -> list[Path]:
    """Every file below a folder of the checkout."""
    return [path for path in (BOARDS.parent / folder).rglob("*") if path.is_file()]


def test_the_network_role_finds_a_place_for_everything_that_is_mounted_into_its_root(tmp_path: Path) -> None:
    lay_out(tmp_path)
    text = (SYSTEMD / "lintel-network.service").read_text()
    assert f"RootDirectory=/{ROOT}\n" in text
    bound = re.search(r"^BindReadOnlyPaths=(.*)$", text, re.MULTILINE)
    assert bound is not None
    names = {name.lstrip("-/") for name in bound[1].split()} | {"var/lib/lintel", "run/lintel", "proc", "sys", "dev"}
    assert names <= set(MOUNT_POINTS)
    assert {path.name for path in (tmp_path / ROOT).iterdir() if path.is_symlink()} == set(MERGED)


def test_only_root_and_the_firmware_may_talk_to_rauc() -> None:
    policy = ElementTree.parse(BOARDS.parent / "dbus" / "lintel-rauc.conf").getroot()
    found = [
        (group.get("context") or group.get("user"), rule.tag, rule.get("send_destination") or rule.get("own"))
        for group in policy
        for rule in group
    ]
    rauc = "de.pengutronix.rauc"
    assert found == [
        ("default", "deny", rauc),
        ("root", "allow", rauc),
        ("root", "allow", rauc),
        ("lintel", "allow", rauc),
    ]
