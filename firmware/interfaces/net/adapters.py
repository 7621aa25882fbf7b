"""The network adapters of this machine with their addresses, read from the kernel."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path

# ioctl(2) requests of netdevice(7).
SIOCGIFADDR = 0x8915
SIOCGIFNETMASK = 0x891B
SYS = Path("/sys/class/net")
IF_INET6 = Path("/proc/self/net/if_inet6")
NOT_YET = 0x40 | 0x08  # IFA_F_TENTATIVE and IFA_F_DADFAILED of linux/if_addr.h: nobody can be spoken to from there
ROUTES = Path("/proc/self/net/route")
RESOLV = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One adapter: `mac` is 12 hex digits in upper case, empty where there is none; `up` tells its link."""

    name: str
    mac: str
    up: bool
    ipv4: tuple[IPv4Interface, ...]
    ipv6: tuple[IPv6Interface, ...]

    @property
    def loopback(self) -> bool:
        """Whether it leads nowhere."""
        return any(address.ip.is_loopback for address in self.ipv4) or self.name == "lo"


def names() -> tuple[str, ...]:
    """The names of all adapters, in the kernel's order; from its files, for this role may open no netlink socket."""
    try:
        found = os.listdir(SYS)
    except OSError:
        return ()
    # An adapter that has just gone has no index any more.
    indices = {name: _text(SYS / name / "ifindex") for name in found}
    return tuple(sorted((name for name, index in indices.items() if index), key=lambda name: int(indices[name])))


def adapters() -> tuple[Adapter, ...]:
    """All adapters, in the kernel's order. What cannot be read is left out."""
    six = _ipv6()
    found = []
    for name in names():
        found.append(
            Adapter(
                name=name,
                mac=_text(SYS / name / "address").replace(":", "").upper(),
                up=_text(SYS / name / "operstate") in ("up", "unknown"),
                ipv4=_ipv4(name),
                ipv6=tuple(six.get(name, ())),
            )
        )
    return tuple(found)


def default_router() -> str:
    """The IPv4 default router; empty when there is none."""
    for line in _text(ROUTES).splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[1] == "00000000" and int(fields[3], 16) & 2:
            return str(IPv4Address(struct.pack("<I", int(fields[2], 16))))
    return ""


def name_servers() -> tuple[str, ...]:
    """The name servers that the system asks, in their order."""
    lines = (line.split() for line in _text(RESOLV).splitlines())
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _ipv4(name: str) -> tuple[IPv4Interface, ...]:
    request = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            address, mask = (
                fcntl.ioctl(asking.fileno(), what, request)[20:24] for what in (SIOCGIFADDR, SIOCGIFNETMASK)
            )
        except OSError:
            return ()  # an adapter without an address
    return (IPv4Interface(f"{socket.inet_ntoa(address)}/{socket.inet_ntoa(mask)}"),)


def _ipv6() -> dict[str, list[IPv6Interface]]:
    found: dict[str, list[IPv6Interface]] = {}
    for line in _text(IF_INET6).splitlines():
        digits, _, prefix, _, flags, name = line.split()
        if int(flags, 16) & NOT_YET:
            continue
        address = IPv6Interface((bytes.fromhex(digits), int(prefix, 16)))
        found.setdefault(name, []).append(address)
    return found
