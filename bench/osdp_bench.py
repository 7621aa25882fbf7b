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
CARD_BYTES = {False: 16, True: 30}
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
def line(
    baud: int, *, panel: str = "ours", reader: str = "peer", secure: bool, poll_ms: int = 10
) -> Iterator[tuple[Child, Child]]:
    """A panel (`ours`, `driven` or `shipped`) and a reader (`ours` or `peer`) on a paced line, connected."""
    with ExitStack() as stack:
        wire = Child(sys.executable, str(LIVE / "wire.py"), str(baud))
        stack.callback(wire.close)
        assert wire.process.stdout is not None
        near, far = wire.process.stdout.readline().split()
        python, script = python_with(*PEER), str(LIVE / "peers" / "libosdp_peer.py")
        key = KEY if secure else "-"
        if reader == "ours":
            pd = Child(sys.executable, str(Path(__file__)), "--reader", far, str(baud), key, "0")
        else:
            pd = Child(python, script, "pd", far, key)
        stack.callback(pd.close)
        pd.hear("ready")
        if panel == "ours":
            cp = Child(sys.executable, str(Path(__file__)), "--panel", near, str(baud), key, str(poll_ms))
        else:
            cp = Child(python, script, "cp", near, key, *(["shipped"] if panel == "shipped" else []))
        stack.callback(cp.close)
        while not cp.hear("online"):
            pass
        time.sleep(1.0)
        yield cp, pd


def cards(baud: int, *, panel: str, secure: bool, count: int) -> list[float]:
    """Milliseconds from card to panel."""
    took = []
    source = random.Random(count)
    with line(baud, panel=panel, secure=secure) as (cp, reader):
        for n in range(count):
            time.sleep(source.uniform(0.12, 0.22))
            reader.tell(card=f"{n + 1:026b}")
            submitted_ns = reader.hear("submitted")
            took.append((cp.hear("t") - submitted_ns) / 1e6)
    return took


def polls(baud: int, *, secure: bool, for_s: float, reader: str) -> float:
    """Exchanges in a second, flat out."""
    with line(baud, reader=reader, secure=secure, poll_ms=0) as (panel, _):
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


def run_reader(path: str, baud: int, key: str) -> None:
    """Our reader in a process of its own, until the standard input ends."""
    keys = () if key == "-" else (bytes.fromhex(key),)
    reader = Peripheral(PeripheralSettings(keys=keys, plain=not keys, baud=baud), WHO)
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    print(json.dumps({"ready": True}), flush=True)
    while True:
        step = reader.step(time.monotonic_ns())
        if step.send:
            os.write(fd, step.send)
        ready, _, _ = select.select([fd, sys.stdin], [], [], 0.05)
        if fd in ready:
            reader.receive(time.monotonic_ns(), os.read(fd, 4096))
        if sys.stdin in ready and not sys.stdin.readline():
            return


def bare(baud: int, *, secure: bool, for_s: float) -> float:
    """Exchanges a second of as many bytes with nothing but reads and writes at both ends: what the paced pty gives."""
    size = POLL_BYTES[secure] // 2
    wire = Child(sys.executable, str(LIVE / "wire.py"), str(baud))
    assert wire.process.stdout is not None
    near, far = wire.process.stdout.readline().split()
    echo = Child(sys.executable, str(Path(__file__)), "--echo", far, str(size), "-", "0")
    echo.hear("ready")
    fd = os.open(near, os.O_RDWR | os.O_NOCTTY)
    done, start_s = 0, time.monotonic()
    while time.monotonic() - start_s < for_s:
        os.write(fd, bytes(size))
        read_whole(fd, size)
        done += 1
    took_s = time.monotonic() - start_s
    os.close(fd)
    echo.close()
    wire.close()
    return done / took_s


def read_whole(fd: int, size: int) -> None:
    """Read so many bytes."""
    while size:
        size -= len(os.read(fd, size))


