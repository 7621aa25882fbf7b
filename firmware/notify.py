"""Saying "ready" to whoever started this process: the sd_notify protocol, one datagram.

The board process of a simulation listens on the same protocol as systemd, so a role has one way to
report on a laptop and on a board (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

# Asks the board process of a simulation for a restart of the whole device; a real one asks systemd.
RESTART = "LINTEL_RESTART"


def notify(**fields: str | int) -> None:
    """Send `FIELD=value` lines to NOTIFY_SOCKET; does nothing where nobody listens."""
    _send(fields, waits=True)


def feed_watchdog() -> None:
    """Say WATCHDOG=1, or nothing at all to a supervisor that is behind with reading: the caller decides on cards."""
    _send({"WATCHDOG": 1}, waits=False)


def _send(fields: Mapping[str, str | int], *, waits: bool) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    text = "\n".join(f"{name}={value}" for name, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(waits)
        try:
            sender.connect(address)
            sender.sendall(text.encode())
        except (ConnectionError, FileNotFoundError, BlockingIOError):
            return  # whoever waited is gone; this process will learn it by other means


def watchdog_s() -> float | None:
    """How often the supervisor wants to hear WATCHDOG=1 from this process, in seconds; None when it does not.

    Source: sd_watchdog_enabled(3).
    """
    wanted, whose = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(wanted) / 1e6 if wanted.isdigit() and int(wanted) and whose == str(os.getpid()) else None


def parse(datagram: bytes) -> dict[str, str]:
    """The fields of one datagram; lines without `=` are passed over."""
    lines = datagram.decode(errors="replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
