"""libosdp 3.2.9 as a panel or as a reader on a pty, told what to do by lines of JSON and telling what it sees.

Run in a virtual environment of its own: `libosdp_peer.py cp|pd PTY HEX_KEY|- [install] [enforce] [shipped]`. It is
refreshed when bytes come and every millisecond, or, `shipped`, by its own thread every 20 ms. Its channel hands over
whole frames only (it throws partial ones away), and its command handler gives back the reference to None that it
steals.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import sys
import time
import tty
from contextlib import suppress

import osdp
from osdp import CardFormat, Channel, Command, Event, LibFlag, LogLevel, PDCapabilities, PDInfo

TURN_S = 0.001
CAPABILITIES = [
    (osdp.Capability.OutputControl, 1, 2),
    (osdp.Capability.LEDControl, 1, 1),
    (osdp.Capability.AudibleControl, 1, 1),
    (osdp.Capability.TextOutput, 1, 1),
]


def say(**words: object) -> None:
    """One line to whoever started us."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class Line(Channel):
    """A pty, framed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)
        self.id = self.fd
        self.buffer = b""

    def fill(self) -> None:
        with suppress(BlockingIOError):
            self.buffer += os.read(self.fd, 4096)

    def read(self, max_bytes: int) -> bytes:
        self.fill()
        start = self.buffer.find(b"\x53")
        self.buffer = b"" if start < 0 else self.buffer[start:]
        if len(self.buffer) < 5:
            return b""
        length = int.from_bytes(self.buffer[2:4], "little")
        if not 7 <= length <= max_bytes:
            self.buffer = self.buffer[1:]
            return b""
        if len(self.buffer) < length:
            return b""
        frame, self.buffer = self.buffer[:length], self.buffer[length:]
        return frame

    def write(self, buf: bytes) -> int:
        return os.write(self.fd, bytes(buf))

    def flush(self) -> None:
        pass


def readable(found: dict) -> dict:
    """A dict that JSON can carry."""
    return {key: value.hex() if isinstance(value, bytes | bytearray) else value for key, value in found.items()}


def card(bits: str) -> dict:
    """A card event."""
    size = (len(bits) + 7) // 8
    data = (int(bits, 2) << (size * 8 - len(bits))).to_bytes(size, "big")
    form = CardFormat.Wiegand
    return {"event": Event.CardRead, "reader_no": 0, "direction": 0, "format": form, "length": len(bits), "data": data}


def led(colour: int) -> dict:
    """A permanent colour."""
    return {
        "command": Command.LED,
        "reader": 0,
        "led_number": 0,
        "control_code": 1,
        "on_count": 1,
        "off_count": 0,
        "on_color": colour,
        "off_color": 0,
        "timer_count": 0,
        "temporary": False,
    }


def main(role: str, path: str, key: str, *flags: str) -> None:
    line = Line(path)
    scbk = None if key == "-" else bytes.fromhex(key)
    wanted = [LibFlag.InstallMode] if "install" in flags else []
    if "enforce" in flags:
        wanted.append(LibFlag.EnforceSecure)
    info = PDInfo(0, line, scbk=scbk, flags=wanted)
    if role == "pd":
        peer = osdp.PeripheralDevice(info, PDCapabilities(CAPABILITIES), log_level=LogLevel.Error)

        def commanded(command: dict) -> tuple[int, None]:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
            say(command=readable(command))
            return 0, None

        peer.ctx.set_command_callback(commanded)
    else:
        peer = osdp.ControlPanel([info], log_level=LogLevel.Error)

        def happened(pd: int, event: dict) -> int:
            say(event=readable(event), t=time.monotonic_ns())
            return 0

        peer.ctx.set_event_callback(happened)
    say(ready=True)
    if "shipped" in flags:
        peer.start()
    try:
        serve(peer, role, line, shipped="shipped" in flags)
    finally:
        if "shipped" in flags:
            peer.stop()


def state(peer: object, role: str) -> tuple[bool, bool]:
    """Online, and secure."""
    if role == "cp":
        return bool(peer.ctx.status() & 1), bool(peer.ctx.sc_status() & 1)
    return bool(peer.ctx.is_online()), bool(peer.ctx.is_sc_active())


def serve(peer: object, role: str, line: Line, *, shipped: bool) -> None:
    """Refresh when bytes or orders come, and every millisecond; ends with the standard input."""
    watched = [sys.stdin] if shipped else [line.fd, sys.stdin]
    before = None
    orders = b""
    while True:
        ready, _, _ = select.select(watched, [], [], TURN_S)
        if sys.stdin in ready:
            read = os.read(sys.stdin.fileno(), 4096)
            if not read:
                return
            orders += read
            *whole, orders = orders.split(b"\n")
            for order in whole:
                obey(peer, json.loads(order))
        if not shipped:
            for _ in range(3 if line.fd in ready else 1):  # one to hear, one to answer
                peer.ctx.refresh()
        now = state(peer, role)
        if now != before:
            before = now
            say(online=now[0], secure=now[1])


def obey(peer: object, order: dict) -> None:
    """Do what a line says."""
    if "card" in order:
        submitted_ns = time.monotonic_ns()
        peer.ctx.submit_event(card(order["card"]))
        say(submitted=submitted_ns)
    if "keys" in order:
        peer.ctx.submit_event({"event": Event.KeyPress, "reader_no": 0, "data": order["keys"].encode()})
    if "led" in order:
        peer.ctx.submit_command(0, led(order["led"]))
    if "keyset" in order:
        peer.ctx.submit_command(0, {"command": Command.Keyset, "type": 1, "data": bytes.fromhex(order["keyset"])})


if __name__ == "__main__":
    main(*sys.argv[1:])
