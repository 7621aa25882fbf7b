"""A port on which we are the reader of somebody's panel: cards and keys up, lights, buzzer, text, outputs down.

The answer to a command leaves in the same turn of the loop as the command's last byte came in. A key that the panel
sets is handed to its keeper first; the panel hears that it was taken only after it was kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hal.clock import Clock, Timer
from hal.drivers.osdp_bus import ANEW_S, BROKEN, OWN_ERROR, check_settings
from hal.drivers.serial_line import OpenPort, SerialLine
from hal.errors import DeviceError, OutOfRange
from hal.osdp.facts import (
    INSTALL_LONGEST_NS,
    Dropped,
    Fact,
    FrameSeen,
    KeyWanted,
    LinkChanged,
    PeripheralSettings,
)
from hal.osdp.frame import wire_ns
from hal.osdp.payload import Payload
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import Keypad, PdId, Raw
from hal.types import (
    BusFrame,
    ChipIdentity,
    LinkPhase,
    LinkSettings,
    LinkStatus,
    PanelBuzz,
    PanelFact,
    PanelKey,
    PanelLight,
    PanelOutput,
    PanelPlace,
    PanelText,
)

log = logging.getLogger("hal.drivers")

COUNTS_EVERY_S = 1.0
OUTPUTS = 1
MODEL, HARDWARE = 1, 1
FIRMWARE = (0, 1, 0)
# Between the end of an answer and a change of rate: what the transceiver needs to let go of the line.
LET_GO_NS = 2_000_000
LONGEST_CARD_BITS = 256


def identity_of(chip: ChipIdentity) -> PdId:
    """Who we are to a panel: the first half of the hardware's serial number is the maker, the rest the number."""
    raw = bytes.fromhex(chip.serial)
    return PdId(raw[:3], MODEL, HARDWARE, int.from_bytes(raw[2:6], "big"), *FIRMWARE)


