"""The I2C wire on smbus2: byte, word and block calls on one worker thread for each bus.

A call blocks in the kernel until the chip has answered, so it runs off the loop, in the order asked.
What the kernel says about a failure: Documentation/i2c/fault-codes.rst.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from hal.clock import Clock
from hal.errors import BusError, BusTimeout, Garbled, NoReply

T = TypeVar("T")

# Adapters differ in what they call a missing acknowledge; the stub of the kernel says ENODEV.
NOBODY = frozenset({errno.ENXIO, errno.EREMOTEIO, errno.ENODEV})

LONGEST_BLOCK = 32


class Smbus(Protocol):
    """The part of smbus2.SMBus that is used."""

    def read_byte_data(self, i2c_addr: int, register: int) -> int: ...
    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None: ...
    def read_word_data(self, i2c_addr: int, register: int) -> int: ...
    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None: ...
    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]: ...
    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Sequence[int]) -> None: ...
    def close(self) -> None: ...


def open_i2c(name: str, device: str, clock: Clock) -> SmbusI2c:
    """Open a bus such as /dev/i2c-1. Raises BusError."""
    import smbus2

    try:
        bus = smbus2.SMBus(device)
    except OSError as error:
        raise BusError(name, f"cannot open the I2C bus {device}: {error.strerror or error}") from error
    return SmbusI2c(name, clock, bus)


class SmbusI2c:
    """One I2C bus; implements I2c. Addresses are 0x03..0x77, as the kernel lets them be used."""

    def __init__(self, name: str, clock: Clock, bus: Smbus) -> None:
        self._name = name
        self._clock = clock
        self._bus = bus
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"i2c {name}")
        self._closed = False

    async def read_byte(self, address: int, register: int) -> int:
        self._check(address, register=(register, 0xFF))
        return await self._call(address, lambda: self._bus.read_byte_data(address, register))

    async def write_byte(self, address: int, register: int, value: int) -> None:
        self._check(address, register=(register, 0xFF), value=(value, 0xFF))
        await self._call(address, lambda: self._bus.write_byte_data(address, register, value))

    async def read_word(self, address: int, register: int) -> int:
        self._check(address, register=(register, 0xFF))
        return await self._call(address, lambda: self._bus.read_word_data(address, register))

    async def read_words(self, address: int, registers: Sequence[int]) -> tuple[int, ...]:
        for register in registers:
            self._check(address, register=(register, 0xFF))
        return await self._call(
            address, lambda: tuple(self._bus.read_word_data(address, register) for register in registers)
        )

    async def write_word(self, address: int, register: int, value: int) -> None:
        self._check(address, register=(register, 0xFF), value=(value, 0xFFFF))
        await self._call(address, lambda: self._bus.write_word_data(address, register, value))

    async def read_block(self, address: int, register: int, length: int) -> bytes:
        self._check(address, register=(register, 0xFF))
        self._check_length(address, length)
        data = await self._call(address, lambda: self._bus.read_i2c_block_data(address, register, length))
        if len(data) != length:
            raise Garbled(self._where(address), f"asked for {length} bytes, got {len(data)}")
        return bytes(data)

    async def write_block(self, address: int, register: int, data: bytes) -> None:
        self._check(address, register=(register, 0xFF))
        self._check_length(address, len(data))
        await self._call(address, lambda: self._bus.write_i2c_block_data(address, register, list(data)))

    def close(self) -> None:
        """Give the bus back once the call that runs has ended; harmless twice."""
        if not self._closed:
            self._closed = True
            self._worker.submit(self._bus.close)
            self._worker.shutdown(wait=False)

    def _where(self, address: int) -> str:
        return f"{self._name} 0x{address:02x}"

    def _check(self, address: int, **limits: tuple[int, int]) -> None:
        if not 0x03 <= address <= 0x77:
            raise BusError(self._where(address), "not an I2C address; valid: 0x03 to 0x77")
        for what, (number, highest) in limits.items():
            if not 0 <= number <= highest:
                raise BusError(self._where(address), f"{what} {number} is outside 0 to {highest}")

    def _check_length(self, address: int, length: int) -> None:
        if not 1 <= length <= LONGEST_BLOCK:
            raise BusError(self._where(address), f"a block of {length} bytes; valid: 1 to {LONGEST_BLOCK}")

    async def _call(self, address: int, call: Callable[[], T]) -> T:
        if self._closed:
            raise BusError(self._where(address), "the bus was closed")
        try:
            with self._clock.outside():
                return await asyncio.get_running_loop().run_in_executor(self._worker, call)
        except OSError as error:
            raise self._translated(address, error) from error

    def _translated(self, address: int, error: OSError) -> BusError:
        where = self._where(address)
        if error.errno in NOBODY:
            return NoReply(where, "no chip answers")
        if error.errno == errno.ETIMEDOUT:
            return BusTimeout(where, "the bus did not answer in time")
        return BusError(where, error.strerror or str(error))
