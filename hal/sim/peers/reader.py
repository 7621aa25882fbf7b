"""A card reader with keypad, lamp and beeper on the two data lines of the 26-bit interface standard.

    D0  ----__-----------------__----      a low pulse on D0 is 0, on D1 is 1
    D1  -------------__--------------      40 us wide, one every 2 ms

The lines are open collector: the reader pulls low or lets go. Source: SIA AC-01-1996.10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from hal.sim.cards import card_bits
from hal.sim.nets import Net
from hal.sim.peers.base import Gesture, Move, Place
from hal.sim.peers.card_reader import KEYS, CardReaderPeer
from hal.sim.peers.light import LightPeer
from hal.sim.peers.switch import SwitchPeer
from hal.sim.traces import Trace


@dataclass(frozen=True, slots=True)
class Timing:
    """Nanoseconds: the width of a pulse, from the start of one bit to the next, and of silence between frames."""

    pulse_ns: int = 40_000
    interval_ns: int = 2_000_000
    frame_gap_ns: int = 100_000_000


FAST = Timing(pulse_ns=10_000, interval_ns=100_000)
SLOW = Timing(pulse_ns=150_000, interval_ns=22_000_000)

NOISE_PULSES = 8


def four_bits(key: int) -> str:
    """A key as four bits: digits as they are, * is ten, # eleven."""
    return f"{key:04b}"


def eight_bits(key: int) -> str:
    """A key as eight bits, padded with zeros."""
    return f"{key:08b}"


def eight_bits_inverted(key: int) -> str:
    """A key as eight bits, its complement first."""
    return f"{key ^ 0xF:04b}{key:04b}"


class ReaderPeer(CardReaderPeer):
    """One reader; its trace is the frame that it is sending, as text of bits.

    Faults: `noise` (short pulses that no card made), `half` (the frame is cut in its middle), `stuck` (D0 held
    low), `overlap` (both lines low at once), `fast` and `slow` (outside the standard's timing).
    """

    kinds_of_fault = frozenset({"noise", "half", "stuck", "overlap", "fast", "slow"})

    def __init__(
        self,
        place: Place,
        name: str,
        d0: Net,
        d1: Net,
        *,
        led: LightPeer | None,
        beeper: SwitchPeer | None,
        keypad: bool,
        alias: str | None = None,
    ) -> None:
        super().__init__(place, name, led=led, beeper=beeper, keypad=keypad, alias=alias)
        self._lines = (d0, d1)
        self._free_ns = 0
        self.timing = Timing()
        self.key_bits: Callable[[int], str] = four_bits
        self.trace: Trace[str] = self.new_trace("")

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    # what people do

    def swipe(self, card: str) -> Gesture:
        """Show a card: `FORMAT:FACILITY:NUMBER`, or its bits. Raises OutOfRange."""
        return self._send(card_bits(card))

    def keys(self, text: str) -> Gesture:
        """Press keys, 100 ms from one to the next. Raises OutOfRange for a key no keypad has."""
        self.check_keys(text)
        gestures = [self._send(self.key_bits(KEYS.index(key))) for key in text]
        return gestures[-1]

    def _connect(self, plugged: bool) -> None:
        if not plugged:
            self.close()
            self._free_ns = 0
        super()._connect(plugged)
        self._rest()

    def power_changed(self) -> None:
        self.close()
        self._free_ns = 0
        self._rest()

    def faults_changed(self) -> None:
        self._rest()
        if "noise" in self.faults and self.alive:
            self.play(self._noise(self.place.clock.now_ns(), 50 * self.timing.interval_ns))

    # the lines

    def _rest(self) -> None:
        self.trace.put("")
        with self.place.copper.together():
            for bit, net in enumerate(self._lines):
                held = bit == 0 and "stuck" in self.faults and self.alive
                net.drive(self.name, False if held else None)

    def _send(self, bits: str) -> Gesture:
        """Send a frame after those already under way."""
        timing = self._timing()
        now_ns = self.place.clock.now_ns()
        start_ns = max(now_ns, self._free_ns)
        if "half" in self.faults:
            bits = bits[: len(bits) // 2]
        moves = list(self._frame(bits, start_ns, timing))
        ends_ns = max((move.t_ns for move in moves), default=start_ns)
        if not self.alive:
            return self.gesture(now_ns)
        if "noise" in self.faults:
            moves += self._noise(start_ns, ends_ns - start_ns)
        self._free_ns = ends_ns + timing.frame_gap_ns
        self.at(start_ns, lambda: self.trace.put(bits))
        return self.play(moves, self._rest)

    def _timing(self) -> Timing:
        odd = FAST if "fast" in self.faults else SLOW if "slow" in self.faults else None
        return self.timing if odd is None else replace(odd, frame_gap_ns=self.timing.frame_gap_ns)

    def _frame(self, bits: str, start_ns: int, timing: Timing) -> Iterator[Move]:
        for index, bit in enumerate(bits):
            begin_ns = start_ns + index * timing.interval_ns
            yield from self._pulse(int(bit), begin_ns, timing.pulse_ns)
            if "overlap" in self.faults and index == len(bits) // 2:
                yield from self._pulse(1 - int(bit), begin_ns + timing.pulse_ns // 4, timing.pulse_ns)

    def _pulse(self, bit: int, begin_ns: int, width_ns: int) -> Iterator[Move]:
        net = self._lines[bit]
        held = bit == 0 and "stuck" in self.faults
        yield Move(begin_ns, net, self.name, False)
        yield Move(begin_ns + width_ns, net, self.name, False if held else None)

    def _noise(self, start_ns: int, span_ns: int) -> list[Move]:
        chance = self.place.chance
        moves: list[Move] = []
        for _ in range(NOISE_PULSES):
            begin_ns = start_ns + chance.randrange(max(1, span_ns))
            moves += self._pulse(chance.randrange(2), begin_ns, chance.randrange(1_000, 20_000))
        return moves
