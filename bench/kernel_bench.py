"""Figures of the guest's kernel in real time: edges, writes and idling beside their peers, and ten thousand cards.

Run by `make bench-kernel`. The first table is bench/gpio_bench.py. Then an injector at real-time priority sends Wiegand
frames at 200 us from bit to bit to the reader of the firmware (hal/drivers/wiegand.py on hal/buses), while other
processes want all of the processor. A frame is lost when the injector kept the standard and the reader did not tell it.
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

HERE = Path(__file__).resolve().parent
D0, D1, BITS = 23, 24, 26
INTERVAL_US, GAP_US = 200, 30_000
HOGS = 2
SPIN = "while True: pass"
SETTLE_S = 0.5
NO_CHIP = 2


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


def main() -> int:
    """The command line; ends with 1 when a card was lost or invented."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000, help="cards to send (%(default)s)")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of blocks of the first table (%(default)s)")
    parser.add_argument("--only", choices=("gpio", "wiegand"), help="one of the two parts")
    args = parser.parse_args()
    found = sim_chip()
    if found is None:
        print("kernel_bench: this kernel has no gpio-sim chip; run it with make bench-kernel", file=sys.stderr)
        return NO_CHIP
    code = 0
    if args.only != "wiegand":
        command = [sys.executable, str(HERE / "gpio_bench.py"), f"--pairs={args.pairs}"]
        code = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(HERE.parent)}, check=False).returncode
    if args.only != "gpio":
        result = wiegand(*found, args.frames)
        rows = [
            Row("frames sent within the standard", result.sent, "", None, f"{INTERVAL_US} us at least from bit to bit"),
            Row("told by the reader", result.told, "", result.sent, "frames sent"),
            Row("lost", result.lost, "", None, f"with {HOGS} processes that want all of the processor"),
            Row("invented", result.invented, "", None, "told and never sent"),
            Row("longest interval in a frame, p50", result.longest_us_p50, "us", INTERVAL_US, "the least"),
            Row("spoilt by the host", result.spoilt_by_host, "", None, "a pause of over 19 ms in a frame; sent again"),
        ]
        show("Wiegand under full load", rows)
        print(json.dumps({"wiegand": asdict(result)}))
        code = code or int(bool(result.lost or result.invented))
    return code


if __name__ == "__main__":
    sys.exit(main())
