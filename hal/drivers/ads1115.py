"""ADS1115: four-channel 16-bit converter on I2C, one conversion at a time on demand.

Facts from the maker's data sheet: register 0 is the result, register 1 the configuration; both are
big-endian on the wire, so an SMBus word arrives with its bytes swapped.
"""

from __future__ import annotations

import asyncio

from hal.clock import Clock
from hal.errors import Absent, BusTimeout, Garbled, NoReply, OutOfRange
from hal.wires import I2c

CONVERSION = 0x00
CONFIG = 0x01

ADDRESSES = range(0x48, 0x4C)
CHANNELS = range(4)
GAINS = {6.144: 0, 4.096: 1, 2.048: 2, 1.024: 3, 0.512: 4, 0.256: 5}

START_OR_READY = 0x8000  # written: start; read: no conversion runs
SINGLE_ENDED = 0b100 << 12
CHANNEL_SHIFT = 12
GAIN_SHIFT = 9
SINGLE_SHOT = 1 << 8
RATE_860 = 0b111 << 5
NO_COMPARATOR = 0b11

CONVERSION_S = 1 / 860 * 1.1  # the chip's own oscillator is within 10 %
RECHECK_S = 0.0005
RECHECKS = 10

FULL = 0x7FFF
# Just below zero is offset and noise; further down the input is outside what the chip may see.
LOWEST_V = -0.05


def swapped(word: int) -> int:
    """The word with its two bytes exchanged."""
    return (word & 0xFF) << 8 | word >> 8


class Ads1115:
    """Wire `AnalogIn` with channels 0 to 3 against ground; readers queue for the one converter."""

    def __init__(self, name: str, i2c: I2c, address: int, clock: Clock, *, full_scale_v: float) -> None:
        self._name = name
        self._i2c = i2c
        self._address = address
        self._clock = clock
        self._full_scale_v = full_scale_v
        self._converter = asyncio.Lock()

    @classmethod
    async def open(cls, name: str, i2c: I2c, address: int, clock: Clock, *, full_scale_v: float = 4.096) -> Ads1115:
        """Find the chip. Raises OutOfRange for an address or range it cannot have, Absent, BusError."""
        if address not in ADDRESSES:
            raise OutOfRange(name, f"address 0x{address:02x} is not between 0x48 and 0x4b")
        if full_scale_v not in GAINS:
            valid = ", ".join(map(str, sorted(GAINS)))
            raise OutOfRange(name, f"cannot measure up to {full_scale_v} V; valid: {valid}")
        adc = cls(name, i2c, address, clock, full_scale_v=full_scale_v)
        try:
            await i2c.read_word(address, CONFIG)
        except NoReply as error:
            raise Absent(name, f"no converter answers at 0x{address:02x}") from error
        return adc

    @property
    def name(self) -> str:
        """The node's name."""
        return self._name

    async def read_v(self, channel: int) -> float:
        """Convert one channel, in volts. Raises OutOfRange outside channels 0 to 3 or the range, BusError."""
        if channel not in CHANNELS:
            raise OutOfRange(self._name, f"channel {channel} is not between 0 and 3")
        async with self._converter:
            raw = await self._convert(channel)
        volts = raw * self._full_scale_v / 0x8000
        if raw == FULL or volts < LOWEST_V:
            side = f"at or above {self._full_scale_v} V" if raw == FULL else f"{volts:.3f} V"
            raise OutOfRange(self._name, f"channel {channel} reads {side}")
        return volts

    def close(self) -> None:
        """Nothing to give back: the bus belongs to the board, and the chip sleeps between conversions."""

    async def _convert(self, channel: int) -> int:
        """One signed result of the converter."""
        setting = (
            SINGLE_ENDED
            | channel << CHANNEL_SHIFT
            | GAINS[self._full_scale_v] << GAIN_SHIFT
            | SINGLE_SHOT
            | RATE_860
            | NO_COMPARATOR
        )
        await self._i2c.write_word(self._address, CONFIG, swapped(setting | START_OR_READY))
        await self._clock.sleep(CONVERSION_S)
        raw = await self._result(setting)
        return raw - 0x10000 if raw & 0x8000 else raw

    async def _result(self, setting: int) -> int:
        """Wait for the end of the conversion, see that it was the one asked for, and what came of it.

        The result is read behind the word that says it is there: it counts when it was.
        """
        for _ in range(RECHECKS):
            config, raw = map(swapped, await self._i2c.read_words(self._address, (CONFIG, CONVERSION)))
            if config & ~START_OR_READY != setting:
                raise Garbled(
                    self._name, f"configuration reads 0x{config:04x} after 0x{setting:04x}: the chip was reset"
                )
            if config & START_OR_READY:
                return raw
            await self._clock.sleep(RECHECK_S)
        raise BusTimeout(self._name, "the conversion does not end")
