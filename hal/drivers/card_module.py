"""A built-in reader of chips on a serial port, with its keypad: port `ChipReader` over `card_lines`.

The module reads a card once each time it is put to it. After a restart of its own it says READY and is told its
reads again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from hal.drivers.card_lines import LONGEST, Card, Complaint, Garbled, Lines, Pressed, Ready, Said, line, read_line
from hal.errors import BusError, OutOfRange
from hal.ports import Led, Output
from hal.types import CardChip, Key, ReaderFact, ReaderFault, ReaderTrouble, SecureRead
from hal.wires import Uart

BAUD = 115_200

log = logging.getLogger("hal.drivers")


class CardModule:
    """Port `ChipReader`. It owns its serial port and closes it."""

    def __init__(self, name: str, uart: Uart, *, keypad: bool) -> None:
        self._name = name
        self._uart = uart
        self._keypad = keypad
        self._lines = Lines()
        self._reads: tuple[SecureRead, ...] = ()
        self._handler: Callable[[ReaderFact], None] | None = None
        self._open = True
        uart.receive(self._arrived)
        self._tell_reads()

    @property
    def name(self) -> str:
        return self._name

    @property
    def led(self) -> Led | None:
        return None

    @property
    def beeper(self) -> Output | None:
        return None

    def watch(self, handler: Callable[[ReaderFact], None] | None) -> None:
        """Report cards, keys and garbled lines."""
        self._handler = handler

    def read_also(self, reads: Sequence[SecureRead]) -> None:
        """Read these from every card of their chip type. Raises OutOfRange for too long a line, BusError."""
        for read in reads:
            if len(read_line(read)) > LONGEST:
                raise OutOfRange(self._name, f"read {read.name!r} is too long")
        self._reads = tuple(reads)
        self._send()

    def close(self) -> None:
        """Give the port back; closing twice is harmless."""
        if self._open:
            self._open = False
            self._handler = None
            self._uart.receive(None)
            self._uart.close()

    def _send(self) -> None:
        self._uart.write(b"".join([line("CLEAR"), *map(read_line, self._reads)]))

    def _tell_reads(self) -> None:
        """As far as the port takes them: a module that is away is told when it comes back."""
        try:
            self._send()
        except BusError as error:
            log.error("%s: the card module cannot be told what to read: %s", self._name, error)

    def _arrived(self, t_ns: int, data: bytes) -> None:
        for said in self._lines.feed(data):
            self._said(t_ns, said)

    def _said(self, t_ns: int, said: Said) -> None:
        match said:
            case Card():
                card = CardChip(t_ns=t_ns, reader=self._name, chip=said.chip, csn=said.csn, data=said.data)
                self._tell(card)
            case Pressed():
                if self._keypad:
                    self._tell(Key(t_ns, self._name, said.key))
            case Ready():
                log.info("%s: card module %s %s has started", self._name, said.name, said.version)
                self._tell_reads()
            case Complaint():
                log.error("%s: the card module says: %s", self._name, said.text)
            case Garbled():
                self._tell(ReaderFault(t_ns, self._name, ReaderTrouble.GARBLED, 8 * said.size))

    def _tell(self, fact: ReaderFact) -> None:
        if self._handler is not None:
            self._handler(fact)
