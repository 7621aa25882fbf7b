"""Somebody's panel on our second serial port: it polls us, notes cards and keys, and sends what it is asked to.

It is not there until it is plugged in, so that a board whose port nobody uses costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from hal.errors import OutOfRange
from hal.osdp.commands import (
    PERMANENT_SET,
    PERMANENT_TEXT,
    TEMPORARY_SET,
    TEMPORARY_TEXT,
    TONE_DEFAULT,
    TONE_OFF,
    Buz,
    ComSet,
    Led,
    LedColour,
    LedPermanent,
    LedRecord,
    LedTemporary,
    Out,
    OutputControl,
    OutputRecord,
    Text,
)
from hal.osdp.facts import Fact, Finished, LinkChanged, Outcome, ReaderSettings, Rekeyed, Reported
from hal.osdp.panel import Panel
from hal.osdp.payload import Payload
from hal.osdp.replies import Com, Keypad, LocalStatusReply, Raw
from hal.sim.peers.base import Peer, Place
from hal.sim.peers.osdp_station import CABLE_FAULTS, OsdpStation
from hal.sim.serial import SerialBus
from hal.sim.traces import Trace
from hal.types import LinkPhase, LinkStatus

SHOWN_NS = 100_000_000
INSTALL_NS = 60_000_000_000
MOST_NOTED = 1000


class Lane(Peer):
    """Something the panel takes down; its trace is the newest, for a tenth of a second."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place, name)
        self.trace: Trace[str] = self.new_trace("")

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    def tell(self, text: str) -> None:
        """Take this down."""
        self.close()
        self.trace.put("")
        self.trace.put(text)
        self.at(self.place.clock.now_ns() + SHOWN_NS, lambda: self.trace.put(""))


