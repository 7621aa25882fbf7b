"""OPT3001: a light sensor, at register level (data sheet SBOS681, section 7).

Registers are words, high byte first on the wire. Simulated are single and continuous conversions of 100 or 800 ms,
the automatic and the fixed ranges, and the flags for ready and overflow; the comparator's pin is not connected.
"""

from __future__ import annotations

from collections.abc import Mapping

from hal.errors import OutOfRange
from hal.sim.chips.base import ChipPeer
from hal.sim.peers.base import Place
from hal.sim.scene.daylight import Daylight
from hal.sim.traces import Trace

RESULT, CONFIG, LOW, HIGH, MAKER, DEVICE = 0x00, 0x01, 0x02, 0x03, 0x7E, 0x7F
POWER_ON = {RESULT: 0, CONFIG: 0xC810, LOW: 0xC000, HIGH: 0xBFFF, MAKER: 0x5449, DEVICE: 0x3001}
WRITABLE = frozenset({CONFIG, LOW, HIGH})

SLOW, MODES, OVERFLOW, READY, FLAGS = 0x0800, 0x0600, 0x0100, 0x0080, 0x01E0
AUTOMATIC = 0xC
HUNDREDTHS = 100


def coded(lux: float, exponent: int | None = None) -> tuple[int, bool]:
    """A result register for so much light, and whether it is more than the range holds; None: the finest range."""
    counts = round(lux * HUNDREDTHS)
    if exponent is None:
        exponent = next((each for each in range(12) if counts >> each <= 0xFFF), 11)
    mantissa = counts >> exponent
    return exponent << 12 | min(mantissa, 0xFFF), mantissa > 0xFFF


class Opt3001(ChipPeer):
    """One light sensor in the light of the world. Its trace is whether it measures."""

    kind = "light_sensor"

    def __init__(self, place: Place, name: str, daylight: Daylight, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self._daylight = daylight
        self._registers = dict(POWER_ON)
        self._ends_ns: int | None = None
        self.trace: Trace[bool] = self.new_trace(False)
        daylight.before_change(self._settle)

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace}

    def power_changed(self) -> None:
        """Forget everything: the registers are as at power on."""
        self._registers = dict(POWER_ON)
        self._ends_ns = None
        self.trace.put(False)

    def state(self) -> dict[str, object]:
        """The light at its window."""
        return {"lux": self._daylight.lux}

    def light(self, lux: float) -> None:
        """Make it so bright around the device, for its cameras too. Raises OutOfRange."""
        try:
            self._daylight.become(lux)
        except OutOfRange as error:
            raise OutOfRange(self.title, error.message) from None

    # the bus

    def read(self, register: int, length: int) -> bytes:
        self._settle()
        pair = self._registers.get(register, 0).to_bytes(2, "big")
        if register == CONFIG:
            self._registers[CONFIG] &= ~READY
        return (pair * (length // 2 + 1))[:length]

    def write(self, register: int, data: bytes) -> None:
        self._settle()
        if len(data) < 2 or register not in WRITABLE:
            return
        value = int.from_bytes(data[:2], "big")
        if register != CONFIG:
            self._registers[register] = value
            return
        self._registers[CONFIG] = value & ~FLAGS
        measuring = bool(value & MODES) and self.place.powered
        self._ends_ns = self.place.clock.now_ns() + self._period_ns() if measuring else None
        self.trace.put(measuring)

    def _period_ns(self) -> int:
        return 800_000_000 if self._registers[CONFIG] & SLOW else 100_000_000

    def _settle(self) -> None:
        """Finish conversions whose time has come, with the light of now (called before it changes)."""
        now_ns = self.place.clock.now_ns()
        if self._ends_ns is None or now_ns < self._ends_ns:
            return
        config = self._registers[CONFIG]
        given = config >> 12
        result, overflow = coded(self._daylight.lux, None if given == AUTOMATIC else min(given, 11))
        self._registers[RESULT] = result
        config = config & ~OVERFLOW | READY | (OVERFLOW if overflow else 0)
        if config & MODES == 0x0200:  # one conversion was asked for
            config &= ~MODES
            self._ends_ns = None
            self.trace.put(False)
        else:
            self._ends_ns += self._period_ns() * (1 + (now_ns - self._ends_ns) // self._period_ns())
        self._registers[CONFIG] = config