class OsdpPort:
    """Port `PanelPort`. Silent until `serve`."""

    def __init__(self, name: str, bus: str, open_port: OpenPort, clock: Clock, identity: PdId) -> None:
        self._name = name
        self._bus = bus
        self._clock = clock
        self._identity = identity
        self._line = SerialLine(name, open_port, clock, heard=self._heard, changed=self._changed)
        self._settings: LinkSettings | None = None
        self._engine: Peripheral | None = None
        self._status = LinkStatus(t_ns=clock.now_ns())
        self._tampered = False
        self._install_until_ns = 0
        self._sent_ns = 0
        self._timer: Timer | None = None
        self._due_ns = 0
        self._tick: Timer | None = None
        self._moving: Timer | None = None
        self._wanted: asyncio.Queue[bytes] = asyncio.Queue()
        self._links: Callable[[LinkStatus], None] | None = None
        self._frames: Callable[[BusFrame], None] | None = None
        self._keeper: Callable[[PanelKey], Awaitable[bool]] | None = None
        self._facts: Callable[[PanelFact], None] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def link(self) -> LinkStatus:
        """How the link stands now, with the counts of this moment."""
        if self._engine is None or not self._line.is_open:
            return self._status
        return self._engine.status

    def on_link(self, handler: Callable[[LinkStatus], None] | None) -> None:
        self._links = handler

    def on_frame(self, handler: Callable[[BusFrame], None] | None) -> None:
        self._frames = handler
        if self._engine is not None:
            self._engine.set_trace(handler is not None)

    def on_key(self, handler: Callable[[PanelKey], Awaitable[bool]] | None) -> None:
        self._keeper = handler

    def watch(self, handler: Callable[[PanelFact], None] | None) -> None:
        self._facts = handler

    async def run(self) -> None:
        """Open the port whenever it is wanted, and have keys kept; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._line.run())
            group.create_task(self._keep_keys())

    # the link

    def serve(self, settings: LinkSettings, *, install: bool = False) -> None:
        """Answer a panel from now on; `install` lets it set our first key for 10 minutes at most.

        Raises OutOfRange for an address, rate or key no reader has, or an installation while we hold a key already;
        then everything stays as it was.
        """
        check_settings(self._name, settings)
        if install and settings.keys:
            raise OutOfRange(self._name, "holds a key already: an installation would replace it")
        until_ns = self._clock.now_ns() + INSTALL_LONGEST_NS if install else 0
        engine = self._made(settings, until_ns)
        self._settings, self._install_until_ns = settings, until_ns
        self._begin(engine)
        self._line.want(settings.baud)
        if self._line.is_open:
            self._pump()
        else:
            self._away(self._line.trouble)
        if self._tick is None:
            self._tick = self._clock.call_later(COUNTS_EVERY_S, self._ticked)

    def _made(self, settings: LinkSettings, install_until_ns: int) -> Peripheral:
        wish = PeripheralSettings(
            address=settings.address, baud=settings.baud, keys=settings.keys, plain=settings.plain, outputs=OUTPUTS
        )
        engine = Peripheral(wish, self._identity, trace=self._frames is not None)
        engine.set_tamper(self._tampered)
        now_ns = self._clock.now_ns()
        if install_until_ns > now_ns:
            engine.arm_install(now_ns, install_until_ns)
        return engine

    def _begin(self, engine: Peripheral | None) -> None:
        self._engine = engine
        for timer in (self._timer, self._moving):
            if timer is not None:
                timer.cancel()
        self._timer = self._moving = None

    def stop(self) -> None:
        """Fall silent."""
        if self._settings is None:
            return
        self._settings = None
        self._begin(None)
        self._line.leave()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._went(LinkStatus(t_ns=self._clock.now_ns()))

    def close(self) -> None:
        """Fall silent for good; closing twice is harmless."""
        self._links = self._frames = self._keeper = self._facts = None
        self.stop()

    def _away(self, reason: str) -> None:
        assert self._settings is not None
        phase = LinkPhase.NOT_CONNECTED if reason else LinkPhase.CONNECTING
        settings = self._settings
        self._went(
            LinkStatus(
                t_ns=self._clock.now_ns(), phase=phase, reason=reason, address=settings.address, baud=settings.baud
            )
        )

    def _went(self, status: LinkStatus) -> None:
        self._status = status
        if self._links is not None:
            self._links(status)

    def _ticked(self) -> None:
        self._tick = self._clock.call_later(COUNTS_EVERY_S, self._ticked)
        status = self.link
        if replace(status, t_ns=self._status.t_ns) != self._status:
            self._went(status)

    # what we report

    def card(self, bits: str) -> None:
        """Report a card of 1 to 256 bits. Raises OutOfRange, DeviceError when no panel listens or too much waits."""
        if not 1 <= len(bits) <= LONGEST_CARD_BITS or bits.strip("01"):
            raise OutOfRange(self._name, f"a card is 1 to {LONGEST_CARD_BITS} bits of 0 and 1 (got {len(bits)})")
        self._report(Raw(0, 0, bits))

    def keys(self, text: str) -> None:
        """Report keys. Raises OutOfRange, DeviceError when no panel listens or too much waits."""
        if not text or text.strip("0123456789*#"):
            raise OutOfRange(self._name, f"keys {text!r} are not of 0-9 * #")
        self._report(Keypad(0, text))

    def _report(self, event: Payload) -> None:
        status = self.link
        if self._engine is None or status.phase is not LinkPhase.CONNECTED:
            raise DeviceError(self._name, f"no panel listens: {status.reason or status.phase.value}")
        self._engine.report(self._clock.now_ns(), event)
        self._pump()

    def tamper(self, open: bool) -> None:
        """Say whether our housing is open; said to a panel as soon as one asks."""
        self._tampered = open
        if self._engine is not None:
            self._engine.set_tamper(open)
            self._pump()

    # the port

    def _heard(self, t_ns: int, data: bytes) -> None:
        if self._engine is None:
            return
        try:
            self._engine.receive(t_ns, data)
        except Exception:
            log.exception(BROKEN, self._name)
            self._broken()
            return
        self._pump()

    def _changed(self) -> None:
        """The port was opened, or lost: the link begins anew."""
        if self._settings is None:
            return
        self._begin(self._made(self._settings, self._install_until_ns) if self._line.is_open else None)
        self._line.want(self._settings.baud)  # a move that the loss of the port overtook
        if self._line.is_open:
            self._pump()
        else:
            self._away(self._line.trouble)

    def _broken(self) -> None:
        """The engine failed, which is an error of ours: say it, and begin anew a little later."""
        self._begin(None)
        self._due_ns = 0
        self._timer = self._clock.call_later(ANEW_S, self._changed)
        self._away(OWN_ERROR)

    def _pump(self) -> None:
        """Let the engine say what to do now, and do it: what it sends leaves before anybody is told anything."""
        if self._engine is None or not self._line.is_open:
            return
        try:
            step = self._engine.step(self._clock.now_ns())
        except Exception:
            log.exception(BROKEN, self._name)
            self._broken()
            return
        self._arm(step.next_ns)
        if step.send and self._line.write(step.send):
            self._sent_ns = self._clock.now_ns() + wire_ns(len(step.send), self._line.baud)
        for fact in step.facts:
            self._fact(fact)

    def _arm(self, next_ns: int | None) -> None:
        """Step again at `next_ns`. It stays the same while a command comes in byte by byte."""
        if next_ns == self._due_ns and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if next_ns is not None:
            self._due_ns = next_ns
            self._timer = self._clock.call_at(next_ns, self._due)

    def _due(self) -> None:
        self._timer = None
        self._pump()

    def _fact(self, fact: Fact) -> None:
        match fact:
            case LinkChanged():
                self._went(fact.status)
            case KeyWanted():
                self._wanted.put_nowait(fact.key)
            case PanelPlace():
                self._moved(fact)
            case PanelLight() | PanelBuzz() | PanelText() | PanelOutput():
                self._tell(fact)
            case FrameSeen() if self._frames is not None:
                self._frames(BusFrame(t_ns=fact.t_ns, bus=self._bus, sent=fact.sent, data=fact.data, text=fact.text))
            case Dropped():
                log.warning("%s: a report never reached the panel: %s", self._name, fact.reason)
            case _:
                pass

    def _tell(self, fact: PanelFact) -> None:
        if self._facts is not None:
            self._facts(fact)

    def _moved(self, place: PanelPlace) -> None:
        """The panel has moved us: the answer to that still leaves at the old rate."""
        assert self._settings is not None
        self._settings = replace(self._settings, address=place.address, baud=place.baud)
        self._moving = self._clock.call_at(self._sent_ns + LET_GO_NS, self._line.want, place.baud)
        self._tell(place)

    async def _keep_keys(self) -> None:
        while True:
            key = await self._wanted.get()
            engine = self._engine
            kept = await self._kept(key)
            if engine is None or engine is not self._engine:
                continue  # the link began anew meanwhile, and with it the question
            if kept:
                engine.accept_key(self._clock.now_ns())
                self._keyed(engine)
            else:
                engine.refuse_key(self._clock.now_ns())
            self._pump()

    async def _kept(self, key: bytes) -> bool:
        if self._keeper is None:
            return False
        try:
            return await self._keeper(PanelKey(t_ns=self._clock.now_ns(), key=key))
        except Exception:
            log.exception("%s: the panel's key could not be kept, it is refused", self._name)
            return False

    def _keyed(self, engine: Peripheral) -> None:
        assert self._settings is not None
        self._settings = replace(self._settings, keys=engine.keys)
        self._install_until_ns = 0
