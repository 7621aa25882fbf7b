"""LIS3DH: a three-axis accelerometer, at register level (data sheet DocID17530, sections 6 to 8).

Simulated are the data rates, 12-bit samples in the full scale that is set, the high-pass filter (gravity is there or
not), the FIFO in stream mode, and interrupt 1 on any axis above its threshold, latched or not, on the pin INT1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from hal.errors import OutOfRange
from hal.sim.chips.base import ChipPeer
from hal.sim.nets import Net
from hal.sim.peers.base import Place
from hal.sim.traces import Trace

WHO_AM_I, IDENTITY = 0x0F, 0x33
CTRL1, CTRL2, CTRL3, CTRL4, CTRL5, CTRL6, REFERENCE = range(0x20, 0x27)
OUT_FIRST, OUT_LAST = 0x28, 0x2D
FIFO_CTRL, FIFO_SRC = 0x2E, 0x2F
INT1_CFG, INT1_SRC, INT1_THS, INT1_DURATION = range(0x30, 0x34)
RISING = 0x80
WRITABLE = frozenset({*range(0x1E, 0x27), FIFO_CTRL, INT1_CFG, *range(INT1_THS, 0x40)})
POWER_ON = {WHO_AM_I: IDENTITY, CTRL1: 0x07}

RATES_HZ = (0, 1, 10, 25, 50, 100, 200, 400)
FULL_SCALES_G = (2, 4, 8, 16)
STEPS_G = (0.016, 0.032, 0.062, 0.186)
FILTERED_DATA, FILTERED_INT1 = 0x08, 0x01
ON_INT1, LATCHED, FIFO_ON, ACTIVE_LOW = 0x40, 0x08, 0x40, 0x02
HIGH_EVENTS = 0x2A
RAISED = 0x40
DEPTH = 32

# How a housing rings after a hit: at this frequency, down to a third in this time.
RING_HZ, DECAY_S, RINGS_S = 60.0, 0.025, 0.2
HARDEST_G = 16.0


class Lis3dh(ChipPeer):
    """One accelerometer, level and at rest until something hits it. `interrupt` is the net at INT1.

    Its trace is whether the housing rings.
    """

    kind = "accelerometer"

    def __init__(self, place: Place, name: str, interrupt: Net | None, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self._interrupt = interrupt
        self._registers = dict(POWER_ON)
        self._hits: list[tuple[int, float]] = []
        self._latched = False
        self._drained_ns = self.place.clock.now_ns()
        self._sample: tuple[int, int, int] = (0, 0, 0)
        self.trace: Trace[bool] = self.new_trace(False)

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace}

    def power_changed(self) -> None:
        """Forget everything: the registers are as at power on."""
        self._registers = dict(POWER_ON)
        self._latched = False
        self._drive()

    def bump(self, g: float = 2.0) -> None:
        """Hit the housing. Raises OutOfRange above 16 g."""
        if not 0 < g <= HARDEST_G:
            raise OutOfRange(self.title, f"a bump is above 0 and at most {HARDEST_G:g} g (got {g:g})")
        now_ns = self.place.clock.now_ns()
        self._hits = [(t_ns, hit_g) for t_ns, hit_g in self._hits if now_ns - t_ns < 10**9]
        self._hits.append((now_ns, g))
        self.trace.put(True)
        self.at(now_ns + round(RINGS_S * 1e9), self._fell_still)
        if self._rate_hz:
            period_ns = self._period_ns
            first = now_ns // period_ns + 1
            for number in range(round(RINGS_S * self._rate_hz)):
                t_ns = (first + number) * period_ns
                self.at(t_ns, partial(self._compare, t_ns))

    def _fell_still(self) -> None:
        now_ns = self.place.clock.now_ns()
        if all(now_ns - t_ns >= RINGS_S * 1e9 for t_ns, _ in self._hits):
            self.trace.put(False)

    # what moves

    @property
    def _rate_hz(self) -> int:
        code = self._registers[CTRL1] >> 4
        return RATES_HZ[code] if code < len(RATES_HZ) and self.place.powered else 0

    @property
    def _period_ns(self) -> int:
        return round(1e9 / self._rate_hz)

    def _at(self, t_ns: int, *, filtered: bool) -> tuple[float, float, float]:
        """Acceleration of the three axes in g."""
        x = 0.0
        for hit_ns, g in self._hits:
            since_s = (t_ns - hit_ns) / 1e9
            if 0 <= since_s <= RINGS_S:
                x += g * math.exp(-since_s / DECAY_S) * math.cos(2 * math.pi * RING_HZ * since_s)
        return x, x / 4, (0.0 if filtered else 1.0) - x / 8

    def _compare(self, t_ns: int) -> None:
        """The sample of a time against the threshold of interrupt 1; a chip is never late, whatever its world is."""
        if not self._rate_hz or self._latched or not self._registers.get(INT1_CFG, 0) & HIGH_EVENTS:
            return
        step_g = STEPS_G[self._registers.get(CTRL4, 0) >> 4 & 3]
        threshold_g = (self._registers.get(INT1_THS, 0) & 0x7F) * step_g
        axes = self._at(t_ns, filtered=bool(self._registers.get(CTRL2, 0) & FILTERED_INT1))
        if any(abs(g) > threshold_g for g in axes) and self._registers.get(CTRL5, 0) & LATCHED:
            self._latched = True
            self._drive()

    def _drive(self) -> None:
        if self._interrupt is None:
            return
        if not self.place.powered:
            self._interrupt.drive(self.name, None)
            return
        raised = self._latched and bool(self._registers.get(CTRL3, 0) & ON_INT1)
        self._interrupt.drive(self.name, raised != bool(self._registers.get(CTRL6, 0) & ACTIVE_LOW))

    # the bus

    def read(self, register: int, length: int) -> bytes:
        at, rising = register & 0x7F, bool(register & RISING)
        answer = bytearray()
        for _ in range(length):
            answer.append(self._read(at))
            if rising:
                at = OUT_FIRST if at == OUT_LAST and self._fifo else (at + 1) & 0x7F
        return bytes(answer)

    def write(self, register: int, data: bytes) -> None:
        at, rising = register & 0x7F, bool(register & RISING)
        for value in data:
            if at in WRITABLE:
                self._write(at, value)
            at = (at + 1) & 0x7F if rising else at

    def _write(self, at: int, value: int) -> None:
        if (at == CTRL1 and value >> 4 != self._registers[CTRL1] >> 4) or at == FIFO_CTRL:
            self._drained_ns = self.place.clock.now_ns()
        self._registers[at] = value
        self._drive()

    @property
    def _fifo(self) -> bool:
        return bool(self._registers.get(CTRL5, 0) & FIFO_ON and self._registers.get(FIFO_CTRL, 0) >> 6 == 2)

    def _read(self, at: int) -> int:
        if at == INT1_SRC:
            source = RAISED | 0x02 if self._latched else 0
            self._latched = False
            self._drive()
            return source
        if at == FIFO_SRC:
            waiting = self._waiting()
            return (0x40 if waiting >= DEPTH else 0) | (0x20 if waiting == 0 else 0) | min(waiting, DEPTH - 1)
        if OUT_FIRST <= at <= OUT_LAST:
            return self._output(at - OUT_FIRST)
        return self._registers.get(at, 0)

    def _waiting(self) -> int:
        """Samples in the FIFO."""
        if not self._rate_hz or not self._fifo:
            return 0
        now_ns = self.place.clock.now_ns()
        oldest_ns = max(self._drained_ns, now_ns - DEPTH * self._period_ns)
        return now_ns // self._period_ns - oldest_ns // self._period_ns

    def _output(self, byte: int) -> int:
        if byte == 0:
            self._sample = self._next_sample()
        return self._sample[byte // 2].to_bytes(2, "little", signed=True)[byte % 2]

    def _next_sample(self) -> tuple[int, int, int]:
        """The oldest sample of the FIFO, or the latest one without it."""
        t_ns = self.place.clock.now_ns()
        if self._rate_hz and self._fifo and (waiting := self._waiting()):
            newest = t_ns // self._period_ns
            t_ns = (newest - waiting + 1) * self._period_ns
            self._drained_ns = t_ns
        full_g = FULL_SCALES_G[self._registers.get(CTRL4, 0) >> 4 & 3]
        axes = self._at(t_ns, filtered=bool(self._registers.get(CTRL2, 0) & FILTERED_DATA))
        x, y, z = (max(-2048, min(2047, round(g / full_g * 2048))) * 16 for g in axes)
        return x, y, z
