"""`lintel safe-outputs`: every output of a real board at rest, by a process that cannot hang.

systemd runs it after control has ended, whatever ended it (systemd/lintel-control.service, ExecStopPost).
"""

from __future__ import annotations

import asyncio
import signal
import sys

from firmware.cli.parser import Parser
from hal.board import Board, load_board
from hal.clock import SystemClock

# A bus that hangs ends this process, and with it nothing but what it still had to do.
PATIENCE_S = 3.0


def command(words: list[str]) -> int:
    """Drive the outputs to rest; returns 1 when one could not be. Raises Invalid, BoardError."""
    parser = Parser(prog="lintel safe-outputs")
    parser.add_argument("--board", default="door_station", help="a board's name or file")
    found = parser.parse_all(words)
    # The default action of this signal ends a process also while it waits for the kernel in another thread.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        return asyncio.run(_make_safe(load_board(found.board)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


async def _make_safe(board: Board) -> int:
    from hal.buses.real import RealWires
    from hal.safe_outputs import make_safe

    clock = SystemClock()
    wires = RealWires(board.buses, clock)
    try:
        faults = await make_safe(board, wires, clock)
    finally:
        await wires.close()
    for line in dict.fromkeys(map(str, faults)):  # a chip that is not there is one line, whatever hangs on it
        print(f"lintel safe-outputs: {line}", file=sys.stderr)
    return 1 if faults else 0
