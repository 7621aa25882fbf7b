"""A configurable I/O terminal: an input loop, or an open-drain output to ground (manual 001, I/O connector).

Its transistor is off whenever the terminal is an input, is being turned round, opens or closes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hal.clock import Clock
from hal.drivers.debounce import DebouncedLine
from hal.drivers.loop import UNSUPERVISED, LoopTracker, bands_for, check_loop
from hal.drivers.poll import Problem, ProblemHandler, poll_forever
from hal.errors import BusError, HalError, OutOfRange
from hal.ports import LoopChange
from hal.types import Direction, LoopState, Pull
from hal.wires import AnalogIn, Gpio, OutputLines

log = logging.getLogger("hal.drivers")

DEBOUNCE_S = 0.010


class IoTerminal:
    """Port `Terminal`; call `run` for as long as it is open. It starts as an input where it can be one."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        transistor: OutputLines | None,
        adc: tuple[AnalogIn, int] | None,
        eol_ohm: float,
        pullup_ohm: float,
        supply_v: float,
        poll_s: float,
    ) -> None:
        self._name = name
        self._clock = clock
        self._transistor = transistor
        self._adc = adc
        self._line: DebouncedLine | None = None
        self._loop = (eol_ohm, pullup_ohm, supply_v)
        self._poll_s = poll_s
        self._tracker = LoopTracker(UNSUPERVISED, None)
        self._turning_round = asyncio.Lock()
        self._settling = False
        self._is_input = asyncio.Event()
        self._direction = Direction.OUTPUT
        self._driven = False
        self._told = LoopState.OPEN
        self._closed = False
        self._problem = Problem(name)
        self._handler: Callable[[LoopChange], None] | None = None

    @classmethod
    async def open(
        cls,
        name: str,
        clock: Clock,
        *,
        output: tuple[Gpio, int] | None,
        input: tuple[Gpio, int] | None,
        adc: tuple[AnalogIn, int] | None,
        eol_ohm: float,
        pullup_ohm: float,
        supply_v: float,
        poll_s: float = 0.020,
    ) -> IoTerminal:
        """Request what the board has: an output line (high closes), and an input line or a converter channel.

        Raises OutOfRange for a terminal with neither or with two inputs, LineInUse, BusError.
        """
        if output is None and input is None and adc is None:
            raise OutOfRange(name, "a terminal needs an output, an input line or a converter channel")
        if input is not None and adc is not None:
            raise OutOfRange(name, "a terminal reads an input line or a converter channel, not both")
        check_loop(name, eol_ohm, pullup_ohm, supply_v, poll_s)
        transistor = None if output is None else await output[0].outputs(name, [output[1]], initial=[False])
        terminal = cls(
            name,
            clock,
            transistor=transistor,
            adc=adc,
            eol_ohm=eol_ohm,
            pullup_ohm=pullup_ohm,
            supply_v=supply_v,
            poll_s=poll_s,
        )
        try:
            if input is not None:
                lines = await input[0].inputs(f"{name}.input", [input[1]], pull=Pull.UP)
                terminal._line = DebouncedLine(lines, clock, DEBOUNCE_S, terminal._settled)
            if terminal._can_read:
                await terminal.configure(Direction.INPUT, supervised=False)
        except BaseException:
            terminal.close()
            raise
        return terminal

    @property
    def name(self) -> str:
        return self._name

    @property
    def configurable(self) -> bool:
        return self._transistor is not None and self._can_read

    @property
    def can_supervise(self) -> bool:
        return self._adc is not None

    @property
    def direction(self) -> Direction:
        return self._direction

    @property
    def problem(self) -> HalError | None:
        """Why the input cannot be measured now; its circuit is then the last one that could."""
        return self._problem.error

    def on_problem(self, handler: ProblemHandler | None) -> None:
        """Report the beginning and the end of a failure to measure."""
        self._problem.watch(handler)

    async def configure(self, direction: Direction, *, supervised: bool) -> None:
        """Open the output, then turn the terminal round; `supervised` counts for an input only.

        Raises OutOfRange when the board cannot, BusError when the output cannot be opened.
        """
        self._check(direction, supervised)
        async with self._turning_round:
            if self._closed:
                raise BusError(self._name, "configured after it was closed")
            was_driven = self._driven
            self._open_circuit()
            self._direction = direction
            self._is_input.clear()
            if direction is Direction.INPUT:
                self._settling = True
                try:
                    # The line needs a moment to rise after the transistor let go.
                    await self._clock.sleep(self._poll_s if was_driven else 0.0)
                    await self._measure_first(supervised)
                finally:
                    self._settling = False
                    self._is_input.set()
            self._tell(self._clock.now_ns())

    def circuit(self) -> LoopState:
        if self._settling or self._closed:
            return self._told
        if self._direction is Direction.OUTPUT:
            return LoopState.CLOSED if self._driven else LoopState.OPEN
        if self._line is not None:
            return LoopState.OPEN if self._line.level else LoopState.CLOSED
        return self._tracker.state

    def close_circuit(self, closed: bool) -> None:
        """Drive the output. Raises OutOfRange on an input, BusError."""
        if self._direction is not Direction.OUTPUT:
            raise OutOfRange(self._name, "is an input; only an output can be driven")
        if self._closed:
            if closed:
                raise BusError(self._name, "driven after it was closed")
            return
        self._drive(closed)
        self._tell(self._clock.now_ns())

    def watch(self, handler: Callable[[LoopChange], None] | None) -> None:
        self._handler = handler

    async def run(self) -> None:
        """Poll the converter for ever; a terminal without one needs nothing, and this ends at once."""
        if self._adc is not None:
            await poll_forever(self._clock, self._poll_s, self._problem, self._poll)

    def close(self) -> None:
        """Open the output, then give the lines back; closing twice is harmless."""
        if self._closed:
            return
        try:
            self._open_circuit()
        except BusError as error:
            log.error("%s: could not be opened when closing: %s", self._name, error)
        self._closed = True
        self._handler = None
        if self._line is not None:
            self._line.close()
        if self._transistor is not None:
            self._transistor.close()

    @property
    def _can_read(self) -> bool:
        return self._adc is not None or self._line is not None

    def _check(self, direction: Direction, supervised: bool) -> None:
        if direction is Direction.OUTPUT and self._transistor is None:
            raise OutOfRange(self._name, "cannot be an output: the board has no output line there")
        if direction is Direction.INPUT and not self._can_read:
            raise OutOfRange(self._name, "cannot be an input: the board has no input there")
        if direction is Direction.INPUT and supervised and not self.can_supervise:
            raise OutOfRange(self._name, "cannot be supervised: the board has no converter there")

    async def _measure_first(self, supervised: bool) -> None:
        """Start the state of a measured input from what is there, or from the unsafe end when it cannot be read."""
        if self._adc is None:
            return
        bands = bands_for(supervised, *self._loop)
        adc, channel = self._adc
        volts: float | None = None
        try:
            volts = await adc.read_v(channel)
        except HalError as error:
            self._problem.failed(error)
        self._tracker = LoopTracker(bands, volts)

    async def _poll(self) -> None:
        if self._direction is Direction.OUTPUT and self._problem.error is None:
            await self._is_input.wait()  # of an output nothing is measured, however long it is one
        if self._direction is Direction.OUTPUT or self._settling or self._adc is None:
            return
        adc, channel = self._adc
        volts = await adc.read_v(channel)
        change = self._tracker.feed(self._clock.now_ns(), volts)
        if change is not None:
            self._tell(change.t_ns)

    def _settled(self, t_ns: int, _level: bool) -> None:
        if self._direction is Direction.INPUT:
            self._tell(t_ns)

    def _drive(self, closed: bool) -> None:
        if self._transistor is not None and closed != self._driven:
            self._transistor.set(closed)
            self._driven = closed

    def _open_circuit(self) -> None:
        if self._driven:
            self._drive(False)
            self._tell(self._clock.now_ns())

    def _tell(self, t_ns: int) -> None:
        state = self.circuit()
        if state == self._told:
            return
        self._told = state
        if self._handler is not None:
            self._handler(LoopChange(t_ns, state))
