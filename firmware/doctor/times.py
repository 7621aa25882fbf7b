"""The clock: whether it is set by a time server, and whether it survives a power cut."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from firmware.doctor.finding import Finding, bad, note, ok
from firmware.doctor.machine import Machine

CHECK = "clock"
# systemd-timesyncd leaves this behind once it has set the clock.
SYNCHRONIZED = "run/systemd/timesync/synchronized"
TIME_ERROR = 5  # what adjtimex(2) answers while nobody disciplines the clock
TIMEX_BYTES = 256  # struct timex is 208 bytes; all zero asks and changes nothing


def check_clock(machine: Machine) -> Iterator[Finding]:
    """Synchronised? Battery?"""
    if _synchronised(machine):
        yield ok(CHECK, "set by a time server")
    else:
        text = "no time server has set it: limited entries and schedules are refused until one has"
        yield bad(CHECK, text, "sudo timedatectl set-ntp true")
    clocks = sorted(path.parent.name for path in machine.path("sys/class/rtc").glob("rtc*/name"))
    if clocks:
        yield ok(CHECK, f"a battery clock, {clocks[0]}")
    else:
        text = "no battery clock: after a power cut the time is unknown until a time server answers"
        yield note(CHECK, text, "echo dtoverlay=i2c-rtc,ds3231 | sudo tee -a /boot/firmware/config.txt && sudo reboot")


def _synchronised(machine: Machine) -> bool:
    if machine.path(SYNCHRONIZED).exists():
        return True
    if not machine.alive:
        return False
    asked = ctypes.create_string_buffer(TIMEX_BYTES)
    return int(ctypes.CDLL(None).adjtimex(asked)) not in (TIME_ERROR, -1)
