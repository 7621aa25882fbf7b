"""A built-in reader of chips at the far end of a serial port, and the cards that are put to it.

A card is written `CHIP:CSN`, followed by what is stored on it, each after a semicolon: `p4=01020304` (a page),
`b4@KEY=HEX` (a block that opens with that key), `f123456.1@KEY=HEX` (a file of an application). The line protocol is
written here once more: the driver has its own code, and the two must agree over the wire.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from hal.errors import OutOfRange
from hal.sim.peers.base import Gesture, Place
from hal.sim.peers.card_reader import KEY_PACE_NS, CardReaderPeer
from hal.sim.serial import SerialBus
from hal.sim.traces import Trace

BAUD = 115_200
MOST_READS = 32

_CARD = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/+-]{0,31}):((?:[0-9A-Fa-f]{2}){1,32})((?:;[^;]+)*)")
_STORED = re.compile(r"(p\d+|b\d+@[0-9A-F]{12}|f[0-9A-F]{6}\.\d+@[0-9A-F]{32})=((?:[0-9A-F]{2})+)")


@dataclass(frozen=True, slots=True)
class ChipCard:
    """A card: chip type, serial number, and what is stored, by place and key."""

    chip: str
    csn: str
    stored: Mapping[str, str]


def chip_card(text: str) -> ChipCard:
    """Read the text form. Raises OutOfRange."""
    match = _CARD.fullmatch(text)
    if match is None:
        raise OutOfRange("card", f"{text[:60]!r} is not a card with a chip; write CHIP:CSN[;p4=HEX][;b4@KEY=HEX]")
    stored = {}
    for part in match[3].split(";")[1:]:
        place = _STORED.fullmatch(part[0] + part[1:].upper())
        if place is None:
            raise OutOfRange(
                "card", f"{part[:60]!r} is not what a card stores; write p4=HEX, b4@KEY=HEX or f123456.1@KEY=HEX"
            )
        stored[place[1]] = place[2]
    return ChipCard(match[1], match[2].upper(), stored)


class CardModulePeer(CardReaderPeer):
    """One module; its trace is the serial number of the card it read last.

    Faults: `garbled` (the check of every line is wrong), `dead` (it hears and says nothing). When one ends, it has
    restarted: it knows no reads and says READY.
    """

    kinds_of_fault = frozenset({"garbled", "dead"})

    def __init__(self, place: Place, name: str, bus: SerialBus, *, keypad: bool, alias: str | None = None) -> None:
        super().__init__(place, name, led=None, beeper=None, keypad=keypad, alias=alias)
        self._bus = bus
        self._heard = bytearray()
        self.reads: dict[str, list[str]] = {}
        self.trace: Trace[str] = self.new_trace("")
        bus.stations.append(self)

    @property
    def baud(self) -> int:
        """The rate it listens and talks at."""
        return BAUD

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    def state(self) -> dict[str, object]:
        """The last card, and how many reads it was told."""
        return super().state() | {"card": self.trace.value, "reads": len(self.reads)}

    # what people do

    def swipe(self, card: str) -> Gesture:
        """Put a card with a chip to it. Raises OutOfRange."""
        put = chip_card(card)
        self.trace.put(put.csn)
        words = ["CARD", put.chip, put.csn]
        for name, (chip, *place) in self.reads.items():
            found = self._read(put, place) if chip == put.chip else None
            if found is not None:
                words.append(f"{name}={found}")
        return self._say(" ".join(words))

    def keys(self, text: str) -> Gesture:
        """Press keys, 100 ms from one to the next. Raises OutOfRange for a key no keypad has."""
        self.check_keys(text)
        now_ns = self.place.clock.now_ns()
        for index, key in enumerate(text):
            self.at(now_ns + index * KEY_PACE_NS, partial(self._press, key))
        return self.gesture(now_ns + len(text) * KEY_PACE_NS)

    def _press(self, key: str) -> None:
        self._say(f"KEY {key}")

    def _connect(self, plugged: bool) -> None:
        super()._connect(plugged)
        self.close()
        self._restart()

    def power_changed(self) -> None:
        self.close()
        self._restart()

    def faults_changed(self) -> None:
        if not self.faults:
            self._restart()

    def _restart(self) -> None:
        self.reads.clear()
        self._heard.clear()
        if self.alive:
            self._say("READY sim-module 1")

    @staticmethod
    def _read(card: ChipCard, place: list[str]) -> str | None:
        match place:
            case ["block", number, _, key]:
                return card.stored.get(f"b{number}@{key}")
            case ["pages", first, count]:
                pages = [card.stored.get(f"p{int(first) + page}") for page in range(int(count))]
                return None if None in pages else "".join(page for page in pages if page is not None)
            case ["file", application, file, _, key]:
                return card.stored.get(f"f{application}.{file}@{key}")
        return None

    # the wire

    def hear(self, t_ns: int, data: bytes) -> None:
        """Bytes have arrived from the device."""
        if "dead" in self.faults or not self.alive:
            return
        self._heard += data
        while (end := self._heard.find(b"\n")) >= 0:
            line = bytes(self._heard[:end]).decode("ascii", "replace")
            del self._heard[: end + 1]
            text, _, check = line.rpartition(" *")
            if check == _check(text):
                self._told(text.split(" "))

    def _told(self, words: list[str]) -> None:
        if words == ["CLEAR"]:
            self.reads.clear()
        elif words[0] == "READ" and len(words) >= 5 and len(self.reads) < MOST_READS:
            self.reads[words[1]] = words[2:]
        else:
            self._say("ERR not understood")

    def _say(self, text: str) -> Gesture:
        if "dead" in self.faults or not self.alive:
            return self.gesture(self.place.clock.now_ns())
        check = "0000" if "garbled" in self.faults else _check(text)
        return self.gesture(self._bus.say(self, f"{text} *{check}\n".encode("ascii")))


def _check(text: str) -> str:
    return f"{binascii.crc_hqx(text.encode('ascii', 'replace'), 0xFFFF):04X}"