def run_echo(path: str, size: int) -> None:
    """Answer every `size` bytes with as many, until killed with the line."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    print(json.dumps({"ready": True}), flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        if select.select([fd, sys.stdin], [], [])[0] == [fd]:
            read_whole(fd, size)
            os.write(fd, bytes(size))


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


PANELS = {"shipped": "libosdp 3.2.9's panel as it comes (bar 0.40)", "driven": "the same, refreshed every millisecond"}


def compare(baud: int, *, secure: bool, pairs: int, count: int) -> list[Row]:
    """Ours and the peer's panel, in turn."""
    blocks: dict[str, list[list[float]]] = {"ours": [], **{panel: [] for panel in PANELS}}
    for _ in range(pairs):
        for panel, found in blocks.items():
            found.append(cards(baud, panel=panel, secure=secure, count=count))
    rows = []
    what = "secure" if secure else "clear"
    for panel, whose in PANELS.items():
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            mine = [percentile(block, share) for block in blocks["ours"]]
            peers = [percentile(block, share) for block in blocks[panel]]
            ratio = statistics.median(a / b for a, b in zip(mine, peers, strict=True))
            value = statistics.median(mine)
            rows.append(Row(f"card to panel, {what}, {baud}, {name}", value, "ms", value / ratio, whose))
    mine = [percentile(block, 0.5) for block in blocks["ours"]]
    floor_ms = 10_000 / baud * ((POLL_BYTES[secure] + IDLE_BYTES) / 2 + CARD_BYTES[secure] + IDLE_BYTES / 2)
    whose = "the wire: half a poll, then the answer"
    rows.append(Row(f"card to panel, {what}, {baud}, p50", statistics.median(mine), "ms", floor_ms, whose))
    return rows


def rates(baud: int, *, secure: bool, blocks: int, for_s: float) -> list[Row]:
    """Polls flat out, against the wire and against what the paced pty gives to bare bytes."""
    what = "secure" if secure else "clear"
    wire = limit(baud, secure=secure)
    rows = []
    for reader in ("ours", "peer"):
        found = [
            (polls(baud, secure=secure, for_s=for_s, reader=reader), bare(baud, secure=secure, for_s=for_s))
            for _ in range(blocks)
        ]
        rate = statistics.median(ours for ours, _ in found)
        ratio = statistics.median(ours / floor for ours, floor in found)
        name = f"polls flat out, {what}, {baud}, {'our' if reader == 'ours' else 'libosdp'} reader"
        rows.append(Row(name, rate, "1/s", wire, "the wire (bar 0.80)"))
        rows.append(Row(name, rate, "1/s", rate / ratio, "as many bytes bare over the same pty"))
    return rows


def limit(baud: int, *, secure: bool) -> float:
    """Polls a second the wire allows."""
    return baud / 10 / (POLL_BYTES[secure] + IDLE_BYTES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for role in ("--panel", "--reader", "--echo"):
        parser.add_argument(role, nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="fewer cards, pairs and polls")
    words = parser.parse_args()
    if words.panel:
        path, baud, key, poll_ms = words.panel
        run_panel(path, int(baud), key, int(poll_ms))
        return
    if words.reader:
        run_reader(words.reader[0], int(words.reader[1]), words.reader[2])
        return
    if words.echo:
        run_echo(words.echo[0], int(words.echo[1]))
        return
    pairs, count = (1, 10) if words.quick else (3, 20)
    rows = []
    for baud in (9600, 115200):
        rows += compare(baud, secure=True, pairs=pairs, count=count)
    for baud in (9600, 115200):
        for secure in (False, True):
            rows += rates(baud, secure=secure, blocks=min(2, pairs), for_s=2.0)
    for secure in (False, True):
        what = "secure" if secure else "clear"
        rows.append(Row(f"processor time of an exchange, {what}", cost(secure=secure, exchanges=500), "us", None, ""))
    rows += endurance(2_000, 10_000) if words.quick else endurance(20_000, 100_000)
    show("OSDP", rows)


if __name__ == "__main__":
    main()
