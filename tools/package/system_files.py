"""Where the files of this checkout that belong to the system lie on a device: units, rules, users, policies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = "usr/lib/lintel"
# What the network role sees as the root of all files (systemd/lintel-network.service): nothing but places to mount.
ROOT = f"{HOME}/root"
MOUNT_POINTS = (
    *("dev", "etc", "proc", "sys", "tmp", "usr", "var/tmp", "var/lib/lintel"),
    *("run/dbus", "run/lintel", "run/systemd/resolve"),
)
# Where the program of the running slot is mounted (systemd/mount-slot).
SLOT = f"{HOME}/slot"
MERGED = ("bin", "lib", "lib64", "sbin")
UNITS = "usr/lib/systemd/system"
PLACES = {
    "systemd/lintel-control.service": UNITS,
    "systemd/lintel-media.service": UNITS,
    "systemd/lintel-network.service": UNITS,
    "systemd/lintel-deadman.service": UNITS,
    "systemd/lintel-deadman.timer": UNITS,
    "systemd/lintel-restart.path": UNITS,
    "systemd/lintel-links.socket": UNITS,
    "systemd/lintel-slot.service": UNITS,
    "systemd/lintel-trace.socket": UNITS,
    "systemd/lintel-trace@.service": UNITS,
    "systemd/lintel-restart.service": UNITS,
    "systemd/sysusers.d/lintel.conf": "usr/lib/sysusers.d",
    "systemd/tmpfiles.d/lintel.conf": "usr/lib/tmpfiles.d",
    "systemd/sysctl.d/lintel.conf": "usr/lib/sysctl.d",
    "systemd/system.conf.d/lintel.conf": "usr/lib/systemd/system.conf.d",
    "systemd/deadman": HOME,
    "systemd/mount-slot": HOME,
    "systemd/board.conf": "etc/lintel",
    "udev/60-lintel.rules": "usr/lib/udev/rules.d",
    "udev/61-lintel-adapters.rules": "usr/lib/udev/rules.d",
    "udev/61-lintel-slots.rules": "usr/lib/udev/rules.d",
    "systemd/polkit/50-lintel.rules": "usr/share/polkit-1/rules.d",
    "dbus/lintel-rauc.conf": "etc/dbus-1/system.d",
}


def lay_out(root: Path) -> None:
    """Copy them to their places below `root`, readable by all."""
    for source, folder in PLACES.items():
        target = root / folder / Path(source).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / source, target)
        target.chmod(0o755 if os.access(CHECKOUT / source, os.X_OK) else 0o644)
    for name in MOUNT_POINTS:
        (root / ROOT / name).mkdir(parents=True, exist_ok=True)
    (root / SLOT).mkdir(exist_ok=True)
    for name in MERGED:
        (root / ROOT / name).symlink_to(f"usr/{name}")
