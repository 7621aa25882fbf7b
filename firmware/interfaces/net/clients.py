"""Who is connected: the TCP connections of this device's own processes, read from the kernel (proc(5)).

What other programs of the machine have open is not shown. Manual 001, System: Connected clients.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware.core.vocabulary.certificates import HttpState

PROC = Path("/proc")
TABLES = ("self/net/tcp", "self/net/tcp6")  # the rest of /proc is hidden from this role (ProcSubset=pid)
LISTEN = 10
# include/net/tcp_states.h, in the words of ss(8).
STATES = {
    1: "established", 2: "syn_sent", 3: "syn_received", 4: "fin_wait_1", 5: "fin_wait_2", 6: "time_wait", 7: "closed",
    8: "close_wait", 9: "last_ack", LISTEN: "listen", 11: "closing", 12: "syn_received",
}  # fmt: skip
MOST = 1000
ROLE = "--role"


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """One line of the kernel's table; `inode` is 0 when no process has it any more."""

    local: str
    local_port: int
    remote: str
    remote_port: int
    state: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One connection: the far end with its port, the protocol, our port, its state, the process that has it."""

    address: str
    port: int
    protocol: str
    local_port: int
    state: str
    incoming: bool
    role: str
    pid: int


def address_of(digits: str) -> str:
    """An address as the kernel's tables have it: words of 32 bits, each in the machine's own order."""
    words = bytes.fromhex(digits)
    data = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    address = ipaddress.ip_address(data)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def read_table(text: str) -> tuple[Socket, ...]:
    """The sockets of a table; lines that are none are left out."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        try:
            (local, local_port), (remote, remote_port) = (each.split(":") for each in fields[1:3])
            found.append(
                Socket(
                    local=address_of(local), local_port=int(local_port, 16), remote=address_of(remote),
                    remote_port=int(remote_port, 16), state=int(fields[3], 16), inode=int(fields[9]),
                )
            )  # fmt: skip
        except (ValueError, IndexError):
            continue
    return tuple(found)


def connected(
    sockets: Iterable[Socket], owners: Mapping[int, tuple[str, int]], ports: Mapping[int, str]
) -> tuple[Client, ...]:
    """The connections among these sockets that are ours: by their owner, or by the port they came in at.

    `owners` are our processes' sockets by inode, with role and process; `ports` names the protocol of a port of ours.
    """
    sockets = tuple(sockets)
    doors = {each.local_port for each in sockets if each.state == LISTEN and each.inode in owners}
    found = []
    for each in sockets:
        incoming = each.local_port in doors
        # One that is closing has no owner any more: it is ours when it came in at a door of ours.
        if each.state == LISTEN or (each.inode not in owners and (each.inode or not incoming)):
            continue
        role, pid = owners.get(each.inode, ("", 0))
        found.append(
            Client(
                address=each.remote, port=each.remote_port, local_port=each.local_port, incoming=incoming,
                protocol=ports.get(each.local_port, "tcp") if incoming else "tcp",
                state=STATES.get(each.state, str(each.state)), role=role, pid=pid,
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda client: (not client.incoming, client.address, client.port))[:MOST])


def processes(proc: Path = PROC) -> dict[int, str]:
    """The processes of this device with their roles: this one, and those that were started beside it."""
    found = {os.getpid(): _role(proc / str(os.getpid())) or "network"}
    parent = os.getppid()
    for path in proc.iterdir():
        if path.name.isdecimal() and int(path.name) not in found and _parent(path) == parent and (role := _role(path)):
            found[int(path.name)] = role
    return found


def _parent(process: Path) -> int:
    try:
        # After the name, which may hold anything and ends with the last bracket.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0  # gone meanwhile


def _role(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return words[words.index(ROLE) + 1] if ROLE in words[:-1] else ""


def owned(found: Mapping[int, str], proc: Path = PROC) -> dict[int, tuple[str, int]]:
    """The sockets of processes by inode, each with role and process."""
    sockets: dict[int, tuple[str, int]] = {}
    for pid, role in found.items():
        try:
            files = list((proc / str(pid) / "fd").iterdir())
        except OSError:
            continue  # gone meanwhile, or not ours to look into
        for file in files:
            link = _link(file)
            if link.startswith("socket:["):
                sockets[int(link[8:-1])] = (role, pid)
    return sockets


def _link(file: Path) -> str:
    try:
        return os.readlink(file)
    except OSError:
        return ""  # closed meanwhile, such as the one that listed them


def clients(doors: HttpState | None) -> tuple[Client, ...]:
    """Who is connected now. A look at the kernel's files: not for the loop."""
    sockets = [socket for table in TABLES for socket in read_table(_text(PROC / table))]
    return connected(sockets, owned(processes()), ports_of(doors))


def ports_of(doors: HttpState | None) -> dict[int, str]:
    """The protocols of the ports that the device says it answers at."""
    named = {} if doors is None else {"http": doors.http, "https": doors.https}
    return {int(at.rpartition(":")[2]): protocol for protocol, at in named.items() if at}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # a kernel without IPv6
