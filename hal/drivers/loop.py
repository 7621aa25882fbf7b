"""An input loop with end-of-line resistors, measured by a converter (hardening row 12).

One resistor in series with the contact's two wires, one across the contact: a closed contact shows
one resistance, an open one twice that; a short shows none, a cut an infinite one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hal.clock import Clock
from hal.drivers.poll import Problem, ProblemHandler, poll_forever
from hal.errors import HalError, OutOfRange
from hal.ports import LoopChange
from hal.types import LoopState
from hal.wires import AnalogIn

# Half of each threshold's band, as a part of the resistance at the threshold. With 8 % the bands end at 1.38 and
# 1.62 times the resistor, clear of a closed loop 10 % too high (1.1) and an open one 10 % too low (1.8).
HYSTERESIS = 0.08
# A change counts when this many polls in a row saw it.
CONFIRMING_POLLS = 2


@dataclass(frozen=True, slots=True)
class Bands:
    """The states of a loop by rising voltage, and the band between each and the next: (down below, up above)."""

    states: tuple[LoopState, ...]
    limits_v: tuple[tuple[float, float], ...]


# Without resistors a circuit is open when disconnected or above 1 V (manual 001, I/O ports).
UNSUPERVISED = Bands((LoopState.CLOSED, LoopState.OPEN), ((0.9, 1.0),))


def supervised(eol_ohm: float, pullup_ohm: float, supply_v: float) -> Bands:
    """The bands of a loop of two `eol_ohm` resistors, pulled to `supply_v` through `pullup_ohm`.

    Thresholds lie midway between the nominal resistances; to the cut loop, which has none, midway in conductance.
    """

    def volts(ohm: float) -> float:
        return supply_v * ohm / (ohm + pullup_ohm)

    thresholds_ohm = (eol_ohm / 2, eol_ohm * 3 / 2, eol_ohm * 4)
    limits_v = tuple((volts(ohm * (1 - HYSTERESIS)), volts(ohm * (1 + HYSTERESIS))) for ohm in thresholds_ohm)
    return Bands((LoopState.SHORT, LoopState.CLOSED, LoopState.OPEN, LoopState.CUT), limits_v)


def classify(volts: float, previous: LoopState | None, bands: Bands) -> LoopState:
    """The state of a loop at `volts`; within a band it stays what it was."""
    index = bands.states.index(previous) if previous in bands.states else 0
    while index < len(bands.limits_v) and volts > bands.limits_v[index][1]:
        index += 1
    while index > 0 and volts < bands.limits_v[index - 1][0]:
        index -= 1
    return bands.states[index]


class LoopTracker:
    """A loop's state from one poll to the next; pure."""

    def __init__(self, bands: Bands, volts: float | None) -> None:
        self._bands = bands
        # A loop that cannot be measured is not trusted to be whole.
        self._state = bands.states[-1] if volts is None else classify(volts, None, bands)
        self._seen = self._state
        self._since_ns = 0
        self._polls = 0

    @property
    def state(self) -> LoopState:
        """The confirmed state."""
        return self._state

    def feed(self, t_ns: int, volts: float) -> LoopChange | None:
        """Take the voltage of one poll; a confirmed change is stamped with the poll that saw it first."""
        seen = classify(volts, self._seen, self._bands)
        if seen != self._seen:
            self._seen = seen
            self._since_ns = t_ns
            self._polls = 0
        self._polls += 1
        if seen == self._state or self._polls < CONFIRMING_POLLS:
            return None
        self._state = seen
        return LoopChange(self._since_ns, seen)


def check_loop(name: str, eol_ohm: float, pullup_ohm: float, supply_v: float, poll_s: float) -> None:
    """Refuse values that no loop can have. Raises OutOfRange."""
    values = {"eol_ohm": eol_ohm, "pullup_ohm": pullup_ohm, "supply_v": supply_v, "poll_s": poll_s}
    for what, value in values.items():
        if not 0 < value < float("inf"):
            raise OutOfRange(name, f"{what} is {value}; it must be above 0")


class SupervisedLoop:
    """Port `Loop` over one channel of a converter; call `run` for as long as it is open."""

    def __init__(self, name: str, adc: AnalogIn, channel: int, clock: Clock, *, bands: Bands, poll_s: float) -> None:
        self._name = name
        self._adc = adc
        self._channel = channel
        self._clock = clock
        self._bands = bands
        self._poll_s = poll_s
        self._tracker = LoopTracker(bands, None)
        self._problem = Problem(name)
        self._handler: Callable[[LoopChange], None] | None = None

    @classmethod
    async def open(
        cls,
        name: str,
        adc: AnalogIn,
        channel: int,
        clock: Clock,
        *,
        eol_ohm: float,
        pullup_ohm: float,
        supply_v: float,
        poll_s: float = 0.020,
        supervised: bool = True,
    ) -> SupervisedLoop:
        """Measure the loop once. A loop that cannot be measured reads cut (unsupervised: open) until it can.

        Raises OutOfRange for values no loop can have.
        """
        check_loop(name, eol_ohm, pullup_ohm, supply_v, poll_s)
        bands = bands_for(supervised, eol_ohm, pullup_ohm, supply_v)
        loop = cls(name, adc, channel, clock, bands=bands, poll_s=poll_s)
        try:
            loop._tracker = LoopTracker(bands, await adc.read_v(channel))
        except HalError as error:
            loop._problem.failed(error)
        return loop

    @property
    def name(self) -> str:
        return self._name

    @property
    def supervised(self) -> bool:
        return self._bands is not UNSUPERVISED

    @property
    def problem(self) -> HalError | None:
        """Why the loop cannot be measured now; `state` is then the last one that could."""
        return self._problem.error

    def on_problem(self, handler: ProblemHandler | None) -> None:
        """Report the beginning and the end of a failure to measure."""
        self._problem.watch(handler)

    def state(self) -> LoopState:
        return self._tracker.state

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        self._handler = handler

    async def run(self) -> None:
        """Poll for ever."""
        await poll_forever(self._clock, self._poll_s, self._problem, self._poll)

    def close(self) -> None:
        """Report nothing more."""
        self._handler = None

    async def _poll(self) -> None:
        volts = await self._adc.read_v(self._channel)
        change = self._tracker.feed(self._clock.now_ns(), volts)
        if change is not None and self._handler is not None:
            self._handler(change)


def bands_for(with_resistors: bool, eol_ohm: float, pullup_ohm: float, supply_v: float) -> Bands:
    """The bands of a supervised or an unsupervised loop."""
    return supervised(eol_ohm, pullup_ohm, supply_v) if with_resistors else UNSUPERVISED
