"""Figures of the guest's kernel in real time, in one run: edges and idling beside their peers, cards, restarts.

Run by `make bench-kernel`. The first table is bench/gpio_bench.py. Then an injector at real-time priority sends Wiegand
frames at 200 us from bit to bit to the reader of the firmware (hal/drivers/wiegand.py on hal/buses), while other
processes want all of the processor. A frame is lost when the injector kept the standard and the reader did not tell it.
At last the control role of a door station is restarted again and again, and the kernel tells what its relays did. The
last table has what the run is for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.gpio_bench import sim_chip
from bench.table import Row, show
from hal.buses.gpio import FactoryGpio
from hal.buses.gpiod_factory import GpiodFactory
from hal.buses.readiness import LoopReadiness
from hal.clock import SystemClock
from hal.drivers.wiegand import WiegandReader
from hal.types import CardBits, ReaderFact, ReaderFault
from tests.bench.kernel.bench import KernelBench
from tests.bench.kernel.restarts import Restarts, restart_control

HERE = Path(__file__).resolve().parent
D0, D1, BITS = 23, 24, 26
INTERVAL_US, GAP_US = 200, 30_000
HOGS = 2
SPIN = "while True: pass"
SETTLE_S = 0.5
NO_CHIP = 2
# The most that a process with one watched input and nothing to do may take, in per cent of a core.
IDLE_PERCENT = 0.2
# Figures of bench/gpio_bench.py that the last table has, by their names there.
EDGES = tuple(f"edge to handler, group{peer}, {q}" for peer in ("", ", against gpiod alone") for q in ("p50", "p99"))
IDLE = "idle cost of a watched input, group"


@dataclass(frozen=True, slots=True)
class Cards:
    """What became of frames: sent within the standard, told by the reader, and what was spoilt at either end."""

    sent: int
    told: int
    lost: int
    invented: int
    spoilt_by_host: int
    faults: dict[str, int]
    longest_us_p50: float


@contextlib.contextmanager
def load(count: int) -> Iterator[None]:
    """Processes at normal priority that want all of the processor."""
    hogs = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


async def injected(command: list[str]) -> list[tuple[int, bool, int]]:
    """Number, whether it kept the standard, and its longest interval in us, of every frame that was sent."""
    injector = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await injector.communicate()
    if injector.returncode:
        raise SystemExit(f"kernel_bench: the injector ended with {injector.returncode}")
    frames = []
    for line in out.decode().splitlines():
        number, how, longest_us = line.split()
        frames.append((int(number), how == "ok", int(longest_us)))
    return frames


async def cards(chip: str, folder: Path, injector: Path, frames: int) -> Cards:
    """Send frames to the firmware's reader on a loaded machine, and count."""
    clock = SystemClock()
    gpio = FactoryGpio(GpiodFactory(chip, reads=LoopReadiness(asyncio.get_running_loop())), clock, "gpio0")
    reader = await WiegandReader.open("reader1", gpio, D0, D1, clock, led=None, beeper=None)
    facts: list[ReaderFact] = []
    reader.watch(facts.append)
    pulls = [str(folder / f"sim_gpio{line}" / "pull") for line in (D0, D1)]
    with load(HOGS):
        sent = await injected([str(injector), *pulls, str(frames), str(INTERVAL_US), str(GAP_US)])
        await clock.sleep(SETTLE_S)
    reader.close()
    gpio.close()
    good = [number for number, ok, _ in sent if ok]
    told = [int(fact.bits, 2) for fact in facts if isinstance(fact, CardBits) and len(fact.bits) == BITS]
    return Cards(
        sent=len(good),
        told=len(told),
        lost=len(set(good) - set(told)),
        invented=len(set(told) - {number for number, _, _ in sent}),
        spoilt_by_host=sum(not ok for _, ok, _ in sent),
        faults=dict(Counter(fact.trouble.value for fact in facts if isinstance(fact, ReaderFault))),
        longest_us_p50=statistics.median(longest_us for _, _, longest_us in sent),
    )


