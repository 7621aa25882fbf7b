"""A reader on RS-485 that speaks OSDP: cards, keys, condition, light and beeper, and how its link stands.

Address, rate and keys come with `connect`; the bus (`osdp_bus`) may be shared with other readers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from hal.clock import Clock, Timer
from hal.drivers.osdp_bus import Done, OsdpBus
from hal.drivers.osdp_wishes import OsdpBeeper, OsdpLight
from hal.errors import DeviceError, HalError, NoReply, OutOfRange
from hal.osdp.codes import CapabilityCode
from hal.osdp.commands import (
    LONGEST_TEXT,
    PERMANENT_TEXT,
    TEMPORARY_TEXT,
    Out,
    OutputControl,
    OutputRecord,
    Text,
)
from hal.osdp.facts import (
    Downgrade,
    Fact,
    Finished,
    FrameSeen,
    Identified,
    LinkChanged,
    Outcome,
    Rekeyed,
    Reported,
    SecureSeen,
)
from hal.osdp.payload import Payload
from hal.osdp.replies import (
    InputStatusReply,
    Keypad,
    LocalStatusReply,
    OutputStatusReply,
    PdCap,
    Raw,
    ReaderStatusReply,
)
from hal.types import (
    BusFrame,
    CardBits,
    FoundPeer,
    Key,
    LinkPhase,
    LinkSettings,
    LinkStatus,
    PeerCondition,
    ReaderFact,
    ReaderFault,
    ReaderTrouble,
)

log = logging.getLogger("hal.drivers")

COUNTS_EVERY_S = 1.0
# How long an installation may take, in seconds: a reader that is there answers in a fraction of it.
INSTALL_S = 10.0
# No card in use is longer; the same limit as on two wires.
LONGEST_CARD_BITS = 256
LONGEST_TIMER_S = 6553.5
LONGEST_TEXT_S = 255.0
TAMPERED = 2
NOT_RUNNING = "the link is switched off"


class OsdpReader:
    """Port `SerialReader`. Off until `connect`; it owns its light and beeper, and a seat on its bus."""

    def __init__(self, name: str, bus: OsdpBus, clock: Clock, *, keypad: bool, led: bool, beeper: bool) -> None:
        self._name = name
        self._bus = bus
        self._clock = clock
        self._keypad = keypad
        self._led = OsdpLight(f"{name}.led", self._submit) if led else None
        self._beeper = OsdpBeeper(f"{name}.beeper", self._submit, clock) if beeper else None
        self._settings: LinkSettings | None = None
        self._status = LinkStatus(t_ns=clock.now_ns())
        self._capabilities = PdCap(())
        self._condition: PeerCondition | None = None
        self._tampers = {"housing": False, "reader": False}
        self._tick: Timer | None = None
        self._downgraded = ""
        self._facts: Callable[[ReaderFact], None] | None = None
        self._links: Callable[[LinkStatus], None] | None = None
        self._conditions: Callable[[PeerCondition], None] | None = None
        self._frames: Callable[[BusFrame], None] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def led(self) -> OsdpLight | None:
        return self._led

    @property
    def beeper(self) -> OsdpBeeper | None:
        return self._beeper

    @property
    def traced(self) -> bool:
        """Whether somebody wants to see every frame."""
        return self._frames is not None

    @property
    def link(self) -> LinkStatus:
        """How the link stands now, with the counts of this moment."""
        if self._settings is None or self._status.phase is LinkPhase.OFF:
            return self._status
        return self._bus.status(self._settings.address) or self._status

    def watch(self, handler: Callable[[ReaderFact], None] | None) -> None:
        self._facts = handler

    def on_link(self, handler: Callable[[LinkStatus], None] | None) -> None:
        self._links = handler

    def on_condition(self, handler: Callable[[PeerCondition], None] | None) -> None:
        self._conditions = handler

    def on_frame(self, handler: Callable[[BusFrame], None] | None) -> None:
        self._frames = handler
        self._bus.trace_changed()

    # the link

    def connect(self, settings: LinkSettings) -> None:
        """Talk to the reader from now on.

        Raises OutOfRange for a weak key, for an address or rate no reader has, or that does not go with another
        reader of the same bus; then everything stays as it was.
        """
        before, self._settings = self._settings, settings
        try:
            self._bus.seat(self, settings)
        except HalError:
            self._settings = before
            raise
        if self._tick is None:
            self._tick = self._clock.call_later(COUNTS_EVERY_S, self._ticked)

    def disconnect(self) -> None:
        """Stop talking."""
        if self._settings is None:
            return
        address, self._settings = self._settings.address, None
        self._bus.leave(address)
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._condition = None
        self._went(LinkStatus(t_ns=self._clock.now_ns()))

    def close(self) -> None:
        """Stop talking for good. What it was shown last the reader ends by itself, as nobody polls it."""
        self._facts = self._links = self._conditions = self._frames = None
        self.disconnect()

    def away(self, reason: str) -> None:
        """The bus has no port, for this reason; empty while it is being opened."""
        assert self._settings is not None
        self._went(
            LinkStatus(
                t_ns=self._clock.now_ns(),
                phase=LinkPhase.NOT_CONNECTED if reason else LinkPhase.CONNECTING,
                reason=reason,
                address=self._settings.address,
                baud=self._settings.baud,
            )
        )

    def _went(self, status: LinkStatus) -> None:
        """The link stands like this from now on."""
        was, now = self._status.phase is LinkPhase.CONNECTED, status.phase is LinkPhase.CONNECTED
        self._status = status
        if self._links is not None:
            self._links(status)
        if was == now:
            return
        if now:
            self._downgraded = ""
        for wish in (self._led, self._beeper):
            if wish is not None:
                wish.online(now)

    def _ticked(self) -> None:
        """Once a second: changed counts are told, and wishes that got lost are sent again."""
        self._tick = self._clock.call_later(COUNTS_EVERY_S, self._ticked)
        status = self.link
        if replace(status, t_ns=self._status.t_ns) != self._status:
            self._status = status
            if self._links is not None:
                self._links(status)
        for wish in (self._led, self._beeper):
            if wish is not None:
                wish.again()

    # facts

    def fact(self, fact: Fact) -> None:
        """Something that the bus has for us."""
        match fact:
            case LinkChanged():
                self._went(fact.status)
            case Reported():
                self._reported(fact.t_ns, fact.reply)
            case Identified():
                self._capabilities = fact.capabilities
            case SecureSeen():
                self._bus.secured(fact.address)
            case Rekeyed():
                self._bus.keyed(fact.address)
            case Downgrade():
                self._downgrade(fact.reason)
            case FrameSeen():
                self._seen(fact)
            case _:
                pass

    def _downgrade(self, reason: str) -> None:
        """Said once until the link stands again: the reader is asked every second."""
        if reason != self._downgraded:
            self._downgraded = reason
            log.warning("%s: somebody tampers with the line: %s", self._name, reason)

    def _seen(self, fact: FrameSeen) -> None:
        if self._frames is not None:
            frame = BusFrame(t_ns=fact.t_ns, bus=self._bus.name, sent=fact.sent, data=fact.data, text=fact.text)
            self._frames(frame)

    def _reported(self, t_ns: int, reply: Payload) -> None:
        match reply:
            case Raw():
                self._card(t_ns, reply.bits)
            case Keypad() if self._keypad:
                for key in reply.keys.replace("?", ""):
                    self._tell(Key(t_ns, self._name, key))
            case LocalStatusReply():
                self._tampers["housing"] = bool(reply.tamper)
                self._conditioned(t_ns, power_failed=bool(reply.power))
            case ReaderStatusReply():
                self._tampers["reader"] = TAMPERED in reply.levels
                self._conditioned(t_ns)
            case InputStatusReply():
                self._conditioned(t_ns, inputs=tuple(map(bool, reply.levels)))
            case OutputStatusReply():
                self._conditioned(t_ns, outputs=tuple(map(bool, reply.levels)))
            case _:
                log.info("%s: reports what nobody here uses: %s", self._name, type(reply).__name__)

    def _card(self, t_ns: int, bits: str) -> None:
        if len(bits) > LONGEST_CARD_BITS:
            self._tell(ReaderFault(t_ns, self._name, ReaderTrouble.LONG, len(bits)))
        else:
            self._tell(CardBits(t_ns, self._name, bits))

    def _tell(self, fact: ReaderFact) -> None:
        if self._facts is not None:
            self._facts(fact)

    def _conditioned(self, t_ns: int, **changes: object) -> None:
        before = self._condition or PeerCondition(t_ns=t_ns)
        tamper = any(self._tampers.values())
        after: PeerCondition = replace(before, tamper=tamper, **changes)  # type: ignore[arg-type]
        if after == self._condition:
            return
        self._condition = replace(after, t_ns=t_ns)
        if self._conditions is not None:
            self._conditions(self._condition)

    # commands

    def _submit(self, command: Payload, done: Done) -> None:
        self._bus.submit(self._address(), command, done)

    def _address(self) -> int:
        if self._settings is None:
            raise NoReply(self._name, NOT_RUNNING)
        return self._settings.address

    def _connected(self) -> int:
        address = self._address()
        if self._status.phase is not LinkPhase.CONNECTED:
            raise NoReply(self._name, f"is not connected: {self._status.reason or 'it is being connected'}")
        return address

    async def _ended(self, start: Callable[[Done], None]) -> Payload | None:
        """Start something and wait for its end. Raises DeviceError when refused, NoReply when lost."""
        ended: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()

        def done(fact: Finished) -> None:
            if not ended.done():
                ended.set_result(fact)

        start(done)
        fact = await ended
        if fact.outcome is Outcome.DONE:
            return fact.reply
        if fact.outcome is Outcome.REFUSED:
            raise DeviceError(self._name, f"the reader refuses: {fact.reason}")
        raise NoReply(self._name, fact.reason or "no answer")

    async def install(self, key: bytes) -> None:
        """Give a factory-fresh reader its first key within 10 s. Raises OutOfRange, DeviceError, NoReply."""
        address = self._address()
        await self._bus.opened()
        try:
            await self._ended(lambda done: self._bus.install(address, key, INSTALL_S, done))
        except asyncio.CancelledError:
            self._bus.cancel_install(address)
            raise

    async def set_key(self, key: bytes) -> None:
        """Give the reader a new key inside the secure channel. Raises OutOfRange, DeviceError, NoReply."""
        address = self._connected()

        def start(done: Done) -> None:
            def ended(fact: Finished) -> None:
                if fact.outcome is Outcome.LOST:
                    self._bus.perhaps(address, key)
                done(fact)

            self._bus.set_key(address, key, ended)

        await self._ended(start)

    async def show_text(self, text: str, *, for_s: float = 0.0) -> None:
        """Show a text; `for_s` 0 to 255 in whole seconds, 0 until the next. Raises OutOfRange, DeviceError, NoReply."""
        if len(text) > LONGEST_TEXT or not text.isascii() or not text.isprintable():
            raise OutOfRange(self._name, f"text {text!r} is not at most {LONGEST_TEXT} printable ASCII characters")
        if not 0 <= for_s <= LONGEST_TEXT_S:
            raise OutOfRange(self._name, f"{for_s:g} s is not between 0 and {LONGEST_TEXT_S:g}")
        whole_s = max(1, round(for_s)) if for_s else 0
        self._connected()
        command = Text(0, TEMPORARY_TEXT if whole_s else PERMANENT_TEXT, whole_s, 1, 1, text)
        await self._ended(lambda done: self._submit(command, done))

    async def set_output(self, number: int, on: bool, *, for_s: float = 0.0) -> None:
        """Switch an output; `for_s` 0.1 to 6553.5, 0 for good. Raises OutOfRange, DeviceError, NoReply."""
        if for_s and not 0.1 <= for_s <= LONGEST_TIMER_S:
            raise OutOfRange(self._name, f"{for_s:g} s is not between 0.1 and {LONGEST_TIMER_S:g}")
        self._connected()
        count = self._capabilities.count(CapabilityCode.OUTPUTS)
        if not 0 <= number < count:
            has = f"outputs 0 to {count - 1}" if count else "no outputs"
            raise OutOfRange(self._name, f"output {number}; the reader has {has}")
        if for_s:
            control = OutputControl.ON_FOR if on else OutputControl.OFF_FOR
        else:
            control = OutputControl.ON if on else OutputControl.OFF
        command = Out((OutputRecord(number, control, round(for_s * 10)),))
        reply = await self._ended(lambda done: self._submit(command, done))
        if isinstance(reply, OutputStatusReply):
            self._reported(self._clock.now_ns(), reply)

    async def find(self, addresses: Sequence[int], bauds: Sequence[int]) -> tuple[FoundPeer, ...]:
        """Ask every address at every rate. Raises OutOfRange, DeviceError while a link of the bus is on, NoReply."""
        return await self._bus.find(addresses, bauds)
