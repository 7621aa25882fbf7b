"""One reader at work: card bits and keys become attempts, attempts become granted or denied.

Facts wait in a bounded queue and are served one after the other, so a reader's second card is never
decided before its first. Keys are in memory until `#` and in no event and no log.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from firmware.access.decision import Attempt, Decision, decide
from firmware.access.entries import EntryList
from firmware.access.keypad import Keypad, Throttle
from firmware.access.settings import AccessParams
from firmware.core.cards.credential import Credential, Unreadable, read
from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.vocabulary.access import (
    AccessDenied,
    AccessGranted,
    CardRead,
    PinEntered,
    ReaderNoise,
    ReaderState,
    Reason,
)
from hal.clock import Timer
from hal.ports import CardReader
from hal.types import CardBits, Colour, Key, ReaderFact, ReaderFault

QUEUE = 64
NOISE_EVERY_S = 1.0
PIN = "PIN"
NO_CREDENTIALS: tuple[Credential, ...] = ()

log = logging.getLogger("firmware.access")


class Desk:
    """The work of one reader for one door; a reader without a door reports its cards and decides nothing."""

    def __init__(
        self,
        core: Core,
        entries: EntryList,
        reader: CardReader,
        *,
        alias: str,
        door: str,
        keypad: bool,
    ) -> None:
        self._core = core
        self._entries = entries
        self._reader = reader
        self._alias = alias
        self._door = door
        self._has_keypad = keypad
        self._keys = Keypad()
        self._throttle = Throttle()
        self._facts: asyncio.Queue[CardBits | Key] = asyncio.Queue(QUEUE)
        self._discarded = 0
        self._quiet: Timer | None = None
        self._noise: ReaderFault | None = None
        colours = frozenset[Colour]() if reader.led is None else reader.led.colours - {Colour.OFF}
        self._led = " ".join(sorted(colours))

    def open(self) -> None:
        """Say how the reader is and listen to it."""
        self._publish()
        self._reader.watch(self._heard)

    def close(self) -> None:
        """Stop listening."""
        self._reader.watch(None)
        self._keys.clear()
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None

    async def serve(self) -> None:
        """Serve what was heard, one after the other."""
        while True:
            fact = await self._facts.get()
            if isinstance(fact, CardBits):
                await self._card(fact)
            else:
                await self._key(fact)

    def _heard(self, fact: ReaderFact) -> None:
        if isinstance(fact, ReaderFault):
            self._count(fact)
            return
        try:
            self._facts.put_nowait(fact)
        except asyncio.QueueFull:
            log.warning("reader %s is faster than its decisions; something was not served", self._reader.name)
            self._discarded += 1
            self._publish_later()

    # cards

    async def _card(self, fact: CardBits) -> None:
        params = self._core.params.get(AccessParams)
        reading = read(fact.bits, params.formats())
        if isinstance(reading, Unreadable):
            text, fitting, reason = None, NO_CREDENTIALS, reading.reason
        else:
            text, fitting, reason = str(reading.preferred or reading.raw), reading.fitting, ""
        credentials = fitting if reading.raw is None else (*fitting, reading.raw)
        card = self._core.bus.publish(
            CardRead(
                reader=self._reader.name,
                door=self._door,
                bits=fact.bits,
                credential=text,
                fitting=tuple(str(each) for each in fitting),
                reason=reason,
            )
        )
        if not self._door:
            return
        decision = self._decide(Attempt(door=self._door, reader=self._reader.name, at=None, credentials=credentials))
        if decision.reason is Reason.UNKNOWN and reason:
            decision = Decision(False, Reason.UNREADABLE)
        decision = await self._spent(decision, card)
        shown = text or ("" if not credentials else str(credentials[0]))
        self._answer(decision, shown, card)

    # PINs

    async def _key(self, fact: Key) -> None:
        if not self._has_keypad:
            return
        timeout_s = self._core.params.get(AccessParams).pin_timeout_s
        typed = self._keys.press(fact.key, fact.t_ns, timeout_s=timeout_s)
        if typed is None:
            return
        entered = self._core.bus.publish(PinEntered(reader=self._reader.name, door=self._door, digits=typed.digits))
        if not self._door:
            return
        now_ns = self._core.clock.now_ns()
        if self._throttle.closed(now_ns):
            self._answer(Decision(False, Reason.THROTTLED), PIN, entered)
            return
        hashed = b"" if typed.pin is None else self._entries.pin_hash(typed.pin)
        decision = self._decide(Attempt(door=self._door, reader=self._reader.name, at=None, pin=hashed))
        if decision.reason is Reason.UNKNOWN:
            pause_s = self._throttle.failed(now_ns)
            if pause_s:
                log.warning("reader %s refuses PINs for %g s after too many unknown ones", self._reader.name, pause_s)
        decision = await self._spent(decision, entered)
        if decision.granted:
            self._throttle.succeeded()
        self._answer(decision, PIN, entered)

    # both

    def _decide(self, attempt: Attempt) -> Decision:
        clock = self._core.clock
        timed = replace(attempt, at=clock.utc() if clock.trusted() else None)
        return decide(timed, self._entries.index, self._entries.policy())

    async def _spent(self, decision: Decision, cause: Event) -> Decision:
        """The same decision once a limited use is recorded; denied when it could not be."""
        entry = decision.entry
        if not decision.granted or entry is None or entry.uses_left is None:
            return decision
        if await self._entries.spend(entry, cause=cause.id):
            return decision
        return Decision(False, Reason.STORAGE, entry)

    def _answer(self, decision: Decision, credential: str, cause: Event) -> None:
        entry = decision.entry
        if decision.granted and entry is not None:
            fact: Event = AccessGranted(
                door=self._door, reader=self._reader.name, credential=credential, entry=entry.id, holder=entry.name
            )
        else:
            fact = AccessDenied(
                door=self._door,
                reader=self._reader.name,
                credential=credential,
                reason=decision.reason,
                entry="" if entry is None else entry.id,
                holder="" if entry is None else entry.name,
            )
        self._core.bus.publish(fact, cause=cause)

    # noise

    def _count(self, fault: ReaderFault) -> None:
        """Every discarded frame is counted; the first is told at once, a storm once a second."""
        self._discarded += 1
        self._noise = fault
        self._publish_later()

    def _publish_later(self) -> None:
        if self._quiet is None:
            self._tell()
            self._quiet = self._core.clock.call_later(NOISE_EVERY_S, self._second_over, self._discarded)

    def _second_over(self, told: int) -> None:
        self._quiet = None
        if self._discarded > told:
            self._publish_later()

    def _tell(self) -> None:
        fault, self._noise = self._noise, None
        if fault is not None:
            self._core.bus.publish(ReaderNoise(reader=self._reader.name, trouble=fault.trouble.value, bits=fault.bits))
        self._publish()

    def _publish(self) -> None:
        self._core.bus.publish(
            ReaderState(
                reader=self._reader.name,
                alias=self._alias,
                door=self._door,
                keypad=self._has_keypad,
                led=self._led,
                discarded=self._discarded,
            )
        )
