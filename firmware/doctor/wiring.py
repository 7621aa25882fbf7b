"""Wiring: the board's GPIO lines exist and are nobody else's, and its chips answer on I2C. Nothing is driven.

Lines are asked about, not requested. Of each chip one register is read that no reading changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from firmware.doctor.finding import Finding, bad, note, ok
from firmware.doctor.machine import Machine
from hal.board import Board, GpioBus, I2cBus
from hal.board.ways import ways_of

CHECK = "wiring"
OURS = "lintel:"
# The register of each chip that is read: configuration, direction, identity. Reading them changes nothing.
HARMLESS = {"ads1115": 0x01, "mcp23017": 0x00, "lis3dh": 0x0F, "opt3001": 0x7E}


def check_wiring(machine: Machine, board: Board) -> Iterator[Finding]:
    """Lines and chips; only a living machine has any."""
    if not machine.alive:
        return
    for name, bus in board.buses.items():
        if isinstance(bus, GpioBus) and os.access(bus.chip, os.R_OK | os.W_OK):
            yield from _lines(machine, board, name, bus)
        elif isinstance(bus, I2cBus) and os.access(bus.device, os.R_OK | os.W_OK):
            yield from _chips(board, name, bus)


def _lines(machine: Machine, board: Board, name: str, bus: GpioBus) -> Iterator[Finding]:
    import gpiod

    used = {line: owner for line, owner in ways_of(board).items() if line.bus == name}
    taken, held = 0, 0
    with gpiod.Chip(bus.chip) as chip:
        count = chip.get_info().num_lines
        for line, (node, field, way) in sorted(used.items(), key=lambda item: item[0].offset):
            if line.offset >= count:
                text = f"{line} ({node} {field}) does not exist: {bus.chip} has the lines 0 to {count - 1}"
                yield bad(CHECK, text, "lintel explain --board FILE  # and correct the line in that file")
                taken += 1
                continue
            info = chip.get_line_info(line.offset)
            held += info.used
            if info.used and not info.consumer.startswith(OURS) and way != "bus":
                text = f"{line} ({node} {field}) is in use by {info.consumer or 'an unnamed owner'}"
                yield bad(CHECK, text, _let_go(machine))
                taken += 1
    if not taken:
        yield ok(CHECK, f"{len(used)} lines of {name}, {'the firmware has them' if held else 'all free'}")


def _let_go(machine: Machine) -> str:
    """How a line that somebody else has is freed: a program by its end, a driver of the kernel by its overlay."""
    others = [each for each in machine.line_holders() if not each.ours]
    if others:
        return f"sudo kill {others[0].pid}  # {others[0].name}"
    return "sudo dtparam spi=off  # or the driver's own parameter; and in /boot/firmware/config.txt"


def _chips(board: Board, name: str, bus: I2cBus) -> Iterator[Finding]:
    from smbus2 import SMBus

    with SMBus(bus.device) as wire:
        for node, found in board.nodes.items():
            if found.compatible not in HARMLESS or getattr(found, "bus", None) != name:
                continue
            address: int = getattr(found, "address", 0)
            place = f"{found.compatible} at 0x{address:02x} on {name} ({node})"
            try:
                wire.read_byte_data(address, HARMLESS[found.compatible])
            except OSError as error:
                mend = (
                    f"sudo i2cdetect -y {bus.device.rpartition('-')[2]}  # then its supply, SDA, SCL and address pins"
                )
                needed = found.kind in ("adc", "expander")
                text = f"no answer of {place}: {error.strerror or error}"
                yield bad(CHECK, text, mend) if needed else note(CHECK, text, mend)
            else:
                yield ok(CHECK, place)
