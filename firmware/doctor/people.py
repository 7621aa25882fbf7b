"""Groups: those that the board's devices belong to, and whether the firmware's user is in them."""

from __future__ import annotations

from collections.abc import Iterator

from firmware.doctor.finding import Finding, bad, ok
from firmware.doctor.machine import RUN_USER, Machine
from hal.board import Board

CHECK = "groups"
# What a kind of bus or node needs; udev/60-lintel.rules and the units give devices to these groups.
GROUP_OF = {"gpio": "gpio", "i2c": "i2c", "uart": "dialout", "csi": "video", "video": "video"}
SOUND = {"audio-out": "audio", "audio-in": "audio"}


def groups_of(board: Board) -> tuple[str, ...]:
    """The groups that a board's devices belong to."""
    kinds = {GROUP_OF[bus.kind] for bus in board.buses.values()}
    return tuple(sorted(kinds | {SOUND[node.compatible] for node in board.nodes.values() if node.compatible in SOUND}))


def check_groups(machine: Machine, board: Board, user: str) -> Iterator[Finding]:
    """The user, the groups, and the one in the others."""
    if user not in machine.users:
        mend = "sudo systemd-sysusers" if user == RUN_USER else f"sudo useradd --create-home {user}"
        yield bad(CHECK, f"there is no user {user}", mend)
    person = machine.person(user)
    for group in groups_of(board):
        if group not in machine.groups:
            yield bad(CHECK, f"there is no group {group}", f"sudo groupadd --system {group}")
        elif user in machine.users and person.uid != 0 and machine.groups[group][0] not in person.gids:
            yield bad(CHECK, f"{user} is not in the group {group}", f"sudo usermod -aG {group} {user}")
        elif user in machine.users:
            yield ok(CHECK, f"{user} has the devices of {group}")