class OsdpPanelPeer(Peer):
    """One panel; its trace is how its link with us stands.

    Faults: `dead` (it polls no more), and those of a bad cable: `noise`, `half`, `drop`, `garbage`.
    """

    kind = "panel"
    kinds_of_fault = CABLE_FAULTS | {"dead"}

    def __init__(self, place: Place, name: str, bus: SerialBus, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self.address = 0
        self.keys: tuple[bytes, ...] = ()
        self.plain = True
        self.poll_ns = 50_000_000
        self.plugged = False
        self.tampered = False
        self.cards: deque[str] = deque(maxlen=MOST_NOTED)
        self.pressed = ""
        self.finished: dict[int, Finished] = {}
        self.trace: Trace[str] = self.new_trace(LinkPhase.OFF)
        self._card_lane = Lane(place, f"{name}.card")
        self._key_lane = Lane(place, f"{name}.key")
        self._engine: Panel | None = None
        self._station = OsdpStation(self, bus, 9600, fact=self._fact)

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    @property
    def parts(self) -> Mapping[str, Peer]:
        return {"card": self._card_lane, "key": self._key_lane}

    @property
    def baud(self) -> int:
        """The rate of its bus."""
        return self._station.baud

    @baud.setter
    def baud(self, baud: int) -> None:
        self._station.baud = baud

    def state(self) -> dict[str, object]:
        """Plugged or not, its link, and what it has taken down."""
        status = self.status
        return {
            "plugged": self.plugged,
            "link": status.phase.value,
            "reason": status.reason,
            "secure": status.secure,
            "cards": list(self.cards)[-10:],
            "keys": self.pressed,
        }

    @property
    def status(self) -> LinkStatus:
        """How its link with us stands."""
        if self._engine is None:
            return LinkStatus(t_ns=self.place.clock.now_ns())
        return self._engine.status(self.address)

    # what people do

    def plug(self) -> None:
        """Put the cable in: it begins to poll with what it knows."""
        self.plugged = True
        self._begin()

    def unplug(self) -> None:
        """Pull the cable out."""
        self.plugged = False
        self._begin()

    def power_cycle(self) -> None:
        """It starts anew; what it has taken down stays."""
        self._begin()

    def _begin(self) -> None:
        self._engine = None
        if self.plugged:
            wish = ReaderSettings(address=self.address, keys=self.keys, plain=self.plain, poll_ns=self.poll_ns)
            self._engine = Panel([wish], baud=self.baud)
        self.trace.put(LinkPhase.CONNECTING if self.plugged else LinkPhase.OFF)
        self._station.run(self._engine)
        self._station.pump()

    def faults_changed(self) -> None:
        if "dead" not in self.faults:
            self._station.pump()

    # what it sends

    def light(self, colour: str, *, for_s: float = 0.0, flash: bool = False) -> int:
        """Show a colour on our light: for a time, or as what stands below. Returns the ticket of the command."""
        names = {each.name.lower(): each for each in LedColour}
        if colour not in names:
            raise OutOfRange(self.title, f"no colour {colour!r}; valid: {', '.join(names)}")
        shown, off_ds = names[colour], 5 if flash else 0
        if for_s:
            timer_ds = round(for_s * 10)
            record = LedRecord(temporary=LedTemporary(TEMPORARY_SET, 5, off_ds, shown, LedColour.OFF, timer_ds))
        else:
            record = LedRecord(permanent=LedPermanent(PERMANENT_SET, 5, off_ds, shown, LedColour.OFF))
        return self.send(Led((record,)))

    def buzz(self, count: int) -> int:
        """Sound our buzzer so often, 0.2 s each; 0 ends it."""
        return self.send(Buz(0, TONE_DEFAULT if count else TONE_OFF, 2, 2, count))

    def write(self, text: str, *, for_s: int = 0) -> int:
        """Show a text."""
        return self.send(Text(0, TEMPORARY_TEXT if for_s else PERMANENT_TEXT, for_s, 1, 1, text))

    def switch(self, on: bool, *, for_s: float = 0.0) -> int:
        """Switch our output 0."""
        if for_s:
            control = OutputControl.ON_FOR if on else OutputControl.OFF_FOR
        else:
            control = OutputControl.ON if on else OutputControl.OFF
        return self.send(Out((OutputRecord(0, control, round(for_s * 10)),)))

    def move(self, address: int, baud: int) -> int:
        """Move us to another address and rate, and follow."""
        return self.send(ComSet(address, baud))

    def set_key(self, key: bytes) -> int:
        """Give us a new key inside the secure channel."""
        return self._asked(lambda engine: engine.set_key(self.address, key))

    def install(self, key: bytes) -> int:
        """Give us our first key, within a minute."""
        now_ns = self.place.clock.now_ns()
        return self._asked(lambda engine: engine.install(self.address, key, t_ns=now_ns, until_ns=now_ns + INSTALL_NS))

    def send(self, command: Payload) -> int:
        """Send any command; returns its ticket, under which `finished` tells how it ended."""
        return self._asked(lambda engine: engine.submit(self.address, command))

    def _asked(self, ask: Callable[[Panel], int]) -> int:
        if self._engine is None:
            raise OutOfRange(self.title, "is not plugged in")
        ticket = ask(self._engine)
        self._station.pump()
        return ticket

    # what it hears

    def _fact(self, fact: Fact) -> None:
        match fact:
            case LinkChanged():
                self.trace.put(fact.status.phase)
            case Reported():
                self._reported(fact.reply)
            case Finished():
                self.finished[fact.ticket] = fact
                if fact.outcome is Outcome.DONE and isinstance(fact.reply, Com):
                    self._moved(fact.reply)
            case Rekeyed():
                self.keys = (fact.key,)
            case _:
                pass

    def _reported(self, reply: Payload) -> None:
        match reply:
            case Raw():
                self.cards.append(reply.bits)
                self._card_lane.tell(reply.bits)
            case Keypad():
                self.pressed = (self.pressed + reply.keys)[-MOST_NOTED:]
                self._key_lane.tell(reply.keys)
            case LocalStatusReply():
                self.tampered = bool(reply.tamper)
            case _:
                pass

    def _moved(self, place: Com) -> None:
        """We have said where we are from now on."""
        self.address, self.baud = place.address, place.baud
        self._begin()
