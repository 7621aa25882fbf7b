"""The parent's side of the process that sends pulses; implements PulseOut.

The process is started again when it dies, after whoever owns the wires has brought the lines to rest.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hal.buses.pulse_process import LONGEST_PACKET, Work
from hal.clock import Clock, Timer
from hal.errors import BusError, HalError, LineInUse, error_of
from hal.pulse import LONGEST_INTERVAL_NS
from hal.types import PulseTrain, WiegandTiming

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
# Python needs a tenth of a second to start, on a busy board much longer.
START_S = 5.0
# How long a frame waits for a process that is being started again.
COMES_BACK_S = 3.0
# Beyond the longest time that a frame can take.
GRACE_S = 2.0
STOP_S = 1.0
RESTART_S, LONGEST_RESTART_S = 0.05, 5.0
STEADY_NS = 10_000_000_000

Rest = Callable[[], Awaitable[None]]


class PulseChild:
    """One sending process at a time, and what is asked of it."""

    def __init__(self, work: Work, clock: Clock, *, rest: Rest, keep: Sequence[int] = ()) -> None:
        """`work` lacks its socket and parent; `rest` brings the lines to rest without it; it inherits `keep`."""
        self._work = work
        self._clock = clock
        self._rest = rest
        self._keep = tuple(keep)
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._socket: socket.socket | None = None
        self._ready: asyncio.Future[None] | None = None
        self._up = asyncio.Event()
        self._gone = asyncio.Event()
        self._up_ns = 0
        self._asked: tuple[int, asyncio.Future[PulseTrain]] | None = None
        self._number = 0
        self._realtime = False
        self._reason = ""
        self._closed = False

    @property
    def realtime(self) -> bool:
        return self._realtime

    @property
    def reason(self) -> str:
        return self._reason

    @property
    def pid(self) -> int | None:
        """The process that sends now."""
        return None if self._process is None else self._process.pid

    async def open(self) -> None:
        """Start for the first time. A process that does not come is started again by `run`: the door comes first.

        Raises LineInUse, which will not mend by itself.
        """
        try:
            await self.start()
        except LineInUse:
            raise
        except BusError as error:
            log.error("%s: pulses cannot be sent: %s", self._work.owner, error)
            self._reason = error.message
            self._gone.set()

    async def start(self) -> None:
        """Start the process and wait until it has the lines. Raises LineInUse, BusError."""
        self._spawn()
        assert self._ready is not None
        late = self._clock.call_later(START_S, self._too_late, self._ready)
        try:
            await self._ready
        except BaseException:
            self._end()
            raise
        finally:
            late.cancel()
        self._up_ns = self._clock.now_ns()
        self._up.set()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        work = replace(self._work, socket=theirs.fileno(), parent=os.getpid())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "hal.buses.pulse_process", json.dumps(asdict(work))],
                pass_fds=(theirs.fileno(), *self._keep),
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        self._socket = ours
        self._pidfd = os.pidfd_open(self._process.pid)
        self._gone.clear()
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        loop.add_reader(self._pidfd, self._died)
        loop.add_reader(ours, self._readable)

    async def run(self) -> None:
        """Start the process again whenever it dies; ends only by cancellation."""
        pause_s = RESTART_S
        while True:
            await self._gone.wait()
            lived_ns = self._clock.now_ns() - self._up_ns
            pause_s = RESTART_S if lived_ns > STEADY_NS else min(pause_s * 2, LONGEST_RESTART_S)
            try:
                await self._rest()
            except HalError as error:
                log.error("%s: the lines may not be at rest: %s", self._work.owner, error)
            await self._clock.sleep(pause_s)
            try:
                await self.start()
            except HalError as error:
                log.error("%s: pulses cannot be sent: %s", self._work.owner, error)
                self._gone.set()

    async def send(self, bits: str, timing: WiegandTiming) -> PulseTrain:
        """Try once to send a frame. Raises BusError when the process is not there, dies or does not answer."""
        if not self._up.is_set():
            try:
                async with asyncio.timeout(COMES_BACK_S):
                    await self._up.wait()
            except TimeoutError:
                raise BusError(self._work.owner, "the process that sends pulses is not running") from None
        assert self._socket is not None
        self._number += 1
        answer: asyncio.Future[PulseTrain] = asyncio.get_running_loop().create_future()
        self._asked = (self._number, answer)
        asked = {"id": self._number, "bits": bits, "pulse_us": timing.pulse_us, "interval_us": timing.interval_us}
        longest_s = len(bits) * LONGEST_INTERVAL_NS / 1e9 + GRACE_S
        late: Timer = self._clock.call_later(longest_s, self._too_late, answer)
        try:
            self._socket.send(json.dumps(asked).encode())
            return await answer
        except OSError as error:
            raise BusError(self._work.owner, f"cannot ask the process that sends: {error.strerror}") from error
        finally:
            late.cancel()
            self._asked = None

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            packet = self._socket.recv(LONGEST_PACKET)
        except BlockingIOError:
            return
        except ConnectionResetError:
            packet = b""
        if not packet:
            # It has nothing more to say; that it is dead is told by its pidfd.
            asyncio.get_running_loop().remove_reader(self._socket)
            self._kill()
            return
        self._take(json.loads(packet))

    def _take(self, message: dict[str, Any]) -> None:
        if "error" in message:
            self._fail(error_of(message["error"]))
        elif "ready" in message:
            if not message["realtime"] and message["reason"] != self._reason:
                log.warning("%s: pulses are sent at normal priority: %s", self._work.owner, message["reason"])
            self._realtime, self._reason = message["realtime"], message["reason"]
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
        elif self._asked is not None and message.pop("id") == self._asked[0] and not self._asked[1].done():
            train = PulseTrain(
                t_ns=message["t_ns"],
                ends_ns=message["ends_ns"],
                pulses_ns=tuple(message["pulses_ns"]),
                intervals_ns=tuple(message["intervals_ns"]),
                broken=message["broken"],
            )
            self._asked[1].set_result(train)

    def _fail(self, error: HalError) -> None:
        for waiting in (self._ready, None if self._asked is None else self._asked[1]):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)

    def _too_late(self, waiting: asyncio.Future[Any]) -> None:
        """End a process that has not answered; an answer that is there by now counts, also one that nobody has read."""
        if not waiting.done() and self._socket is not None:
            self._readable()
        if not waiting.done():
            self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _died(self) -> None:
        """The kernel says that it is dead: whoever waits is told, and `run` starts another."""
        self._fail(BusError(self._work.owner, "the process that sends pulses has died"))
        self._end()
        self._gone.set()

    def _end(self) -> None:
        """Let go of the process; it is asked to leave, and killed when it does not."""
        self._up.clear()
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._pidfd >= 0:
            loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def close(self) -> None:
        """Have the process bring the lines to rest and leave; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._fail(BusError(self._work.owner, "the lines were given back"))
            self._end()
