"""The header lines that every answer has: looked up when one is made, so that no clock has to tick for them."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import format_datetime
from typing import Any

from hal.clock import Clock

DATE_NS = 1_000_000_000  # a date has seconds


class Standing(list[tuple[bytes, bytes]]):
    """The date, right to the second before, as the list that uvicorn adds to the lines of an answer.

    It is looked up for who goes through the list or adds lines behind it; nothing else about it is up to date.
    A device that does not know the time says none (RFC 9110, 6.6.1).
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._again_ns = 0

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        self._look()
        return super().__iter__()

    def __add__(self, others: list[Any]) -> list[Any]:
        self._look()
        return super().__add__(others)

    def _look(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns < self._again_ns:
            return
        self._again_ns = now_ns + DATE_NS
        date = format_datetime(self._clock.utc(), usegmt=True) if self._clock.trusted() else ""
        self[:] = [(b"date", date.encode())] if date else []
