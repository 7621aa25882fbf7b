"""A reader on a Wiegand interface: card bits, keys and discarded frames, with its light and beeper.

D0 and D1 are one group of lines, so the kernel keeps the order of their edges. Frames end by the
times of the edges, not by when the loop got round to them; `wiegand_framer` does the framing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hal.clock import Clock, Timer
from hal.drivers.digital import DigitalOutput
from hal.drivers.light import Light
from hal.drivers.wiegand_framer import WiegandFramer
from hal.ports import Led, Output
from hal.types import Edge, EdgeKind, Pull, ReaderFact, ReaderTrouble
from hal.wires import Gpio, InputLines

__all__ = ["WiegandFramer", "WiegandReader"]

# A pulse lasts 100 us at most; a line that is low again after this is not at the first bit of a new frame.
STUCK_CHECK_S = 0.001
# When the loop runs this late, edges may be queued behind the timer: they get one more round.
LATE_NS = 5_000_000


class WiegandReader:
    """Port `CardReader`. It owns its light and its beeper and closes them."""

    def __init__(
        self,
        name: str,
        lines: InputLines,
        framer: WiegandFramer,
        clock: Clock,
        *,
        led: Light | None,
        beeper: DigitalOutput | None,
        idle_s: float,
    ) -> None:
        self._name = name
        self._lines = lines
        self._framer = framer
        self._clock = clock
        self._led = led
        self._beeper = beeper
        self._idle_s = idle_s
        self._handler: Callable[[ReaderFact], None] | None = None
        self._timer: Timer | None = None
        self._first_look: Timer | None = None
        self._doubted_ns: int | None = None
        self._waited_ns: int | None = None
        lines.watch(self._edge)

    @classmethod
    async def open(
        cls,
        name: str,
        gpio: Gpio,
        d0: int,
        d1: int,
        clock: Clock,
        *,
        led: Light | None,
        beeper: DigitalOutput | None,
        idle_s: float = 0.025,
        min_bits: int = 24,
        max_bits: int = 256,
        keypad: bool = True,
    ) -> WiegandReader:
        """Request both data lines in one group. `idle_s` 0.020 to 0.100. Raises OutOfRange, LineInUse, BusError."""
        framer = WiegandFramer(name, idle_s=idle_s, min_bits=min_bits, max_bits=max_bits, keypad=keypad)
        lines = await gpio.inputs(name, [d0, d1], pull=Pull.UP, edges=EdgeKind.FALLING)
        return cls(name, lines, framer, clock, led=led, beeper=beeper, idle_s=idle_s)

    @property
    def name(self) -> str:
        return self._name

    @property
    def led(self) -> Led | None:
        return self._led

    @property
    def beeper(self) -> Output | None:
        return self._beeper

    @property
    def discarded(self) -> Mapping[ReaderTrouble, int]:
        """How many frames were discarded since the reader was opened, by reason."""
        return MappingProxyType(dict(self._framer.discarded))

    def watch(self, handler: Callable[[ReaderFact], None] | None) -> None:
        """Report facts; a line that is low already is told to a new handler as stuck."""
        self._handler = handler
        self._cancel_first_look()
        if handler is not None:
            self._first_look = self._clock.call_later(self._idle_s, self._look_first)

    def close(self) -> None:
        """Light and beeper off, then all lines given back; closing twice is harmless."""
        self._handler = None
        self._cancel_first_look()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._led is not None:
            self._led.close()
        if self._beeper is not None:
            self._beeper.close()
        self._lines.watch(None)
        self._lines.close()

    def _edge(self, edge: Edge) -> None:
        self._tell(self._framer.feed(edge))
        self._arm()

    def _arm(self) -> None:
        deadline_ns = self._framer.deadline_ns
        if self._timer is None and deadline_ns is not None:
            self._timer = self._clock.call_at(deadline_ns, self._silence)

    def _silence(self) -> None:
        """Some frame's idle time is over, unless edges came meanwhile."""
        self._timer = None
        now_ns, deadline_ns = self._clock.now_ns(), self._framer.deadline_ns
        if deadline_ns is None:
            return
        if now_ns < deadline_ns:
            self._arm()
        elif now_ns - deadline_ns > LATE_NS and self._waited_ns != deadline_ns:
            self._waited_ns = deadline_ns
            self._timer = self._clock.call_later(STUCK_CHECK_S, self._silence)
        elif all(self._lines.levels()):
            self._tell(self._framer.silence(now_ns))
        elif self._doubted_ns != deadline_ns:  # stuck, or just the first bit of the next frame
            self._doubted_ns = deadline_ns
            self._timer = self._clock.call_later(STUCK_CHECK_S, self._silence)
        else:
            self._tell(self._framer.stuck(now_ns))

    def _look_first(self) -> None:
        self._first_look = None
        if self._framer.deadline_ns is None and not all(self._lines.levels()):
            self._tell(self._framer.stuck(self._clock.now_ns()))

    def _cancel_first_look(self) -> None:
        if self._first_look is not None:
            self._first_look.cancel()
            self._first_look = None

    def _tell(self, facts: tuple[ReaderFact, ...]) -> None:
        for fact in facts:
            if self._handler is not None:
                self._handler(fact)
