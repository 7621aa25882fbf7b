"""OPT3001: a light sensor on I2C that answers in lux, over its whole range of 0.01 to 83000.

Facts from the maker's data sheet: registers are words with the high byte first on the wire, so an SMBus word
arrives with its bytes swapped; a result is four bits of exponent and twelve of mantissa, in hundredths of a lux.
"""

from __future__ import annotations

from collections.abc import Callable

from hal.clock import Clock
from hal.drivers.ads1115 import swapped
from hal.drivers.poll import Problem, ProblemHandler, poll_forever
from hal.errors import Absent, DeviceError, Garbled, HalError, NoReply, OutOfRange
from hal.wires import I2c

ADDRESSES = range(0x44, 0x48)

RESULT, CONFIG, MAKER, DEVICE = 0x00, 0x01, 0x7E, 0x7F
MAKER_ID, DEVICE_ID = 0x5449, 0x3001

# Range chosen by the chip, 800 ms a reading, one after the other, comparator as after reset.
SETTING = 0xC000 | 0x0800 | 0x0600 | 0x0010
OVERFLOW, READY, FLAGS = 0x0100, 0x0080, 0x01E0
PERIOD_S = 1.0


def lux_of(result: int) -> float:
    """A result register in lux; pure."""
    return 0.01 * (1 << (result >> 12)) * (result & 0xFFF)


class Opt3001:
    """Port `LightSensor`; call `run` for as long as it is open."""

    def __init__(self, name: str, i2c: I2c, address: int, clock: Clock) -> None:
        """The chip is looked for by `run`: without it the board works too. Raises OutOfRange for its address."""
        if address not in ADDRESSES:
            raise OutOfRange(name, f"address 0x{address:02x} is not between 0x44 and 0x47")
        self._name = name
        self._i2c = i2c
        self._address = address
        self._clock = clock
        self._problem = Problem(name)
        self._set_up = False
        self._lux: float | None = None
        self._handler: Callable[[float], None] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def problem(self) -> HalError | None:
        return self._problem.error

    @property
    def lux(self) -> float | None:
        return self._lux

    def on_problem(self, handler: ProblemHandler | None) -> None:
        self._problem.watch(handler)

    def watch(self, handler: Callable[[float], None] | None) -> None:
        self._handler = handler

    def close(self) -> None:
        """Report nothing more; the bus belongs to the board."""
        self._handler = None

    async def run(self) -> None:
        """Read for ever; a chip that is away is looked for again, at least once a second."""
        await poll_forever(self._clock, PERIOD_S, self._problem, self._poll)

    async def _poll(self) -> None:
        try:
            ready = await self._ready() if self._set_up else await self._begin()
            if not ready:
                return
            lux = lux_of(await self._word(RESULT))
        except HalError as error:
            self._set_up, self._lux = False, None
            if isinstance(error, NoReply):
                raise Absent(self._name, "no light sensor answers") from error
            raise
        self._lux = lux
        if self._handler is not None:
            self._handler(lux)

    async def _begin(self) -> bool:
        maker, device = await self._word(MAKER), await self._word(DEVICE)
        if (maker, device) != (MAKER_ID, DEVICE_ID):
            raise DeviceError(
                self._name, f"is no OPT3001: it says {maker:04x} {device:04x}, not {MAKER_ID:04x} {DEVICE_ID:04x}"
            )
        await self._i2c.write_word(self._address, CONFIG, swapped(SETTING))
        self._set_up = True
        return False

    async def _ready(self) -> bool:
        """Whether there is a reading since the one before, of a chip that is set up as it should be."""
        config = await self._word(CONFIG)
        if config & ~FLAGS != SETTING:
            raise Garbled(self._name, f"configuration reads 0x{config:04x} after 0x{SETTING:04x}: the chip was reset")
        return bool(config & READY)

    async def _word(self, register: int) -> int:
        return swapped(await self._i2c.read_word(self._address, register))
