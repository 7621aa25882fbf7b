"""A serial reader's light and beeper: what they shall do holds for as long as it is wished, whatever the link does.

A wish is sent when it changes and again whenever the reader has come back; while one is under way, only the newest
of those behind it is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from hal.clock import Clock
from hal.errors import HalError, OutOfRange, nearest
from hal.osdp.commands import (
    PERMANENT_SET,
    TEMPORARY_CANCEL,
    TONE_DEFAULT,
    TONE_OFF,
    Buz,
    Led,
    LedColour,
    LedPermanent,
    LedRecord,
    LedTemporary,
)
from hal.osdp.facts import Finished, Outcome
from hal.osdp.payload import Payload
from hal.ports import OutputChange
from hal.types import OFF, Colour, Pattern

log = logging.getLogger("hal.drivers")

CODES = {
    Colour.OFF: LedColour.OFF,
    Colour.RED: LedColour.RED,
    Colour.GREEN: LedColour.GREEN,
    Colour.AMBER: LedColour.AMBER,
    Colour.BLUE: LedColour.BLUE,
    Colour.WHITE: LedColour.WHITE,
}
# Times on the wire are one byte of tenths of a second.
TENTH_MS = 100
LONGEST_TENTHS = 255

SOUND = Buz(tone=TONE_DEFAULT, on_ds=10, off_ds=0, count=0)
SILENCE = Buz(tone=TONE_OFF, on_ds=0, off_ds=0, count=0)


def tenths(ms: int) -> int:
    """A duration as the wire holds it: at least 1 tenth of a second, at most 25.5 s."""
    return min(LONGEST_TENTHS, max(1, (ms + TENTH_MS // 2) // TENTH_MS))


def led_command(pattern: Pattern) -> Led:
    """The command that shows a pattern of one or two steps until told otherwise, and ends a temporary one."""
    first, last = pattern.steps[0], pattern.steps[-1]
    on, off = CODES[first.colour], CODES[last.colour]
    steady = on == off
    part = LedPermanent(
        PERMANENT_SET, 1 if steady else tenths(first.for_ms), 0 if steady else tenths(last.for_ms), on, off
    )
    return Led((LedRecord(temporary=LedTemporary(TEMPORARY_CANCEL), permanent=part),))


class Ask(Protocol):
    """Sends a command to the reader; `done` is told how it ended. Raises HalError when it cannot be sent now."""

    def __call__(self, command: Payload, done: Callable[[Finished], None]) -> None:
        """Send."""


class Wish:
    """One thing that shall be so at the reader. It is unknown there until a command about it is done."""

    def __init__(self, name: str, ask: Ask, command: Payload) -> None:
        self._name = name
        self._ask = ask
        self._wanted = command
        self._known: Payload | None = None
        self._sent: Payload | None = None
        self._online = False
        self._refused: Payload | None = None

    def want(self, command: Payload) -> None:
        """This from now on."""
        self._wanted = command
        self._refused = None
        self._send()

    def online(self, online: bool) -> None:
        """The reader came, or went: what it shows then is its own affair, so it is told again."""
        self._online = online
        self._known = self._refused = None
        if online:
            self._send()

    def _send(self) -> None:
        if not self._online or self._sent is not None or self._wanted in (self._known, self._refused):
            return
        self._sent = self._wanted
        try:
            self._ask(self._wanted, self._ended)
        except HalError as error:
            self._sent = None
            log.info("%s: cannot be told now, tried again later: %s", self._name, error)

    def again(self) -> None:
        """Called now and then: what could not be sent, or was lost on the way, is sent again."""
        self._send()

    def _ended(self, fact: Finished) -> None:
        sent, self._sent = self._sent, None
        if fact.outcome is Outcome.DONE:
            self._known = sent
        elif fact.outcome is Outcome.REFUSED:
            self._refused = sent
            log.warning("%s: the reader refuses it: %s", self._name, fact.reason)
        if fact.outcome is not Outcome.LOST:
            self._send()


class OsdpLight:
    """Port `Led` of a serial reader: steady, or two colours in turn in tenths of a second, kept by the reader."""

    def __init__(self, name: str, ask: Ask) -> None:
        self._name = name
        self._pattern = OFF
        self._wish = Wish(name, ask, led_command(OFF))

    @property
    def name(self) -> str:
        return self._name

    @property
    def colours(self) -> frozenset[Colour]:
        return frozenset(CODES)

    def show(self, pattern: Pattern) -> None:
        """Start a pattern now, or as soon as the reader is there.

        Raises OutOfRange for a colour no reader has, or a pattern of more than two steps.
        """
        self._check(pattern)
        self._pattern = pattern
        self._wish.want(led_command(pattern))

    def _check(self, pattern: Pattern) -> None:
        for step in pattern.steps:
            if step.colour not in CODES:
                hint = nearest(step.colour.value, [colour.value for colour in CODES])
                raise OutOfRange(self._name, f"cannot show {step.colour.value!r}{hint}")
        if not 1 <= len(pattern.steps) <= 2:
            raise OutOfRange(self._name, f"pattern {str(pattern)!r}; a reader shows at most two colours in turn")

    def shown(self) -> Pattern:
        return self._pattern

    def online(self, online: bool) -> None:
        """The reader came, or went."""
        self._wish.online(online)

    def again(self) -> None:
        """Called now and then."""
        self._wish.again()


class OsdpBeeper:
    """Port `Output`: a serial reader's buzzer, sounding until told otherwise."""

    def __init__(self, name: str, ask: Ask, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._on = False
        self._wish = Wish(name, ask, SILENCE)
        self._handler: Callable[[OutputChange], None] | None = None

    @property
    def name(self) -> str:
        return self._name

    def on(self) -> None:
        """Sound."""
        self._switch(True, "command")

    def off(self) -> None:
        """Be silent."""
        self._switch(False, "command")

    def is_on(self) -> bool:
        return self._on

    def watch(self, handler: Callable[[OutputChange], None] | None) -> None:
        self._handler = handler

    def close(self) -> None:
        """Be silent, if the reader can still be told."""
        self._switch(False, "closing")

    def _switch(self, on: bool, reason: str) -> None:
        if on == self._on:
            return
        self._on = on
        self._wish.want(SOUND if on else SILENCE)
        if self._handler is not None:
            self._handler(OutputChange(self._clock.now_ns(), on, reason))

    def online(self, online: bool) -> None:
        """The reader came, or went."""
        self._wish.online(online)

    def again(self) -> None:
        """Called now and then."""
        self._wish.again()
