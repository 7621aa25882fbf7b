"""A reader on the wall that speaks OSDP: keypad, lamp, buzzer, one line of text, an output, a lid that can be opened.

It has a mind (the peripheral's engine) that dies with its supply, and a memory (address, rate, key) that does not.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from hal.osdp.codes import CapabilityCode, NakCode, ReplyCode
from hal.osdp.facts import (
    INSTALL_LONGEST_NS,
    ComSetPolicy,
    Delivered,
    Dropped,
    Fact,
    KeyWanted,
    PeripheralSettings,
)
from hal.osdp.frame import Frame, encode, parse
from hal.osdp.payload import Payload
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import Keypad, PdCap, PdId, Raw
from hal.sim.cards import card_bits
from hal.sim.peers.base import Gesture, Peer, Place
from hal.sim.peers.card_reader import KEY_PACE_NS, CardReaderPeer
from hal.sim.peers.light import ToldLamp
from hal.sim.peers.osdp_station import CABLE_FAULTS, OsdpStation
from hal.sim.peers.switch import ToldLoad
from hal.sim.serial import SerialBus
from hal.sim.traces import Trace
from hal.types import OFF, PanelBuzz, PanelLight, PanelOutput, PanelPlace, PanelText

HOLD_NS = 300_000_000
VENDOR = b"SIM"
WRONG_KEY = bytes.fromhex("6A09E667F3BCC908B2FB1366EA957D3E")
# Faults with which it has to start anew; those of a cable come and go while it works.
OF_THE_MIND = frozenset({"no_secure", "wrong_key"})


@dataclass(slots=True)
class Memory:
    """What the reader keeps without power."""

    address: int = 0
    baud: int = 9600
    key: bytes | None = None


class Screen(Peer):
    """A line of text; its trace is what it shows."""

    kind = "text"

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place, name)
        self.trace: Trace[str] = self.new_trace("")

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    def tell(self, text: str, for_s: float) -> None:
        """Show a text, for a time or until the next."""
        self.close()
        self.trace.put(text)
        if for_s:
            self.at(self.place.clock.now_ns() + round(for_s * 1e9), lambda: self.trace.put(""))


class OsdpReaderPeer(CardReaderPeer):
    """One reader; its trace is the card it has to report.

    Faults: `dead` (hears and says nothing), `no_secure` (has no secure channel), `downgrade` (somebody on the cable
    edits its list of abilities), `wrong_key` (has another key than it should), `forgets_key` (a key that it is given
    does not outlive its supply), and those of a bad cable: `noise`, `half`, `drop`, `garbage`.
    """

    kinds_of_fault = CABLE_FAULTS | {"dead", "no_secure", "downgrade", "wrong_key", "forgets_key"}

    def __init__(
        self,
        place: Place,
        name: str,
        bus: SerialBus,
        *,
        led: ToldLamp | None,
        beeper: ToldLoad | None,
        keypad: bool,
        alias: str | None = None,
    ) -> None:
        super().__init__(place, name, led=led, beeper=beeper, keypad=keypad, alias=alias)
        self.memory = Memory()
        self.tampered = False
        self.trace: Trace[str] = self.new_trace("")
        self.text = Screen(place, f"{name}.text")
        self.output = ToldLoad(place, f"{name}.output")
        self._lamp = led
        self._buzzer = beeper
        self._held: bytes | None = None
        self._mind_faults: set[str] = set()
        self._engine: Peripheral | None = None
        self._armed_until_ns = 0
        self._station = OsdpStation(self, bus, self.memory.baud, fact=self._fact, hearing=self._arm, edit=self._edited)
        self._wake()

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    @property
    def parts(self) -> Mapping[str, Peer]:
        return {**super().parts, "text": self.text, "output": self.output}

    def state(self) -> dict[str, object]:
        """Its cable, its lid, its memory without the key, and its parts."""
        memory = {"address": self.memory.address, "baud": self.memory.baud, "keyed": self.memory.key is not None}
        return {**super().state(), "tampered": self.tampered, **memory}

    # its supply

    def _wake(self) -> None:
        """Power comes: a new mind with the old memory."""
        self._sleep()
        self._mind_faults = self.faults & OF_THE_MIND
        if not self.alive:
            return
        self._held = self.memory.key
        key = WRONG_KEY if "wrong_key" in self.faults else self._held
        wish = PeripheralSettings(
            address=self.memory.address,
            baud=self.memory.baud,
            keys=() if key is None else (key,),
            plain=True,
            comset=ComSetPolicy.ALWAYS,
            inputs=1,
            outputs=1,
        )
        number = zlib.crc32(self.name.encode())
        self._engine = Peripheral(wish, PdId(VENDOR, 1, 1, number, 1, 0, 0))
        self._engine.set_tamper(self.tampered)
        self._station.baud = self.memory.baud
        self._station.run(self._engine)

    def _sleep(self) -> None:
        self.close()
        self._engine = None
        self._armed_until_ns = 0
        self._station.run(None)
        self.trace.put("")
        self.text.tell("", 0)
        self.output.tell(False)
        if self._lamp is not None:
            self._lamp.tell(OFF)
        if self._buzzer is not None:
            self._buzzer.tell(False)

    def power_cycle(self) -> None:
        """Its supply fails for a moment."""
        self._wake()

    def factory_reset(self) -> None:
        """Its memory is what the maker put there."""
        self.memory = Memory()
        self._wake()

    def power_changed(self) -> None:
        self._wake()

    def faults_changed(self) -> None:
        if self.faults & OF_THE_MIND != self._mind_faults:
            self._wake()

    def _connect(self, plugged: bool) -> None:
        super()._connect(plugged)
        self._wake()

    # what people do

    def swipe(self, card: str) -> Gesture:
        """Show a card, for 0.3 s: `FORMAT:FACILITY:NUMBER`, or its bits. Raises OutOfRange, DeviceError."""
        bits = card_bits(card)
        if self._report(Raw(0, 0, bits)):
            self.trace.put(bits)
        return self.gesture(self.place.clock.now_ns() + HOLD_NS)

    def keys(self, text: str) -> Gesture:
        """Press keys, 100 ms from one to the next. Raises OutOfRange for a key no keypad has."""
        self.check_keys(text)
        now_ns = self.place.clock.now_ns()
        for index, key in enumerate(text):
            self.at(now_ns + index * KEY_PACE_NS, partial(self._press, key))
        return self.gesture(now_ns + len(text) * KEY_PACE_NS)

    def _press(self, key: str) -> None:
        self._report(Keypad(0, key))

    def _report(self, event: Payload) -> bool:
        if self._engine is None:
            return False
        self._engine.report(self.place.clock.now_ns(), event)
        self._station.pump()
        return True

    def tamper(self) -> None:
        """Open the housing; when it is open, close it."""
        self.tampered = not self.tampered
        if self._engine is not None:
            self._engine.set_tamper(self.tampered)
            self._station.pump()

    def set_input(self, active: bool) -> None:
        """Close or open the contact at its input."""
        if self._engine is not None:
            self._engine.set_inputs([active])
            self._station.pump()

    # what the panel says

    def _fact(self, fact: Fact) -> None:
        match fact:
            case PanelLight() if self._lamp is not None:
                self._lamp.tell(fact.pattern)
            case PanelBuzz() if self._buzzer is not None:
                self._buzzer.tell(fact.on)
            case PanelText():
                self.text.tell(fact.text, fact.for_s)
            case PanelOutput():
                self.output.tell(fact.on)
            case PanelPlace():
                self.memory.address, self.memory.baud = fact.address, fact.baud
                self._station.move(fact.baud)
            case KeyWanted():
                self._keyed(fact.key)
            case Delivered() | Dropped():
                self.trace.put("")
            case _:
                pass

    def _keyed(self, key: bytes) -> None:
        if "forgets_key" not in self.faults:
            self.memory.key = key
        assert self._engine is not None
        self._engine.accept_key(self.place.clock.now_ns())
        self.at(self.place.clock.now_ns(), self._station.pump)

    # somebody on the cable

    def _edited(self, data: bytes) -> bytes:
        if not {"downgrade", "no_secure"} & self.faults:
            return data
        frame = parse(data.lstrip(b"\xff"))
        if not isinstance(frame, Frame) or frame.secured:
            return data
        if frame.code == ReplyCode.PDCAP:
            return encode(replace(frame, data=without_security(frame.data)))
        if frame.code == ReplyCode.CCRYPT and "no_secure" in self.faults:
            refusal = bytes((NakCode.SECURITY,))
            return encode(replace(frame, code=ReplyCode.NAK, data=refusal, block=None, block_data=b""))
        return data

    def _arm(self) -> None:
        """A reader fresh from its maker takes a first key from whoever comes, however long that lasts."""
        now_ns = self.place.clock.now_ns()
        keyed = self._held is not None or self.memory.key is not None or "wrong_key" in self.faults
        if self._engine is not None and not keyed and now_ns >= self._armed_until_ns:
            self._armed_until_ns = now_ns + INSTALL_LONGEST_NS
            self._engine.arm_install(now_ns, self._armed_until_ns)


def without_security(data: bytes) -> bytes:
    """A list of abilities without the secure channel among them."""
    kept = tuple(each for each in PdCap.decode(data).capabilities if each.function != CapabilityCode.SECURITY)
    return PdCap(kept).encode()
