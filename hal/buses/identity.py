"""Who this machine is: the processor's serial number and the MAC address of its first wired network port.

Sources: the device tree (or /proc/cpuinfo on older kernels) and /sys/class/net.
"""

from __future__ import annotations

import re
from pathlib import Path

from hal.errors import BusError
from hal.types import ChipIdentity

ETHERNET = "1"  # ARPHRD_ETHER in /sys/class/net/*/type


def read_identity(root: Path = Path("/")) -> ChipIdentity:
    """The identity burnt into the hardware. Raises BusError when the machine has none."""
    return ChipIdentity(serial=_mac(root), chip_id=_chip_id(root))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip("\0 \n")
    except OSError:
        # Absent on most machines (and unreadable for a link that is down): the next source is asked.
        return ""


def _chip_id(root: Path) -> str:
    chip_id = _text(root / "proc/device-tree/serial-number")
    if not chip_id:
        found = re.search(r"^Serial\s*:\s*(\S+)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
        chip_id = found[1] if found else ""
    if not chip_id.strip("0"):
        raise BusError(
            "identity",
            "no processor serial number in /proc/device-tree/serial-number or the Serial line of /proc/cpuinfo",
        )
    return chip_id


def _mac(root: Path) -> str:
    ports = root / "sys/class/net"
    for port in sorted(ports.iterdir()) if ports.is_dir() else ():
        wired = (port / "device").exists() and not (port / "wireless").exists() and not (port / "phy80211").exists()
        mac = _text(port / "address").replace(":", "").upper()
        if wired and _text(port / "type") == ETHERNET and re.fullmatch(r"[0-9A-F]{12}", mac) and mac.strip("0"):
            return mac
    raise BusError("identity", "no wired network port with a MAC address in /sys/class/net")
