"""One reader at work: card bits and keys become attempts, attempts become granted, denied, or a question forwarded.

Facts wait in a bounded queue and are served one after the other, so a reader's second card is never decided
before its first. Keys are in memory until they are a PIN or a number to call; a PIN is in no event and no log.
What an administrator presents from afar waits in the same queue and goes the same way.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from firmware.access.chips import ChipParams, choose
from firmware.access.decision import Attempt, Decision, decide
from firmware.access.entries import EntryList
from firmware.access.forward import Forwarder
from firmware.access.guard import Guard
from firmware.access.keypad import Keypad, Typed
from firmware.access.latest import LatestCards, SeenCard
from firmware.access.noise import Noise
from firmware.access.oddity import Whereabouts
from firmware.access.patience import Patience
from firmware.access.settings import AccessParams, ReaderMode
from firmware.access.throttle import Throttles
from firmware.access.visit import PIN, Beat, Presented, Visit, forwarded, verdict
from firmware.core.cards.credential import Unreadable, read
from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.vocabulary.access import (
    AccessForwarded,
    By,
    CardRead,
    Guess,
    PinEntered,
    PinWanted,
    QrPresented,
    ReaderState,
    Reason,
)
from firmware.core.vocabulary.controller import ForwardAnswer, ForwardParams, Verdict
from firmware.core.vocabulary.entries import Outcome
from hal.ports import CardReader
from hal.types import CardBits, CardChip, Colour, Key, ReaderFact, ReaderFault

QUEUE = 64
ASKED = (Reason.UNKNOWN, Reason.DISABLED, Reason.UNREADABLE)

log = logging.getLogger("firmware.access")


@dataclass(frozen=True, slots=True)
class Shared:
    """What the desks of one device share."""

    core: Core
    entries: EntryList
    throttles: Throttles
    whereabouts: Whereabouts
    forwarder: Forwarder
    latest: LatestCards


class Desk:
    """The work of one reader for one door; a reader without a door reports its cards and decides nothing."""

    def __init__(self, shared: Shared, reader: CardReader, *, alias: str, door: str, keypad: bool) -> None:
        self._shared = shared
        self._core = shared.core
        self._reader = reader
        self._door = door
        self._alias = alias
        self._has_keypad = keypad
        self._keys = Keypad()
        self._facts: asyncio.Queue[CardBits | CardChip | Key | Presented | Beat] = asyncio.Queue(QUEUE)
        self._beats: list[asyncio.Future[None]] = []
        self._noise = Noise(shared.core, reader.name, self._publish)
        self._guard = Guard(shared.core, shared.throttles, shared.whereabouts, reader=reader.name, door=door)
        self._waiting = Patience(shared.core.clock, self._no_pin_came)
        colours = frozenset[Colour]() if reader.led is None else reader.led.colours - {Colour.OFF}
        self._led = " ".join(sorted(colours))

    @property
    def name(self) -> str:
        """The reader's node."""
        return self._reader.name

    @property
    def names(self) -> tuple[str, str]:
        """What people may call it."""
        return self._reader.name, self._alias

    @property
    def door(self) -> str:
        """The door it serves; empty for none."""
        return self._door

    @property
    def has_keypad(self) -> bool:
        """Whether its keys count."""
        return self._has_keypad

    # life

    def open(self) -> None:
        """Say how the reader is and listen to it."""
        self._publish()
        self._reader.watch(self._heard)

    def close(self) -> None:
        """Stop listening."""
        self._reader.watch(None)
        self._keys.clear()
        self._noise.close()
        self._waiting.end()

    async def serve(self) -> None:
        """Serve what was heard, one after the other."""
        while True:
            fact = await self._facts.get()
            if isinstance(fact, CardBits):
                await self._card(fact)
            elif isinstance(fact, CardChip):
                await self._chip(fact)
            elif isinstance(fact, Key):
                await self._key(fact)
            elif isinstance(fact, Presented):
                await self._presented(fact)
            self._alive()

    async def beat(self) -> None:
        """Return when this desk has served something, or has nothing to serve.

        It waits for one decision and not for all that wait: with a disk that stalls, each may take half a second.
        """
        beat = asyncio.get_running_loop().create_future()
        self._beats.append(beat)
        if self._facts.empty():
            self.put(Beat())
        await beat

    def _alive(self) -> None:
        """Answer whoever asks whether this desk still serves."""
        beats, self._beats = self._beats, []
        for beat in beats:
            if not beat.done():  # whoever waited for it may have been stopped
                beat.set_result(None)

    def _heard(self, fact: ReaderFact) -> None:
        if isinstance(fact, ReaderFault):
            self._noise.heard(fact)
        elif not self.put(fact):
            log.warning("reader %s is faster than its decisions; something was not served", self._reader.name)
            self._noise.lost()

    def put(self, fact: CardBits | CardChip | Key | Presented | Beat) -> bool:
        """Let something be served in its turn; False when too much waits."""
        try:
            self._facts.put_nowait(fact)
        except asyncio.QueueFull:
            return False
        return True

    async def _presented(self, what: Presented) -> None:
        if what.done.done():
            return  # whoever asked has gone
        if what.pin is not None:
            self._keys.clear()
            await self._pin(Typed(len(what.pin), what.pin), what)
        elif what.qr is not None:
            await self._qr(what.qr, what)
        else:
            await self._card(CardBits(self._core.clock.now_ns(), self._reader.name, what.bits), what)

    # cards

    async def _chip(self, fact: CardChip) -> None:
        """A card with a chip: what of it counts is decided on like the bits of any card."""
        chosen = choose(fact, self._core.params.get(ChipParams))
        if chosen is None:
            return  # a chip type that is not active is not there
        if not chosen.missing:
            await self._card(CardBits(fact.t_ns, fact.reader, chosen.bits), chip=fact)
            return
        reason = f"data set {chosen.missing!r} is required and cannot be read"
        card = self._core.bus.publish(
            CardRead(
                reader=self._reader.name,
                door=self._door,
                bits="",
                credential=None,
                reason=reason,
                chip=fact.chip,
                uid=fact.csn.hex().upper(),
            )
        )
        if self._door:
            self._no_pin_came()
            attempt = self._attempt(self._core.params.get(AccessParams))
            self._answer(Visit(attempt, "", card, Guess.CARD), Decision(False, Reason.NO_DATA))

    async def _card(self, fact: CardBits, presented: Presented | None = None, *, chip: CardChip | None = None) -> None:
        if presented is None and self._guard.repeated(fact):
            self._noise.lost()
            return
        params = self._core.params.get(AccessParams)
        reading = read(fact.bits, params.formats())
        fitting = () if isinstance(reading, Unreadable) else reading.fitting
        unreadable = reading.reason if isinstance(reading, Unreadable) else ""
        credentials = fitting if reading.raw is None else (*fitting, reading.raw)
        attempt = self._attempt(params, credentials=credentials)
        decision = self._decide(attempt)
        if decision.entry is None and presented is None and self._guard.flooded(fact):
            self._noise.lost()
            return
        by = By.ENTRIES if presented is None else presented.by
        text = None if isinstance(reading, Unreadable) else str(reading.preferred or reading.raw)
        card = self._core.bus.publish(
            CardRead(
                reader=self._reader.name,
                door=self._door,
                bits=fact.bits,
                credential=text,
                fitting=tuple(str(each) for each in fitting),
                reason=unreadable,
                chip="" if chip is None else chip.chip,
                uid="" if chip is None else chip.csn.hex().upper(),
                by=by,
            )
        )
        shown = text or ("" if not credentials else str(credentials[0]))
        if presented is None:
            self._shared.latest.note(SeenCard.of(card, shown))
        if not self._door:
            return
        if decision.reason is Reason.UNKNOWN and unreadable:
            decision = Decision(False, Reason.UNREADABLE)
        self._no_pin_came()
        await self._settle(
            Visit(attempt, shown, card, Guess.CARD, bits=fact.bits, by=by, presented=presented), decision
        )

    async def _qr(self, text: str, presented: Presented) -> None:
        shown = self._core.bus.publish(QrPresented(reader=self._reader.name, door=self._door, by=presented.by))
        attempt = self._attempt(self._core.params.get(AccessParams), qr=self._shared.entries.qr_hash(text))
        assert attempt.qr is not None
        visit = Visit(attempt, "QR", shown, Guess.QR, bits=attempt.qr.hex(), by=presented.by, presented=presented)
        await self._settle(visit, self._decide(attempt))

    # keys

    @property
    def _collects_pins(self) -> bool:
        params = self._core.params.get(AccessParams)
        mode = params.mode_of(self._reader.name)
        return self._has_keypad and params.pin_length != 0 and mode is not ReaderMode.CARD

    async def _key(self, fact: Key) -> None:
        if not self._has_keypad:
            return
        params = self._core.params.get(AccessParams)
        complete_at = None if self._waiting.visit is None else params.pin_length
        typed = self._keys.press(fact.key, fact.t_ns, timeout_s=params.pin_timeout_s, complete_at=complete_at)
        if not self._collects_pins:
            # What is typed stays a number to call; no key is a PIN here.
            if params.use_controller and self._door:
                one = ForwardParams(reader=self._reader.name, door=self._door, key=fact.key)
                if not self._shared.forwarder.key(one):
                    self._noise.lost()
            return
        self._waiting.more(params.pin_timeout_s)
        if typed is not None:
            await self._pin(typed)

    async def _pin(self, typed: Typed, presented: Presented | None = None) -> None:
        waiting = self._waiting.end()
        by = By.ENTRIES if presented is None else presented.by
        if waiting is not None and waiting.by is By.CHECK:
            by = By.CHECK
        entered = self._core.bus.publish(
            PinEntered(reader=self._reader.name, door=self._door, digits=typed.digits, by=by),
            cause=None if waiting is None else waiting.cause,
        )
        if not self._door:
            return
        hashed = b"" if typed.pin is None else self._shared.entries.pin_hash(typed.pin)
        if waiting is None:
            attempt = self._attempt(self._core.params.get(AccessParams), pin=hashed)
            visit = Visit(attempt, PIN, entered, Guess.PIN, pin=typed.pin or "", by=by, presented=presented)
        else:
            visit = replace(
                waiting,
                attempt=replace(waiting.attempt, pin=hashed),
                cause=entered,
                guess=Guess.PIN,
                pin=typed.pin or "",
                by=by,
                presented=presented,
            )
        if self._guard.pins_closed():
            self._answer(visit, Decision(False, Reason.THROTTLED))
            return
        await self._settle(visit, self._decide(visit.attempt))

    def dial(self) -> str:
        """The call key was pressed: the digits typed, which are forgotten; empty with a PIN in them, or one awaited."""
        params = self._core.params.get(AccessParams)
        number = self._keys.take(self._core.clock.now_ns(), timeout_s=params.pin_timeout_s)
        if self._waiting.visit is not None or self._shared.entries.holds_pin(number):
            return ""
        return number

    # a card that waits for its PIN

    def _wait_for_pin(self, visit: Visit) -> None:
        params = self._core.params.get(AccessParams)
        self._waiting.wait(visit, params.pin_timeout_s)
        self._keys.clear()
        self._core.bus.publish(
            PinWanted(reader=self._reader.name, door=self._door, within_s=params.pin_timeout_s), cause=visit.cause
        )
        visit.tell(Outcome.PIN_WANTED)

    def _no_pin_came(self) -> None:
        """The PIN did not come in time, or another card came instead: the card that waited is denied."""
        waiting = self._waiting.end()
        if waiting is not None:
            self._keys.clear()
            self._answer(waiting, Decision(False, Reason.NO_PIN, self._decide(waiting.attempt).entry))

    # decisions

    def _attempt(self, params: AccessParams, **what: object) -> Attempt:
        attempt = Attempt(door=self._door, reader=self._reader.name, at=None, mode=params.mode_of(self._reader.name))
        return replace(attempt, **what)  # type: ignore[arg-type]

    def _decide(self, attempt: Attempt) -> Decision:
        clock = self._core.clock
        timed = replace(attempt, at=clock.utc() if clock.trusted() else None)
        return decide(timed, self._shared.entries.index, self._shared.entries.policy())

    async def _settle(self, visit: Visit, decision: Decision) -> None:
        """Carry out what a decision asks for: wait for a PIN, ask the controller, take a use, answer."""
        params = self._core.params.get(AccessParams)
        asked = params.use_controller and decision.reason in ASKED and visit.guess is not Guess.QR
        both = asked and visit.attempt.mode is ReaderMode.CARD_AND_PIN and visit.guess is Guess.CARD
        if (decision.reason is Reason.NO_PIN or both) and self._collects_pins:
            if self._guard.pins_closed():
                self._answer(visit, Decision(False, Reason.THROTTLED, decision.entry))
            else:
                self._wait_for_pin(visit)
            return
        if asked:
            self._forward(visit)
            return
        decision = self._guard.judged(visit, decision, params)
        self._answer(visit, await self._spent(decision, visit.cause))

    async def _spent(self, decision: Decision, cause: Event) -> Decision:
        """The same decision once a limited use is recorded; denied when it could not be."""
        entry = decision.entry
        if not decision.granted or entry is None or entry.uses_left is None:
            return decision
        if await self._shared.entries.spend(entry, cause=cause.id):
            return decision
        return Decision(False, Reason.STORAGE, entry)

    # the controller

    def _forward(self, visit: Visit) -> None:
        params = ForwardParams(
            reader=self._reader.name,
            door=self._door,
            bits=visit.bits,
            fitting=tuple(str(each) for each in visit.attempt.credentials if each.format != "RAW"),
            pin=visit.pin,
        )
        if not self._shared.forwarder.ask(params, lambda said: self._said(visit, said), cause=visit.cause.id):
            self._answer(visit, Decision(False, Reason.BUSY))

    def _said(self, visit: Visit, said: ForwardAnswer) -> None:
        """The controller has answered, perhaps long after; meanwhile others were served."""
        if said.verdict is Verdict.SENT:
            self._core.bus.publish(
                AccessForwarded(
                    door=self._door,
                    reader=self._reader.name,
                    credential=visit.shown,
                    by=By.CHECK if visit.by is By.CHECK else By.CONTROLLER,
                ),
                cause=visit.cause,
            )
            visit.tell(Outcome.FORWARDED)
            return
        if said.granted and said.verdict in (Verdict.GRANTED, Verdict.LOST):
            self._guard.known(visit)
        elif said.verdict is Verdict.DENIED:
            self._guard.unknown(visit)
        if said.reason:
            log.info("the controller says of a credential at reader %s: %s", self._reader.name, said.reason)
        fact, answer = forwarded(visit, said)
        self._core.bus.publish(fact, cause=visit.cause)
        visit.tell(answer)

    # answers

    def _answer(self, visit: Visit, decision: Decision) -> None:
        self._core.bus.publish(verdict(visit, decision), cause=visit.cause)
        visit.tell(Outcome.GRANTED if decision.granted else Outcome.DENIED, decision)

    def _publish(self) -> None:
        self._core.bus.publish(
            ReaderState(
                reader=self._reader.name,
                alias=self._alias,
                door=self._door,
                keypad=self._has_keypad,
                led=self._led,
                discarded=self._noise.discarded,
            )
        )
