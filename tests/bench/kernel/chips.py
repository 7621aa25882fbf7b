"""The chips of a world on the guest's I2C bus: the player of bench_i2c.c, one transfer at a time.

A transfer is any number of messages. The first byte of one that writes sets the register; what follows is written
there, and a message that reads goes on from there. That covers SMBus calls and combined transfers alike.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hal.errors import BusError, NoReply
from hal.sim.chips import ChipBus
from hal.sim.chips.bus import LONGEST_BLOCK

DEVICE = Path("/dev/bench-i2c")
LONGEST = 8192
READS = 1
QUESTION, MESSAGE, ANSWER = struct.Struct("<II"), struct.Struct("<HHI"), struct.Struct("<Ii")


@dataclass(frozen=True, slots=True)
class Message:
    """One message: to write `data`, or to read `length` bytes."""

    address: int
    reads: bool
    length: int
    data: bytes


def messages(question: bytes) -> Iterator[Message]:
    """The messages of a question of bench_i2c.c."""
    _, count = QUESTION.unpack_from(question)
    at = QUESTION.size
    for _ in range(count):
        address, flags, length = MESSAGE.unpack_from(question, at)
        at += MESSAGE.size
        reads = bool(flags & READS)
        data = b"" if reads else question[at : at + length]
        at += len(data)
        yield Message(address, reads, length, data)


class KernelChips:
    """One bus; it answers until `close`."""

    def __init__(self, bus: ChipBus, device: Path = DEVICE) -> None:
        self._bus = bus
        self._register: dict[int, int] = {}
        self._fd = os.open(device, os.O_RDWR | os.O_NONBLOCK)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._asked)

    def _asked(self) -> None:
        try:
            question = os.read(self._fd, LONGEST)
        except BlockingIOError:
            return  # whoever asked has given up
        number, _ = QUESTION.unpack_from(question)
        try:
            data = b"".join([self._carry_out(message) for message in messages(question)])
            answer = ANSWER.pack(number, 0) + data
        except NoReply:
            answer = ANSWER.pack(number, -errno.ENXIO)
        except BusError:
            answer = ANSWER.pack(number, -errno.EIO)
        os.write(self._fd, answer)

    def _carry_out(self, message: Message) -> bytes:
        address = message.address
        if message.reads:
            register = self._register.get(address, 0)
            parts = [
                self._bus.transfer(address, register + at, length=min(LONGEST_BLOCK, message.length - at))
                for at in range(0, message.length, LONGEST_BLOCK)
            ]
            return b"".join(parts)
        if not message.data:  # only the address: does somebody acknowledge?
            self._bus.transfer(address, self._register.get(address, 0), length=0)
            return b""
        register, data = message.data[0], message.data[1:]
        self._register[address] = register
        self._bus.transfer(address, register, data=data)
        return b""

    def close(self) -> None:
        """Answer nothing more."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
