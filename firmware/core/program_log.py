"""Warnings and errors of the program's own log as facts, so that the system log of the device has those of all roles.

Bounded: a burst goes through, a flood becomes its newest messages. Standard error has all of them as before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from firmware.core.bus import Bus
from firmware.core.pace import Pace
from firmware.core.vocabulary.logs import ProgramMessage, Severity
from hal.clock import Clock

MAX_CHARS = 400
SEVERITIES = (
    (logging.CRITICAL, Severity.CRITICAL),
    (logging.ERROR, Severity.ERROR),
    (logging.WARNING, Severity.WARNING),
)


class _Teller(logging.Handler):
    """Publishes records on a bus, from whichever thread they come."""

    def __init__(self, bus: Bus, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.WARNING)
        self._bus = bus
        self._loop = loop
        self.pace: Pace[ProgramMessage] = Pace(clock, bus.publish)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one record."""
        severity = next(grave for level, grave in SEVERITIES if record.levelno >= level)
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        told = ProgramMessage(role=self._bus.role, severity=severity, source=record.name, text=text[:MAX_CHARS])
        try:
            self._loop.call_soon_threadsafe(self.pace.put, f"{record.name} {record.msg}", told)
        except RuntimeError:
            return  # the loop has ended; standard error has the message


@contextmanager
def program_log(bus: Bus, clock: Clock) -> Iterator[None]:
    """Tell what the program says while the block runs; of several roles in one process the first one does."""
    root = logging.getLogger()
    if any(isinstance(each, _Teller) for each in root.handlers):
        yield
        return
    teller = _Teller(bus, clock, asyncio.get_running_loop())
    root.addHandler(teller)
    try:
        yield
    finally:
        root.removeHandler(teller)
        teller.pace.close()
