"""The process that sends pulses: it does nothing else, and comes before all others where it may.

    parent -> child   {"id": 7, "bits": "0110", "pulse_us": 40, "interval_us": 2000}
    child -> parent   {"ready": true, "realtime": true, "reason": ""}            once, when it has the lines
                      {"id": 7, "t_ns", "ends_ns", "pulses_ns", "intervals_ns", "broken"}
                      {"error": {"kind", "where", "message"}}                    and it ends

One JSON object a packet of a Unix socket. The lines rest when the socket closes, when the parent dies (the kernel
sends SIGTERM then, prctl(2)), on SIGTERM, and after every error.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from types import FrameType

from hal.buses.parent import die_with_parent
from hal.buses.pulse_lines import ChipLines, LoggedLines
from hal.buses.pulse_loop import DataLines, cost_of_a_call_ns, send_train
from hal.errors import HalError, error_data
from hal.types import WiegandTiming

# Above ordinary work, below the kernel's own threads (they have 50 and more).
PRIORITY = 49
LONGEST_PACKET = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a sender is started with: its end of the socket, its parent, and its lines.

    Either `chip` with `d0`, `d1` and `active_high`, or `log`, the descriptor of a log. `realtime` false is for
    comparisons: the process does not ask to come first.
    """

    socket: int
    parent: int
    owner: str
    bus: str = ""
    chip: str = ""
    d0: int = 0
    d1: int = 0
    active_high: bool = True
    log: int = -1
    realtime: bool = True

    def open(self) -> DataLines:
        """Take the lines. Raises LineInUse, BusError."""
        if self.log >= 0:
            return LoggedLines(self.log)
        return ChipLines(self.chip, self.bus, self.d0, self.d1, active_high=self.active_high, owner=self.owner)


def main(words: list[str]) -> int:
    """Send what the parent asks for until it hangs up."""
    work = Work(**json.loads(words[0]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to everybody in a terminal; the parent ends in order
    die_with_parent(work.parent, signal.SIGTERM)
    with socket.socket(fileno=work.socket) as parent:
        try:
            lines = work.open()
            _rest_when_told_to_end(lines)
            try:
                _serve(parent, lines, _come_first() if work.realtime else "not asked for")
            finally:
                lines.rest()
                lines.close()
        except HalError as error:
            _say(parent, error=error_data(error))
            return 1
    return 0


def _rest_when_told_to_end(lines: DataLines) -> None:
    """From now on SIGTERM, whatever it interrupts, lets the lines go and ends the process.

    No exception does it: one that is raised in a destructor or while a class is made does not reach `main`.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        try:
            lines.rest()
        finally:
            os._exit(0)

    signal.signal(signal.SIGTERM, leave)


def _come_first() -> str:
    """Ask for real-time priority; returns why it was refused, or nothing."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        return f"SCHED_FIFO was refused: {error.strerror or error} (systemd: LimitRTPRIO={PRIORITY})"
    return ""


def _serve(parent: socket.socket, lines: DataLines, reason: str) -> None:
    cost_ns = cost_of_a_call_ns(lines)
    _say(parent, ready=True, realtime=not reason, reason=reason)
    while packet := _heard(parent):
        asked = json.loads(packet)
        timing = WiegandTiming(pulse_us=asked["pulse_us"], interval_us=asked["interval_us"])
        train = send_train(lines, asked["bits"], timing, cost_ns=cost_ns)
        _say(parent, id=asked["id"], **asdict(train))


def _heard(parent: socket.socket) -> bytes:
    try:
        return parent.recv(LONGEST_PACKET)
    except ConnectionResetError:
        return b""  # the parent died with an answer unread: the same as hanging up


def _say(parent: socket.socket, **words: object) -> None:
    try:
        parent.send(json.dumps(words).encode())
    except BrokenPipeError:
        sys.exit(0)  # nobody is left to be told


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