def wiegand(chip: str, folder: Path, frames: int) -> Cards:
    """Build the injector and run it."""
    with tempfile.TemporaryDirectory() as place:
        injector = Path(place) / "injector"
        subprocess.run(["cc", "-O2", "-o", str(injector), str(HERE / "native" / "injector.c")], check=True)
        return asyncio.run(cards(chip, folder, injector, frames))


def restarts(count: int) -> Restarts:
    """Restart control on a door station of its own."""

    async def play() -> None:
        done.append(await restart_control(bench, count))

    done: list[Restarts] = []
    with tempfile.TemporaryDirectory() as place:
        bench = KernelBench(Path(place) / "state")
        bench.play(play, {})
    return done[0]


def edges_and_idling(pairs: int) -> tuple[int, list[Row]]:
    """Run bench/gpio_bench.py, which prints its table; its status, and those of its figures that the last table has."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "gpio.json"
        command = [sys.executable, str(HERE / "gpio_bench.py"), f"--pairs={pairs}", f"--json={report}"]
        code = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(HERE.parent)}, check=False).returncode
        if not report.exists():
            raise SystemExit(f"kernel_bench: gpio_bench.py ended with {code} and without figures")
        found = {row["quantity"]: row for row in json.loads(report.read_text())["gpio"]}
    rows = [
        Row(f"edge to handler, {name[-3:]}", found[name]["value"], "us", found[name]["peer"], found[name]["peer_is"])
        for name in EDGES
    ]
    idle = f"of a core, the most it may be; {found[IDLE]['peer_is']}: {found[IDLE]['peer']} %"
    return code, [*rows, Row("idling with one watched input", found[IDLE]["value"], "%", IDLE_PERCENT, idle)]


def card_rows(result: Cards) -> list[Row]:
    """What became of frames, all of it."""
    return [
        Row("frames sent within the standard", result.sent, "", None, f"{INTERVAL_US} us at least from bit to bit"),
        Row("told by the reader", result.told, "", result.sent, "frames sent"),
        Row("lost", result.lost, "", None, f"with {HOGS} processes that want all of the processor"),
        Row("invented", result.invented, "", None, "told and never sent"),
        Row("longest interval in a frame, p50", result.longest_us_p50, "us", INTERVAL_US, "the least"),
        Row("spoilt by the host", result.spoilt_by_host, "", None, "a pause of over 19 ms in a frame; sent again"),
    ]


def main() -> int:
    """The command line; ends with 1 when a card was lost or invented, or a relay moved."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000, help="cards to send (%(default)s)")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of blocks of the first table (%(default)s)")
    parser.add_argument("--restarts", type=int, default=100, help="of control (%(default)s)")
    parser.add_argument("--only", choices=("gpio", "wiegand", "restarts"), help="one of the three parts")
    args = parser.parse_args()
    found = sim_chip()
    if found is None:
        print("kernel_bench: this kernel has no gpio-sim chip; run it with make bench-kernel", file=sys.stderr)
        return NO_CHIP
    code, rows = 0, []
    if args.only in (None, "gpio"):
        code, rows = edges_and_idling(args.pairs)
    if args.only in (None, "wiegand"):
        result = wiegand(*found, args.frames)
        show("Wiegand under full load", card_rows(result))
        print(json.dumps({"wiegand": asdict(result)}))
        code = code or int(bool(result.lost or result.invented))
        load = f"frames of {INTERVAL_US} us from bit to bit under full load: sent"
        rows += [
            Row("Wiegand frames told", result.told, "", result.sent, load),
            Row("Wiegand frames lost", result.lost, "", None, "none may be"),
        ]
    if args.only in (None, "restarts"):
        done = restarts(args.restarts)
        code = code or int(bool(done.edges))
        rows.append(Row("edges of relays that nobody asked for", done.edges, "", None, f"{done.count} restarts"))
    show("The kernel bench, in one run", rows)
    return code


if __name__ == "__main__":
    sys.exit(main())
