"""MCP23017: sixteen lines behind I2C, offered as a GPIO chip like the processor's own.

Lines 0 to 7 are port A, 8 to 15 port B. The outputs' latch is written before their direction, so a
line shows its first level and nothing else. Driving a line only notes it; `run` carries it to the chip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from hal.clock import Clock, Timer
from hal.drivers.mcp23017_lines import ExpanderInputs, ExpanderOutputs
from hal.drivers.mcp23017_registers import ADDRESSES, LINES, Chip, Registers, mask
from hal.drivers.poll import Problem, ProblemHandler
from hal.errors import Absent, Garbled, HalError, LineInUse, NoReply, OutOfRange
from hal.types import Drive, Edge, EdgeKind, Pull
from hal.wires import Gpio, I2c, InputLines, OutputLines

# With an interrupt line a lost edge of that line is made good after this; it is also how often the chip is
# looked at to see whether it was reset behind our back.
LOOK_S = 1.0
# Rounds in which the chip may keep its interrupt low because lines go on changing.
ROUNDS = 8


class Mcp23017:
    """Wire `Gpio` with lines 0 to 15; call `run` for as long as it is open.

    While the chip does not answer, inputs keep their last level and outputs are carried out when it comes back.
    """

    def __init__(self, name: str, chip: Chip, clock: Clock, *, interrupt: InputLines | None, poll_s: float) -> None:
        self._name = name
        self._chip = chip
        self._clock = clock
        self._interrupt = interrupt
        self._poll_s = LOOK_S if interrupt is not None else poll_s
        self._owners: dict[int, str] = {}
        self._groups: list[ExpanderInputs] = []
        self._levels = 0
        self._interrupted_ns: int | None = None
        self._looked_ns = clock.now_ns()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._problem = Problem(name)
        if interrupt is not None:
            interrupt.watch(self._interrupted)

    @classmethod
    async def open(
        cls,
        name: str,
        i2c: I2c,
        address: int,
        clock: Clock,
        *,
        interrupt: tuple[Gpio, int] | None = None,
        poll_s: float = 0.010,
    ) -> Mcp23017:
        """Find the chip, and move nothing on it. Raises OutOfRange for its address, Absent, LineInUse, BusError."""
        if address not in ADDRESSES:
            raise OutOfRange(name, f"address 0x{address:02x} is not between 0x20 and 0x27")
        try:
            chip = await Chip.open(name, i2c, address, with_interrupt=interrupt is not None)
        except NoReply as error:
            raise Absent(name, f"no expander answers at 0x{address:02x}") from error
        lines = None
        if interrupt is not None:
            gpio, offset = interrupt
            lines = await gpio.inputs(f"{name}.interrupt", [offset], pull=Pull.UP, edges=EdgeKind.FALLING)
        return cls(name, chip, clock, interrupt=lines, poll_s=poll_s)

    @property
    def name(self) -> str:
        """The node's name."""
        return self._name

    @property
    def problem(self) -> HalError | None:
        """Why the chip cannot be reached now, or None."""
        return self._problem.error

    def on_problem(self, handler: ProblemHandler | None) -> None:
        """Report the beginning and the end of a failure."""
        self._problem.watch(handler)

    async def inputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        pull: Pull = Pull.NONE,
        edges: EdgeKind = EdgeKind.BOTH,
        debounce_us: int = 0,
    ) -> InputLines:
        """Request lines as inputs. Raises LineInUse, BusError, and OutOfRange for what the chip has not:
        pull-down, debounce, lines beyond 15."""
        if pull is Pull.DOWN:
            raise OutOfRange(self._name, f"line for {owner}: the chip has pull-ups only")
        if debounce_us:
            raise OutOfRange(self._name, f"line for {owner}: the chip has no debounce")
        async with self._turn:
            self._check(owner, offsets)
            wanted = self._chip.want
            lines = mask(offsets)
            setup = Registers(
                iodir=wanted.iodir | lines,
                gppu=wanted.gppu | lines if pull is Pull.UP else wanted.gppu & ~lines,
                gpinten=wanted.gpinten | lines if self._interrupt is not None else wanted.gpinten,
                olat=wanted.olat,
            )
            await self._take(owner, offsets, setup)
            self._share(await self._chip.levels(), self._clock.now_ns())
            self._interrupted_ns = None
            group = ExpanderInputs(tuple(offsets), edges, self._levels, self._give_back_inputs)
            self._groups.append(group)
        self._wake.set()
        return group

    async def outputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        initial: Sequence[bool],
        drive: Drive = Drive.PUSH_PULL,
    ) -> OutputLines:
        """Request lines as outputs, latch first. Open drain is made of the direction: low, or not driven at all.

        Raises LineInUse, BusError, OutOfRange.
        """
        if len(initial) != len(offsets):
            raise OutOfRange(self._name, f"{len(initial)} first levels for {len(offsets)} lines of {owner}")
        open_drain = drive is Drive.OPEN_DRAIN
        async with self._turn:
            self._check(owner, offsets)
            wanted = self._chip.want
            lines = mask(offsets)
            quiet = Registers(
                iodir=wanted.iodir,
                gppu=wanted.gppu & ~lines,
                gpinten=wanted.gpinten & ~lines,
                olat=wanted.olat,
            )
            await self._take(owner, offsets, quiet.driven(offsets, initial, open_drain=open_drain))
        return ExpanderOutputs(self._name, tuple(offsets), tuple(initial), open_drain, self._drive, self._give_back)

    async def run(self) -> None:
        """Carry levels both ways for ever; back off while the chip fails."""
        while True:
            self._wake.clear()
            try:
                async with self._turn:
                    await self._chip.apply()
                    await self._look()
                    await self._read()
            except HalError as error:
                await self._clock.sleep(self._problem.failed(error))
            else:
                self._problem.worked()
                await self._pause()

    async def flush(self) -> None:
        """Carry every level already driven to the chip now: before closing, when `run` has ended. Raises BusError."""
        async with self._turn:
            await self._chip.apply()

    def close(self) -> None:
        """Give the interrupt line back; the chip keeps its levels."""
        if self._interrupt is not None:
            self._interrupt.watch(None)
            self._interrupt.close()

    async def _take(self, owner: str, offsets: Sequence[int], setup: Registers) -> None:
        """Enter the owner and set the chip up, or leave everything as it was."""
        before = self._chip.want
        self._owners.update(dict.fromkeys(offsets, owner))
        self._chip.want = setup
        try:
            await self._chip.apply()
        except BaseException:
            # Only these lines: others may have been driven meanwhile.
            self._chip.want = self._chip.want.with_lines(offsets, before)
            self._give_back(offsets)
            raise

    def _check(self, owner: str, offsets: Sequence[int]) -> None:
        if not offsets or len(set(offsets)) != len(offsets):
            raise OutOfRange(self._name, f"{owner} asks for lines {list(offsets)}; each line once, at least one")
        for offset in offsets:
            if offset not in LINES:
                raise OutOfRange(self._name, f"{owner} asks for line {offset}; the chip has 0 to 15")
            if offset in self._owners:
                raise LineInUse(self._name, f"{owner} asks for line {offset}, which {self._owners[offset]} holds")

    def _drive(self, offsets: Sequence[int], levels: Sequence[bool], open_drain: bool) -> None:
        self._chip.want = self._chip.want.driven(offsets, levels, open_drain=open_drain)
        self._wake.set()

    def _give_back(self, offsets: Sequence[int]) -> None:
        for offset in offsets:
            self._owners.pop(offset, None)

    def _give_back_inputs(self, group: ExpanderInputs) -> None:
        if group in self._groups:
            self._groups.remove(group)
            self._give_back(group.offsets)
            self._chip.want = replace(self._chip.want, gpinten=self._chip.want.gpinten & ~mask(group.offsets))
            self._wake.set()

    def _interrupted(self, edge: Edge) -> None:
        if self._interrupted_ns is None:
            self._interrupted_ns = edge.t_ns
        self._wake.set()

    async def _look(self) -> None:
        """Once in a while, and after a failure, see whether the chip holds what was written.

        A chip that was reset is a failure like one that does not answer: the next round sets it up again.
        """
        now_ns = self._clock.now_ns()
        if self._problem.error is None and now_ns - self._looked_ns < LOOK_S * 1e9:
            return
        self._looked_ns = now_ns
        if not await self._chip.holds():
            raise Garbled(self._name, "the registers are not as written: the chip was reset")

    async def _read(self) -> None:
        if not self._groups:
            return
        if self._interrupt is None:
            self._share(await self._chip.levels(), self._clock.now_ns())
            return
        for _ in range(ROUNDS):
            interrupted_ns, self._interrupted_ns = self._interrupted_ns, None
            flags, captured, levels = await self._chip.captured()
            now_ns = self._clock.now_ns()
            # The chip kept the flagged lines as they were at the interrupt, even if they are back already.
            at_interrupt = (self._levels & ~flags) | (captured & flags)
            self._share(at_interrupt, now_ns if interrupted_ns is None else interrupted_ns)
            self._share(levels, now_ns)
            if self._interrupt.levels()[0]:
                return

    def _share(self, levels: int, t_ns: int) -> None:
        changed = self._levels ^ levels
        self._levels = levels
        if changed:
            for group in tuple(self._groups):
                group.take(t_ns, levels)

    async def _pause(self) -> None:
        """Until the next poll, or until somebody drives a line or the chip interrupts."""
        timer: Timer = self._clock.call_later(self._poll_s if self._groups else LOOK_S, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
