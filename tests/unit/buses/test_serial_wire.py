"""The serial wire over a pty: both directions, a full far end, hang-up, refusals."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.buses.serial import LONGEST_QUEUE, SerialUart
from hal.clock import SystemClock
from hal.errors import BusError, LineInUse
from tests.effort import examples

clock = SystemClock()


@dataclass
class Far:
    """The far end of a pty and the name of the near end."""

    fd: int
    device: str

    def hang_up(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def far_end() -> Far:
    master, slave = os.openpty()
    tty.setraw(slave)
    device = os.ttyname(slave)
    os.set_blocking(master, False)
    os.close(slave)
    return Far(master, device)


@pytest.fixture
def far() -> Iterator[Far]:
    far = far_end()
    yield far
    far.hang_up()


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 60))


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await clock.sleep(0.001)


async def take(far: Far, count: int) -> bytes:
    got = b""
    while len(got) < count:
        try:
            got += os.read(far.fd, 65536)
        except BlockingIOError:
            await clock.sleep(0.001)
    return got


def test_bytes_go_both_ways_unchanged(far: Far) -> None:
    async def scene() -> None:
        uart = SerialUart("rs485", far.device, clock, baud=9600)
        got: list[tuple[int, bytes]] = []
        uart.receive(lambda t_ns, data: got.append((t_ns, data)))
        everything = bytes(range(256))
        uart.write(everything)
        assert await take(far, 256) == everything
        start = clock.now_ns()
        os.write(far.fd, everything)
        await until(lambda: sum(len(data) for _, data in got) == 256)
        assert b"".join(data for _, data in got) == everything
        assert all(start <= t_ns <= clock.now_ns() for t_ns, _ in got)
        uart.close()

    run(scene)


@settings(max_examples=examples(20), deadline=None)
@given(chunks=st.lists(st.binary(max_size=6000), max_size=8))
def test_whatever_is_written_arrives_whole_and_in_order_however_slowly_it_is_taken(chunks: list[bytes]) -> None:
    async def scene() -> None:
        far = far_end()
        uart = SerialUart("rs485", far.device, clock, baud=115200)
        for chunk in chunks:
            uart.write(chunk)
        total = b"".join(chunks)
        assert (await take(far, len(total)) if total else b"") == total
        uart.close()
        far.hang_up()

    run(scene)


def test_a_far_end_that_does_not_read_never_blocks_us_and_is_reported_when_the_queue_is_full(far: Far) -> None:
    async def scene() -> None:
        uart = SerialUart("rs485", far.device, clock, baud=9600)
        sent = 0
        while sent < LONGEST_QUEUE:
            uart.write(b"x" * 4096)
            sent += 4096
        with pytest.raises(BusError, match=r"rs485: .* does not send: \d+ bytes are waiting"):
            uart.write(b"x" * LONGEST_QUEUE)
        with pytest.raises(BusError, match="bytes are being sent"):
            uart.set_baud(19200)
        assert await take(far, sent) == b"x" * sent
        uart.set_baud(19200)
        uart.close()

    run(scene)


def test_bytes_wait_in_the_kernel_while_nobody_receives(far: Far) -> None:
    async def scene() -> None:
        uart = SerialUart("rs485", far.device, clock, baud=9600)
        got: list[bytes] = []
        uart.receive(lambda _, data: got.append(data))
        uart.receive(None)
        os.write(far.fd, b"later")
        await clock.sleep(0.02)
        assert got == []
        uart.receive(lambda _, data: got.append(data))
        await until(lambda: bool(got))
        assert got == [b"later"]
        uart.close()

    run(scene)


def test_a_hang_up_is_told_once_and_writing_then_fails(far: Far) -> None:
    async def scene() -> None:
        lost: list[BusError] = []
        uart = SerialUart("rs485", far.device, clock, baud=9600, lost=lost.append)
        uart.receive(lambda _t, _data: None)
        far.hang_up()
        await until(lambda: bool(lost))
        assert str(lost[0]).startswith(f"rs485: {far.device} is gone: ")
        with pytest.raises(BusError, match="is gone"):
            uart.write(b"hello")
        with pytest.raises(BusError, match="is gone"):
            uart.receive(lambda _t, _data: None)
        late: list[BusError] = []
        uart.on_lost(late.append)
        uart.close()
        assert (len(lost), len(late)) == (1, 1)

    run(scene)


def test_a_hang_up_is_noticed_by_writing_alone(far: Far) -> None:
    async def scene() -> None:
        uart = SerialUart("rs485", far.device, clock, baud=9600)
        far.hang_up()
        with pytest.raises(BusError, match="is gone: Input/output error"):
            uart.write(b"hello")
        uart.close()

    run(scene)


def test_a_port_in_use_is_refused(far: Far) -> None:
    async def scene() -> None:
        uart = SerialUart("rs485", far.device, clock, baud=9600)
        with pytest.raises(LineInUse, match=r"rs485b: .* in use by another program"):
            SerialUart("rs485b", far.device, clock, baud=9600)
        uart.close()
        SerialUart("rs485b", far.device, clock, baud=9600).close()

    run(scene)


def test_rs485_on_a_port_that_cannot_do_it_is_refused_with_the_way_out(far: Far) -> None:
    async def scene() -> None:
        with pytest.raises(BusError, match=r"cannot switch RS-485 direction .*; write rs485 = false"):
            SerialUart("rs485", far.device, clock, baud=9600, rs485=True)
        SerialUart("rs485", far.device, clock, baud=9600, rs485=False).close()

    run(scene)


@pytest.mark.parametrize("baud", [0, -9600, 49, 4_000_001])
def test_an_impossible_rate_is_refused_with_the_limits(far: Far, baud: int) -> None:
    async def scene() -> None:
        with pytest.raises(BusError, match=r"rs485: -?\d+ baud; valid: 50 to 4000000"):
            SerialUart("rs485", far.device, clock, baud=baud)
        uart = SerialUart("rs485", far.device, clock, baud=9600)
        with pytest.raises(BusError, match="valid: 50 to 4000000"):
            uart.set_baud(baud)
        uart.set_baud(115200)
        uart.close()

    run(scene)


def test_a_port_that_is_not_there_is_named() -> None:
    async def scene() -> None:
        with pytest.raises(BusError, match=r"rs485: cannot open /dev/ttyNONE: No such file or directory"):
            SerialUart("rs485", "/dev/ttyNONE", clock, baud=9600)

    run(scene)


def test_nothing_of_the_port_is_left_when_it_is_closed(far: Far) -> None:
    async def scene() -> None:
        before = len(os.listdir("/proc/self/fd"))
        uart = SerialUart("rs485", far.device, clock, baud=9600)
        uart.receive(lambda _t, _data: None)
        uart.write(b"x" * 60000)
        uart.close()
        uart.close()
        assert len(os.listdir("/proc/self/fd")) == before
        with pytest.raises(BusError, match="was closed"):
            uart.write(b"x")

    run(scene)
