"""Wiegand pulses: how wide they really are, idle and on a busy machine, with and without real-time priority.

Each way of making a pulse sends the same trains on a log, in a process of its own, and all take turns in short
rounds, so that what is compared met the same machine. Ours is the pulse code of the firmware (`hal.buses.pulse_loop`);
peers are the same spinning at normal priority and the plain way, `time.sleep` for each half. Widths are the log's own
stamps. A frame is 26 bits of 50 us every 2 ms; a pulse is out of bounds below 20 or above 100 us (SIA AC-01).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from bench.table import Row, percentile, show
from hal.buses.pulse_lines import LoggedLines, LogReader, Move, new_log
from hal.buses.pulse_loop import cost_of_a_call_ns, send_train
from hal.types import WiegandTiming
from tests.live.load import busy

ROOT = Path(__file__).resolve().parent.parent
TIMING = WiegandTiming(pulse_us=50, interval_us=2000)
FRAME = "10" * 13
WAYS = ("ours, SCHED_FIFO", "spin, normal priority", "time.sleep")
REALTIME = 49


def widths_of(moves: tuple[Move, ...]) -> list[int]:
    """The widths of the pulses in a log, in ns."""
    found, began = [], 0
    for t_ns, d0, d1 in moves:
        if d0 or d1:
            began = t_ns
        else:
            found.append(t_ns - began)
    return found


def sleepily(lines: LoggedLines) -> bool:
    """A frame as one would write it first: sleep, pull, sleep, let go. Nothing is measured, nothing is broken off."""
    for bit in FRAME:
        lines.pull(int(bit))
        time.sleep(TIMING.pulse_us / 1e6)
        lines.rest()
        time.sleep((TIMING.interval_us - TIMING.pulse_us) / 1e6)
    return False


def run_way(way: str, frames: int) -> dict[str, object]:
    """What the process of one way measures: all widths, and how many trains it broke off itself."""
    if way == WAYS[0]:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME))
    fd = new_log()
    log = LogReader(fd)
    lines = LoggedLines(fd)
    cost_ns = cost_of_a_call_ns(lines)
    widths: list[int] = []
    accepted: list[int] = []
    broken = 0
    for _ in range(frames):
        failed = sleepily(lines) if way == WAYS[2] else bool(send_train(lines, FRAME, TIMING, cost_ns=cost_ns).broken)
        broken += failed
        fresh = widths_of(log.fresh())
        widths += fresh
        accepted += [] if failed else fresh
        time.sleep(TIMING.frame_gap_us / 1e6)
    return {"widths": widths, "accepted": accepted, "broken": broken, "frames": frames}


class Figures:
    """All rounds of one way under one load."""

    def __init__(self) -> None:
        self.widths: list[int] = []
        self.accepted: list[int] = []
        self.broken = 0
        self.frames = 0

    def add(self, found: dict[str, object]) -> None:
        """Take one round."""
        self.widths += found["widths"]  # type: ignore[operator]
        self.accepted += found["accepted"]  # type: ignore[operator]
        self.broken += int(str(found["broken"]))
        self.frames += int(str(found["frames"]))

    def error_us(self, share: float) -> float:
        """The error of the width, without its sign, that so large a share of pulses does not exceed."""
        return percentile([abs(width - TIMING.pulse_us * 1000) / 1000 for width in self.widths], share)

    def out(self, widths: list[int]) -> int:
        """How many of these are out of bounds."""
        return sum(not 20_000 <= width <= 100_000 for width in widths)


def measure(args: argparse.Namespace) -> dict[tuple[str, str], Figures]:
    """Every way in turn, idle and busy; a way whose process is refused real-time priority is left out."""
    found: dict[tuple[str, str], Figures] = defaultdict(Figures)
    for load, hogs in (("idle", 0), ("busy", 2 * (os.cpu_count() or 1))):
        for _ in range(args.rounds):
            with busy(hogs):
                for way in WAYS:
                    command = [sys.executable, __file__, "--way", way, f"--frames={args.frames}"]
                    done = subprocess.run(
                        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}
                    )
                    if done.returncode:
                        print(f"wiegand_bench: {way} failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                        continue
                    found[way, load].add(json.loads(done.stdout))
    return found


def rows(found: dict[tuple[str, str], Figures], load: str) -> list[Row]:
    """The table of one load; each peer's figures are held against ours."""
    table: list[Row] = []
    ours = found.get((WAYS[0], load))
    for way in WAYS:
        figures = found.get((way, load))
        if figures is None or not figures.widths:
            continue
        against = None if ours is None or way == WAYS[0] else ours
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            floor = None if against is None else against.error_us(share)
            table.append(
                Row(f"{way}: width error {name}", figures.error_us(share), "us", floor, "ours" if floor else "")
            )
        total = len(figures.widths)
        table.append(Row(f"{way}: pulses out of bounds", figures.out(figures.widths), "", None, f"of {total}"))
        if way != WAYS[2]:
            again = 100 * figures.broken / figures.frames
            table.append(Row(f"{way}: frames broken off, sent again", again, "%", None, f"of {figures.frames}"))
        accepted_out = figures.out(figures.accepted)
        table.append(Row(f"{way}: out of bounds and accepted", accepted_out, "", None, f"of {len(figures.accepted)}"))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4, help="rounds in which all ways take turns (4)")
    parser.add_argument("--frames", type=int, default=20, help="frames of 26 bits in a round (20)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(run_way(args.way, args.frames)))
        return 0
    found = measure(args)
    for load, words in (("idle", "idle"), ("busy", "two busy processes a core")):
        show(f"wiegand pulses of 50 us, {words}", rows(found, load))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
