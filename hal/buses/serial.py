"""The serial wire on pyserial: raw bytes, 8N1, read and written by the loop without ever blocking it.

RS-485 direction is switched by the kernel's driver (TIOCSRS485), never by us: user space is too late.
"""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import logging
import os
import select
import termios

import serial
from serial.rs485 import RS485Settings

from hal.clock import Clock
from hal.errors import BusError, LineInUse
from hal.wires import ByteHandler, LostHandler

log = logging.getLogger(__name__)

BAUD_RANGE = range(50, 4_000_001)

# More than any protocol of ours ever has under way: a port that does not drain is a fault, not a reason to grow.
LONGEST_QUEUE = 65536

READ_SIZE = 4096


class SerialUart:
    """One serial port on a running loop; implements Uart.

    When the port goes (unplugged, or the far end of a pty closed) `lost` is told once, and from then on
    `write` raises BusError.
    """

    def __init__(
        self,
        name: str,
        device: str,
        clock: Clock,
        *,
        baud: int,
        rs485: bool = False,
        lost: LostHandler | None = None,
    ) -> None:
        """Open the port for us alone. Raises LineInUse, BusError."""
        self._name = name
        self._device = device
        self._clock = clock
        self._lost = lost
        self._gone = ""
        self._handler: ByteHandler | None = None
        self._queue = bytearray()
        self._loop = asyncio.get_running_loop()
        self._port = self._open(baud, rs485)
        self._fd: int = self._port.fileno()

    def _open(self, baud: int, rs485: bool) -> serial.Serial:
        self._check_baud(baud)
        port = serial.Serial(timeout=0, exclusive=True)
        port.port, port.baudrate = self._device, baud
        if rs485:
            # Before opening, and with RTS at rest: opening must not make the transceiver talk.
            port.rs485_mode = RS485Settings(rts_level_for_tx=True, rts_level_for_rx=False)
            port.rts = False
        try:
            port.open()
        except serial.SerialException as error:
            if error.errno in (errno.EAGAIN, errno.EBUSY):
                raise LineInUse(self._name, f"{self._device} is in use by another program") from error
            raise BusError(self._name, f"cannot open {self._device}: {_reason(error)}") from error
        except (ValueError, OSError, termios.error) as error:
            raise self._refused(error, baud, rs485) from error
        return port

    def _refused(self, error: Exception, baud: int, rs485: bool) -> BusError:
        if rs485 and "RS485" in str(error):
            return BusError(
                self._name,
                f"{self._device} cannot switch RS-485 direction ({error}); "
                "write rs485 = false for an adapter that does it by itself",
            )
        return BusError(self._name, f"{self._device} cannot be set to {baud} baud: {error}")

    def _check_baud(self, baud: int) -> None:
        if baud not in BAUD_RANGE:
            raise BusError(self._name, f"{baud} baud; valid: {BAUD_RANGE.start} to {BAUD_RANGE.stop - 1}")

    def on_lost(self, handler: LostHandler | None) -> None:
        """Tell `handler` when the port goes; at once when it has gone already."""
        self._lost = handler
        if handler is not None and self._gone:
            handler(BusError(self._name, self._gone))

    def write(self, data: bytes) -> None:
        """Queue bytes for sending; what the kernel takes now leaves now. Raises BusError."""
        self._check_here()
        if len(self._queue) + len(data) > LONGEST_QUEUE:
            raise BusError(self._name, f"{self._device} does not send: {len(self._queue)} bytes are waiting")
        waiting = bool(self._queue)
        self._queue += data
        if not waiting:
            self._drain()
            self._check_here()
            if self._queue:
                self._loop.add_writer(self._fd, self._drain)

    def _drain(self) -> None:
        try:
            while self._queue:
                sent = os.write(self._fd, self._queue)
                del self._queue[:sent]
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        self._loop.remove_writer(self._fd)

    def receive(self, handler: ByteHandler | None) -> None:
        """Call `handler(t_ns, data)` for arriving bytes; None leaves them with the kernel. Raises BusError."""
        if handler is not None:
            self._check_here()
        started, self._handler = self._handler is not None, handler
        if handler is not None and not started:
            self._loop.add_reader(self._fd, self._readable)
        elif handler is None and started and not self._gone:
            self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        if not data:
            # No bytes is also what an idle port says (VMIN is 0); only a hang-up means that it has gone.
            if self._hung_up():
                self._lose("the far end has gone")
        elif self._handler is not None:
            self._handler(self._clock.now_ns(), data)

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, 0)
        return bool(poll.poll(0))

    def set_baud(self, baud: int) -> None:
        """Change the line rate at once. Raises BusError for a bad rate, or while bytes are still being sent."""
        self._check_here()
        self._check_baud(baud)
        unsent = len(self._queue) + self._in_kernel()
        if unsent:
            raise BusError(self._name, f"the rate cannot change while {unsent} bytes are being sent")
        before = self._port.baudrate
        try:
            self._port.baudrate = baud
        except (ValueError, OSError, termios.error, serial.SerialException) as error:
            self._port.baudrate = before
            raise self._refused(error, baud, rs485=False) from error

    def _in_kernel(self) -> int:
        count = array.array("i", [0])
        fcntl.ioctl(self._fd, termios.TIOCOUTQ, count)
        return count[0]

    def _check_here(self) -> None:
        if self._gone:
            raise BusError(self._name, self._gone)

    def _lose(self, why: str) -> None:
        error = BusError(self._name, f"{self._device} is gone: {why}")
        self._end(error.message)
        log.warning("%s", error)
        if self._lost is not None:
            self._lost(error)

    def _end(self, reason: str) -> None:
        self._gone = reason
        self._handler = None
        self._queue.clear()
        if not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self._port.close()

    def close(self) -> None:
        """Give the port back; bytes the kernel has not taken are dropped. Harmless twice."""
        if not self._gone:
            self._end(f"{self._device} was closed")


def _reason(error: serial.SerialException) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
