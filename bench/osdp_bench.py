"""OSDP: our panel against libosdp 3.2.9's, each with the same libosdp reader over the same paced pty, and our cost.

Card to panel: from the reader's own stamp when it was handed the card to the panel's stamp when it told it, in blocks
A-B-A-B; a ratio is the median of the ratios within each pair. Polls: exchanges in a second with no pause between
polls, held against the limit of the wire (bytes both ways, two idle characters before each, 10 bits a byte). Then
both our ends in memory: processor time of an exchange, and memory before and after 20,000 lights and 100,000 polls.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.table import Row, percentile, show
from hal.osdp.commands import Led, LedPermanent, LedRecord
from hal.osdp.facts import Finished, PeripheralSettings, ReaderSettings, Reported
from hal.osdp.panel import Panel
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import PdId, Raw
from hal.types import LinkPhase
from tests.live.osdp.venvs import python_with

ROOT = Path(__file__).resolve().parent.parent
LIVE = ROOT / "tests" / "live" / "osdp"
PEER = ("libosdp", "3.2.9")
KEY = "5F1D3A9902C47EB688AB10E5D3427C6F"
NS = 1_000_000_000
IDLE_BYTES = 4
POLL_BYTES = {False: 8 + 8, True: 14 + 14}
WHO = PdId(b"\xa1\xb2\xc3", 7, 2, 1, 1, 0, 0)


class Child:
    """A process that speaks lines of JSON."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def tell(self, **order: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def hear(self, word: str) -> Any:
        """The next thing it says under a word."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{") and word in (said := json.loads(line)):
                return said[word]
        raise SystemExit(f"osdp_bench: a process ended before it said {word!r}")

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@contextmanager
def line(baud: int, *, ours: bool, secure: bool, flat_out: bool = False) -> Iterator[tuple[Child, Child]]:
    """A panel (ours or the peer's) and the peer's reader on a paced line, connected."""
    with ExitStack() as stack:
        wire = Child(sys.executable, str(LIVE / "wire.py"), str(baud))
        stack.callback(wire.close)
        assert wire.process.stdout is not None
        near, far = wire.process.stdout.readline().split()
        python, script = python_with(*PEER), str(LIVE / "peers" / "libosdp_peer.py")
        key = KEY if secure else "-"
        reader = Child(python, script, "pd", far, key)
        stack.callback(reader.close)
        reader.hear("ready")
        if ours:
            words = [sys.executable, str(Path(__file__)), "--panel", near, str(baud), key, "0" if flat_out else "25"]
        else:
            words = [python, script, "cp", near, key]
        panel = Child(*words)
        stack.callback(panel.close)
        while not panel.hear("online"):
            pass
        time.sleep(1.0)
        yield panel, reader


def cards(baud: int, *, ours: bool, secure: bool, count: int) -> list[float]:
    """Milliseconds from card to panel."""
    took = []
    source = random.Random(count)
    with line(baud, ours=ours, secure=secure) as (panel, reader):
        for n in range(count):
            time.sleep(source.uniform(0.12, 0.22))
            reader.tell(card=f"{n + 1:026b}")
            submitted_ns = reader.hear("submitted")
            took.append((panel.hear("t") - submitted_ns) / 1e6)
    return took


def polls(baud: int, *, secure: bool, for_s: float) -> float:
    """Exchanges in a second, flat out."""
    with line(baud, ours=True, secure=secure, flat_out=True) as (panel, _):
        panel.tell(count=for_s)
        return float(panel.hear("rate"))


def run_panel(path: str, baud: int, key: str, poll_ms: int) -> None:
    """Our panel in a process of its own, until the standard input ends."""
    keys = () if key == "-" else (bytes.fromhex(key),)
    reader = ReaderSettings(keys=keys, plain=not keys, poll_ns=poll_ms * 1_000_000)
    panel = Panel([reader], baud=baud)
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    online, sent, counting, started_ns, end_ns = False, 0, 0, 0, 0
    while True:
        step = panel.step(time.monotonic_ns())
        if step.send:
            os.write(fd, step.send)
            sent += 1
        for fact in step.facts:
            if isinstance(fact, Reported) and isinstance(fact.reply, Raw):
                print(json.dumps({"event": fact.reply.bits, "t": time.monotonic_ns()}), flush=True)
        if not online and panel.status(0).phase is LinkPhase.CONNECTED:
            online = True
            print(json.dumps({"online": True}), flush=True)
        now_ns = time.monotonic_ns()
        if end_ns and now_ns >= end_ns:
            print(json.dumps({"rate": (sent - counting) * NS / (now_ns - started_ns)}), flush=True)
            end_ns = 0
        wait_s = 0.05 if step.next_ns is None else max(0.0, (step.next_ns - now_ns) / NS)
        ready, _, _ = select.select([fd, sys.stdin], [], [], min(0.05, wait_s))
        if fd in ready:
            panel.receive(time.monotonic_ns(), os.read(fd, 4096))
        if sys.stdin in ready:
            order = sys.stdin.readline()
            if not order:
                return
            counting, started_ns = sent, time.monotonic_ns()
            end_ns = started_ns + int(json.loads(order)["count"] * NS)


class Memory:
    """Both our ends, joined without a wire."""

    def __init__(self, *, secure: bool) -> None:
        keys = (bytes.fromhex(KEY),) if secure else ()
        self.panel = Panel([ReaderSettings(keys=keys, plain=not secure, poll_ns=0)], baud=115200)
        self.reader = Peripheral(PeripheralSettings(keys=keys, plain=not secure, baud=115200), WHO)
        self.t_ns = NS
        self.facts = 0
        while self.panel.status(0).phase is not LinkPhase.CONNECTED:
            self.turn()
        for _ in range(10):
            self.turn()

    def turn(self) -> int:
        """One exchange; returns how many commands ended."""
        self.t_ns += 5_000_000
        step = self.panel.step(self.t_ns)
        self.reader.receive(self.t_ns, step.send)
        self.panel.receive(self.t_ns, self.reader.step(self.t_ns).send)
        return sum(isinstance(fact, Finished) for fact in step.facts)


def resident_kb() -> int:
    """Memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def cost(*, secure: bool, exchanges: int) -> float:
    """Processor microseconds of an exchange, both ends, best of five blocks."""
    memory = Memory(secure=secure)
    best = float("inf")
    for _ in range(5):
        start = time.process_time_ns()
        for _ in range(exchanges):
            memory.turn()
        best = min(best, (time.process_time_ns() - start) / exchanges / 1e3)
    return best


def endurance(lights: int, polls_: int) -> list[Row]:
    """Memory before and after many lights and polls, in the secure channel."""
    memory = Memory(secure=True)
    for _ in range(2000):
        memory.turn()
    gc.collect()
    before = resident_kb()
    done = asked = 0
    while done < lights:
        if asked - done < 8 and asked < lights:
            memory.panel.submit(0, Led((LedRecord(permanent=LedPermanent(1, 1, 0, 1 + asked % 4, 0)),)))
            asked += 1
        done += memory.turn()
    for _ in range(polls_):
        memory.turn()
    gc.collect()
    return [Row(f"memory after {lights} lights, {polls_} polls", resident_kb() / 1024, "MB", before / 1024, "before")]


def compare(baud: int, *, secure: bool, pairs: int, count: int) -> list[Row]:
    """Ours and the peer's panel, in turn."""
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    for _ in range(pairs):
        ours.append(cards(baud, ours=True, secure=secure, count=count))
        theirs.append(cards(baud, ours=False, secure=secure, count=count))
    rows = []
    what = "secure" if secure else "clear"
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        mine = [percentile(block, share) for block in ours]
        peers = [percentile(block, share) for block in theirs]
        ratio = statistics.median(a / b for a, b in zip(mine, peers, strict=True))
        value = statistics.median(mine)
        rows.append(
            Row(
                f"card to panel, {what}, {baud}, {name}", value, "ms", value / ratio, "libosdp 3.2.9's panel (bar 0.40)"
            )
        )
    return rows


def limit(baud: int, *, secure: bool) -> float:
    """Polls a second the wire allows."""
    return baud / 10 / (POLL_BYTES[secure] + IDLE_BYTES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panel", nargs=4, metavar=("PTY", "BAUD", "KEY", "POLL_MS"))
    parser.add_argument("--quick", action="store_true", help="fewer cards, pairs and polls")
    words = parser.parse_args()
    if words.panel:
        path, baud, key, poll_ms = words.panel
        run_panel(path, int(baud), key, int(poll_ms))
        return
    pairs, count, for_s = (1, 10, 2.0) if words.quick else (5, 30, 4.0)
    rows = []
    for baud in (9600, 115200):
        rows += compare(baud, secure=True, pairs=pairs, count=count)
    rows += compare(115200, secure=False, pairs=pairs, count=count)
    for baud in (9600, 115200):
        for secure in (False, True):
            what = "secure" if secure else "clear"
            rate = statistics.median(polls(baud, secure=secure, for_s=for_s) for _ in range(1 if words.quick else 3))
            rows.append(
                Row(f"polls flat out, {what}, {baud}", rate, "1/s", limit(baud, secure=secure), "the wire (bar 0.80)")
            )
    for secure in (False, True):
        what = "secure" if secure else "clear"
        rows.append(Row(f"processor time of an exchange, {what}", cost(secure=secure, exchanges=500), "us", None, ""))
    rows += endurance(2_000, 10_000) if words.quick else endurance(20_000, 100_000)
    show("OSDP", rows)


if __name__ == "__main__":
    main()
