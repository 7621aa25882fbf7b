"""MCP23017: a port expander of 16 lines, at register level (data sheet DS20001952, section 3).

Line 0 to 7 is port A, 8 to 15 port B. Both register layouts (BANK) work, and byte mode (SEQOP). Pin INTA is
the chip's interrupt line; INTB is not connected, so a driver that wants both ports there sets MIRROR.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hal.sim.chips.base import ChipPeer
from hal.sim.nets import Net, Strength
from hal.sim.peers.base import Place

# Register numbers of port A when BANK is 0; port B is one higher.
IODIR, IPOL, GPINTEN, DEFVAL, INTCON, IOCON, GPPU, INTF, INTCAP, GPIO, OLAT = range(0x00, 0x16, 2)
LAST = 0x15
BANK, MIRROR, SEQOP, ODR, INTPOL = 0x80, 0x40, 0x20, 0x04, 0x02
IOCON_USED = 0xFE
READ_ONLY = frozenset({INTF, INTF + 1, INTCAP, INTCAP + 1})


class Mcp23017(ChipPeer):
    """One expander. `nets` are its sixteen lines, `interrupt` the net at INTA."""

    kind = "expander"

    def __init__(
        self, world: Place, name: str, nets: Sequence[Net], interrupt: Net | None, *, alias: str | None = None
    ) -> None:
        super().__init__(world, name, alias=alias)
        self._copper = world.copper
        self._nets = tuple(nets)
        self._interrupt = interrupt
        self._registers: dict[int, int] = {}
        for line, net in enumerate(self._nets):
            net.listen(partial(self._pin_changed, line))
        self.reset()

    def reset(self) -> None:
        """All lines inputs without pull, as at power on."""
        self._registers = dict.fromkeys(range(LAST + 1), 0)
        self._registers[IODIR] = self._registers[IODIR + 1] = 0xFF
        self._drive_lines()
        self._drive_interrupt()

    def power_changed(self) -> None:
        self.reset()

    # the bus

    def read(self, register: int, length: int) -> bytes:
        at = self._place(register)
        answer = bytearray()
        for _ in range(length):
            answer.append(0 if at is None else self._read(at))
            at = self._after(at)
        return bytes(answer)

    def write(self, register: int, data: bytes) -> None:
        at = self._place(register)
        with self._copper.together():
            for value in data:
                after = self._after(at)
                if at is not None:
                    self._write(at, value)
                at = after

    def _bank(self) -> bool:
        return bool(self._registers[IOCON] & BANK)

    def _place(self, register: int) -> int | None:
        """The register in BANK 0 numbers, or None where there is none."""
        if not self._bank():
            return register if register <= LAST else None
        port, index = divmod(register, 0x10)
        return 2 * index + port if port <= 1 and 2 * index <= LAST else None

    def _after(self, at: int | None) -> int | None:
        if at is None:
            return None
        if self._registers[IOCON] & SEQOP:
            return at if self._bank() else at ^ 1
        if not self._bank():
            return (at + 1) % (LAST + 1)
        return at + 2 if at + 2 <= LAST else at & 1

    def _read(self, at: int) -> int:
        port = at & 1
        register = at - port
        if register == GPIO:
            value = self._port(port)
            self._clear_interrupt(port)
            return value
        value = self._registers[at]
        if register == INTCAP:
            self._clear_interrupt(port)
        return value

    def _write(self, at: int, value: int) -> None:
        port = at & 1
        register = at - port
        if at in READ_ONLY:
            return
        if register == IOCON:
            self._registers[IOCON] = self._registers[IOCON + 1] = value & IOCON_USED
        elif register == GPIO:
            self._registers[OLAT + port] = value
        else:
            self._registers[at] = value
        self._drive_lines()
        if register in (GPINTEN, DEFVAL, INTCON):
            self._compare(port, changed=0)
        self._drive_interrupt()

    # the lines

    def _port(self, port: int) -> int:
        levels = sum(net.level << bit for bit, net in enumerate(self._nets[8 * port : 8 * port + 8]))
        return levels ^ self._registers[IPOL + port]

    def _drive_lines(self) -> None:
        with self._copper.together():
            for line, net in enumerate(self._nets):
                port, bit = divmod(line, 8)
                out = self.place.powered and not self._registers[IODIR + port] >> bit & 1
                net.drive(self.name, bool(self._registers[OLAT + port] >> bit & 1) if out else None)
                pulled = self.place.powered and bool(self._registers[GPPU + port] >> bit & 1)
                net.drive(f"{self.name} pull", True if pulled else None, strength=Strength.CHIP_PULL)

    def _pin_changed(self, line: int, _t_ns: int, _level: bool) -> None:
        port, bit = divmod(line, 8)
        if self.place.powered and self._registers[IODIR + port] >> bit & 1:
            self._compare(port, changed=1 << bit)
            self._drive_interrupt()

    # the interrupt

    def _compare(self, port: int, *, changed: int) -> None:
        """Raise an interrupt for enabled lines that changed, or that differ from DEFVAL where INTCON says so."""
        if self._registers[INTF + port]:
            return  # the first one stands until it is read
        enabled = self._registers[GPINTEN + port] & self._registers[IODIR + port]
        against_default = self._registers[INTCON + port]
        different = (self._port(port) ^ self._registers[DEFVAL + port]) & against_default
        raised = enabled & ((changed & ~against_default) | different)
        if raised:
            self._registers[INTF + port] = raised
            self._registers[INTCAP + port] = self._port(port)

    def _clear_interrupt(self, port: int) -> None:
        self._registers[INTF + port] = 0
        self._compare(port, changed=0)  # a line that still differs from DEFVAL raises it again
        self._drive_interrupt()

    def _drive_interrupt(self) -> None:
        if self._interrupt is None:
            return
        control = self._registers[IOCON]
        raised = self._registers[INTF] or (control & MIRROR and self._registers[INTF + 1])
        level: bool | None
        if not self.place.powered:
            level = None
        elif control & ODR:
            level = False if raised else None
        else:
            level = bool(raised) == bool(control & INTPOL)
        self._interrupt.drive(self.name, level)

    def state(self) -> dict[str, object]:
        """Directions (1 is input) and levels, line 15 first."""
        directions = self._registers[IODIR + 1] << 8 | self._registers[IODIR]
        return {"inputs": f"{directions:016b}", "levels": f"{self._port(1) << 8 | self._port(0):016b}"}
