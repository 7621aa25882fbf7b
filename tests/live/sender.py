"""A parent of a pulse process, as a process of its own: `python sender.py LOG_FD`; it sends frames until it is killed.

Prints `PID REALTIME REASON` of its pulse process when that has the lines, then a line for each frame.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import resource
import sys

from hal.buses.pulse_child import PulseChild
from hal.buses.pulse_process import Work
from hal.clock import SystemClock
from hal.types import WiegandTiming

PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23


async def rest() -> None:
    """There is no chip."""


async def main(fd: int) -> None:
    clock = SystemClock()
    child = PulseChild(Work(socket=-1, parent=-1, owner="out1", log=fd), clock, rest=rest, keep=(fd,))
    await child.open()
    print(child.pid, child.realtime, child.reason, flush=True)
    while True:
        train = await child.send("10" * 256, WiegandTiming(pulse_us=100, interval_us=200))
        print(train.broken or "whole", flush=True)


if __name__ == "__main__":
    if "--humble" in sys.argv:
        # What an ordinary user may: no real-time priority. A bounding set counts from the next exec on.
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE)
        os.execv(sys.executable, [sys.executable, __file__, sys.argv[1]])  # noqa: S606 - a program, not a shell
    logging.basicConfig(format="%(message)s")
    asyncio.run(main(int(sys.argv[1])))
