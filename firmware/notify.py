"""Saying "ready" to whoever started this process: the sd_notify protocol, one datagram.

The board process of a simulation listens on the same protocol as systemd, so a role has one way to
report on a laptop and on a board (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket

# Asks the board process of a simulation for a restart of the whole device; a real one asks systemd.
RESTART = "LINTEL_RESTART"


def notify(**fields: str | int) -> None:
    """Send `FIELD=value` lines to NOTIFY_SOCKET; does nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    text = "\n".join(f"{name}={value}" for name, value in fields.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect(address)
            sender.sendall(text.encode())
        except (ConnectionError, FileNotFoundError):
            return  # whoever waited is gone; this process will learn it by other means


def parse(datagram: bytes) -> dict[str, str]:
    """The fields of one datagram; lines without `=` are passed over."""
    lines = datagram.decode(errors="replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
