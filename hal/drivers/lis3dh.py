"""LIS3DH: a three-axis accelerometer on I2C, as a sensor of shocks.

Facts from the maker's data sheet: the chip itself takes gravity away (high-pass filter), compares every axis 400
times a second with a threshold and keeps the answer until it is read, so that a hit of milliseconds is not missed by
whoever asks twenty times a second. Its FIFO holds the last 32 samples, 80 ms, from which the peak is taken.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator

from hal.clock import Clock
from hal.drivers.poll import Problem, ProblemHandler
from hal.errors import Absent, DeviceError, Garbled, HalError, NoReply, OutOfRange
from hal.senses import THRESHOLD_G, Shock
from hal.types import Edge, EdgeKind, Pull
from hal.wires import Gpio, I2c, InputLines

ADDRESSES = range(0x18, 0x1A)

WHO_AM_I, IDENTITY = 0x0F, 0x33
CONTROL = 0x20  # and the five that follow
REFERENCE = 0x26
OUT = 0x28
FIFO_CONTROL, FIFO_SOURCE = 0x2E, 0x2F
INT1_CONFIG, INT1_SOURCE, INT1_THRESHOLD, INT1_DURATION = 0x30, 0x31, 0x32, 0x33
# In a block the register number rises only with this bit.
RISING = 0x80

# 400 Hz, three axes; data and interrupt behind the high-pass filter; interrupt 1 on INT1; 12 bits of +-8 g, whole
# samples only; FIFO on, interrupt kept until it is read; INT1 active high.
SETUP = bytes([0x77, 0x09, 0x40, 0xA8, 0x48, 0x00])
POWER_DOWN = 0x07
STREAM = 0x80
ANY_AXIS_HIGH = 0x2A
RAISED = 0x40
WAITING, OVERRUN = 0x1F, 0x40

G_PER_STEP = 0.062
G_PER_BIT = 0.004 / 16
SAMPLE_BYTES = 6
SAMPLES_A_BLOCK = 5

# From the chip's answer to the moment the FIFO is read: the peak is in the middle of what it holds.
AFTER_S = 0.03
# What rings on belongs to the same hit.
RING_S = 0.25
CHECK_S = 1.0


class Lis3dh:
    """Port `Accelerometer`; call `run` for as long as it is open."""

    def __init__(
        self, name: str, i2c: I2c, address: int, clock: Clock, *, interrupt: InputLines | None, poll_s: float
    ) -> None:
        self._name = name
        self._i2c = i2c
        self._address = address
        self._clock = clock
        self._interrupt = interrupt
        self._poll_s = poll_s
        self._problem = Problem(name)
        self._threshold_g: float | None = None
        self._is_set_up = False
        self._set_up_for: float | None = None
        self._wake = asyncio.Event()
        self._raised = False
        self._handler: Callable[[Shock], None] | None = None

    @classmethod
    async def open(
        cls,
        name: str,
        i2c: I2c,
        address: int,
        clock: Clock,
        *,
        interrupt: tuple[Gpio, int] | None = None,
        poll_s: float = 0.05,
    ) -> Lis3dh:
        """Take the interrupt line; the chip is looked for by `run`: without it the board works too.

        Raises OutOfRange for an address it cannot have, LineInUse, BusError.
        """
        if address not in ADDRESSES:
            raise OutOfRange(name, f"address 0x{address:02x} is not between 0x18 and 0x19")
        lines = None
        if interrupt is not None:
            gpio, offset = interrupt
            lines = await gpio.inputs(f"{name}.interrupt", [offset], pull=Pull.NONE, edges=EdgeKind.RISING)
        return cls(name, i2c, address, clock, interrupt=lines, poll_s=poll_s)

    @property
    def name(self) -> str:
        return self._name

    @property
    def problem(self) -> HalError | None:
        return self._problem.error

    def on_problem(self, handler: ProblemHandler | None) -> None:
        self._problem.watch(handler)

    def set_threshold(self, g: float | None) -> None:
        low, high = THRESHOLD_G
        if g is not None and not low <= g <= high:
            raise OutOfRange(self._name, f"a shock of {low:g} to {high:g} g can be told (got {g:g})")
        self._threshold_g = g
        self._wake.set()

    def watch(self, handler: Callable[[Shock], None] | None) -> None:
        self._handler = handler

    def close(self) -> None:
        """Report nothing more and give the interrupt line back; the chip stays as it is."""
        self._handler = None
        if self._interrupt is not None:
            self._interrupt.watch(None)
            self._interrupt.close()

    async def run(self) -> None:
        """Watch for shocks for ever; a chip that is away is looked for again, at least once a second."""
        if self._interrupt is not None:
            self._interrupt.watch(self._edge)
        while True:
            try:
                await self._once()
            except HalError as error:
                self._is_set_up = False
                await self._clock.sleep(self._problem.failed(self._named(error)))

    def _named(self, error: HalError) -> HalError:
        return Absent(self._name, "no accelerometer answers") if isinstance(error, NoReply) else error

    async def _once(self) -> None:
        """Set the chip up as wished, then watch until something else is wished or a check is due."""
        self._wake.clear()
        threshold_g = self._threshold_g
        if self._is_set_up and self._set_up_for == threshold_g:
            await self._check(threshold_g)
        else:
            self._is_set_up = False
            await self._set_up(threshold_g)
            self._is_set_up, self._set_up_for = True, threshold_g
        self._problem.worked()
        if threshold_g is None:
            await self._pause(CHECK_S)
            return
        until_ns = self._clock.now_ns() + round(CHECK_S * 1e9)
        while self._clock.now_ns() < until_ns and self._threshold_g == threshold_g:
            if await self._asked_to_look() and await self._byte(INT1_SOURCE) & RAISED:
                await self._shock(threshold_g)

    async def _asked_to_look(self) -> bool:
        """Wait for the next time to ask the chip; with an interrupt line, for the line."""
        if self._interrupt is None:
            await self._pause(self._poll_s)
            return True
        if not self._raised and not self._interrupt.levels()[0]:
            await self._pause(CHECK_S)
        raised, self._raised = self._raised or self._interrupt.levels()[0], False
        return raised

    async def _pause(self, s: float) -> None:
        """Wait, or until something happens."""
        timer = self._clock.call_later(s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
            self._wake.clear()

    def _edge(self, _edge: Edge) -> None:
        self._raised = True
        self._wake.set()

    # the chip

    async def _byte(self, register: int) -> int:
        return await self._i2c.read_byte(self._address, register)

    async def _set_up(self, threshold_g: float | None) -> None:
        identity = await self._byte(WHO_AM_I)
        if identity != IDENTITY:
            raise DeviceError(self._name, f"is no LIS3DH: it says 0x{identity:02x}, not 0x{IDENTITY:02x}")
        if threshold_g is None:
            await self._i2c.write_byte(self._address, CONTROL, POWER_DOWN)
            return
        await self._i2c.write_byte(self._address, INT1_CONFIG, 0)
        await self._i2c.write_block(self._address, CONTROL | RISING, SETUP)
        await self._i2c.write_byte(self._address, FIFO_CONTROL, STREAM)
        await self._i2c.write_byte(self._address, INT1_THRESHOLD, steps_of(threshold_g))
        await self._i2c.write_byte(self._address, INT1_DURATION, 0)
        await self._byte(REFERENCE)  # the filter begins with the gravity of now
        await self._i2c.write_byte(self._address, INT1_CONFIG, ANY_AXIS_HIGH)
        await self._byte(INT1_SOURCE)

    async def _check(self, threshold_g: float | None) -> None:
        """See that the chip is still set up: one that lost its power for a moment has forgotten."""
        if threshold_g is None:
            found = await self._byte(CONTROL)
            if found != POWER_DOWN:
                raise Garbled(self._name, f"control reads 0x{found:02x} after 0x{POWER_DOWN:02x}")
            return
        found_all = await self._i2c.read_block(self._address, CONTROL | RISING, len(SETUP))
        steps = await self._byte(INT1_THRESHOLD)
        if found_all != SETUP or steps != steps_of(threshold_g):
            raise Garbled(self._name, f"set-up reads {found_all.hex()}, {steps}: the chip was reset")

    async def _shock(self, threshold_g: float) -> None:
        t_ns = self._clock.now_ns()
        await self._clock.sleep(AFTER_S)
        peak_g = threshold_g
        for x, y, z in await self._samples():
            peak_g = max(peak_g, math.sqrt(x * x + y * y + z * z) * G_PER_BIT)
        if self._handler is not None:
            self._handler(Shock(t_ns, round(peak_g, 2)))
        await self._clock.sleep(RING_S)
        await self._byte(INT1_SOURCE)
        self._raised = False

    async def _samples(self) -> list[tuple[int, int, int]]:
        """What the FIFO holds, five samples a transaction: others on the bus come between."""
        source = await self._byte(FIFO_SOURCE)
        waiting = 32 if source & OVERRUN else source & WAITING
        found: list[tuple[int, int, int]] = []
        while waiting > 0:
            count = min(waiting, SAMPLES_A_BLOCK)
            block = await self._i2c.read_block(self._address, OUT | RISING, count * SAMPLE_BYTES)
            found.extend(samples_of(block))
            waiting -= count
        return found


def steps_of(g: float) -> int:
    """A threshold in the chip's steps of 62 mg, the nearest."""
    return max(1, min(127, round(g / G_PER_STEP)))


def samples_of(block: bytes) -> Iterator[tuple[int, int, int]]:
    """Samples of three axes, each a signed word with the low byte first."""
    for at in range(0, len(block), SAMPLE_BYTES):
        x, y, z = (int.from_bytes(block[at + n : at + n + 2], "little", signed=True) for n in (0, 2, 4))
        yield x, y, z
