"""ADS1115: a 16-bit converter with four inputs, at register level (data sheet SBAS444, section 8).

Registers are 16 bits, high byte first on the wire: 0 conversion, 1 configuration, 2 and 3 thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence

from hal.clock import Clock
from hal.sim.chips.base import ChipPeer
from hal.sim.nets import Voltage
from hal.sim.peers.base import Place

CONVERSION, CONFIG, LOW, HIGH = range(4)

POWER_ON = {CONVERSION: 0x0000, CONFIG: 0x8583, LOW: 0x8000, HIGH: 0x7FFF}
START = 0x8000
SINGLE_SHOT = 0x0100
FULL_SCALE_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
SAMPLES_PER_S = (8, 16, 32, 64, 128, 250, 475, 860)
# Positive and negative input of the multiplexer; None is ground.
INPUTS: tuple[tuple[int, int | None], ...] = (
    (0, 1),
    (0, 3),
    (1, 3),
    (2, 3),
    (0, None),
    (1, None),
    (2, None),
    (3, None),
)


class Ads1115(ChipPeer):
    """One converter; its trace says whether a conversion runs. The comparator's output is not connected."""

    kind = "adc"

    def __init__(self, world: Place, name: str, inputs: Sequence[Voltage], *, alias: str | None = None) -> None:
        super().__init__(world, name, alias=alias)
        self._clock: Clock = world.clock
        self._inputs = tuple(inputs)
        self._registers = dict(POWER_ON)
        self._ends_ns: int | None = None
        for voltage in self._inputs:
            voltage.before_change(self._settle)

    def power_changed(self) -> None:
        """Forget everything: the registers are as at power on."""
        self._registers = dict(POWER_ON)
        self._ends_ns = None

    def read(self, register: int, length: int) -> bytes:
        self._settle()
        pair = self._registers[register & 3].to_bytes(2, "big")
        return (pair * (length // 2 + 1))[:length]  # the pointer stays: the same register again and again

    def write(self, register: int, data: bytes) -> None:
        self._settle()
        register &= 3
        if len(data) < 2 or register == CONVERSION:
            return  # a register takes both its bytes or nothing, and the result cannot be written
        value = int.from_bytes(data[:2], "big")
        if register != CONFIG:
            self._registers[register] = value
            return
        self._registers[CONFIG] = value & ~START
        if not value & SINGLE_SHOT or value & START:
            self._ends_ns = self._clock.now_ns() + self._period_ns()
        self._show_busy()

    def _period_ns(self) -> int:
        return round(1e9 / SAMPLES_PER_S[self._registers[CONFIG] >> 5 & 7])

    def _settle(self) -> None:
        """Finish conversions whose time has come, with the voltages of now (called before any of them changes)."""
        if self._ends_ns is None or self._clock.now_ns() < self._ends_ns:
            return
        self._registers[CONVERSION] = self._measured() & 0xFFFF
        if self._registers[CONFIG] & SINGLE_SHOT:
            self._ends_ns = None
        else:
            period_ns = self._period_ns()
            self._ends_ns += period_ns * (1 + (self._clock.now_ns() - self._ends_ns) // period_ns)
        self._show_busy()

    def _show_busy(self) -> None:
        config = self._registers[CONFIG]
        busy = bool(config & SINGLE_SHOT) and self._ends_ns is not None
        self._registers[CONFIG] = config & ~START if busy or not config & SINGLE_SHOT else config | START

    def _measured(self) -> int:
        config = self._registers[CONFIG]
        positive, negative = INPUTS[config >> 12 & 7]
        volts = self._inputs[positive].volts() - (0.0 if negative is None else self._inputs[negative].volts())
        code = round(volts / FULL_SCALE_V[config >> 9 & 7] * 32768)
        return max(-32768, min(32767, code))

    def state(self) -> dict[str, object]:
        """The voltages at its inputs."""
        return {"volts": [round(voltage.volts(), 4) for voltage in self._inputs]}
