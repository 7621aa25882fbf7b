"""A week of idling in the guest's virtual time, with a card an hour, through two changes of summer time.

Run by `make soak`; its short form is tests/guest/test_guest_days.py. The card is good from 08:00 to 20:00 on the wall;
what the door does is held against the time zone itself. Control's memory and its open files are looked at again and
again. It ends with 1 when the door was wrong once, when the number of files changed, or when memory grew by more than
1 MB a day (hardening row 26): the slope of a line through all looks after the first sixth of the run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.bench.kernel.bench import KernelBench

BOARD = Path(__file__).resolve().parent.parent / "tests/bench/kernel/boards/plain_door.toml"
CARD = "H10301:42:1234"
ZONE = ZoneInfo("Europe/Berlin")
OPENS, CLOSES = 8, 20
# Half of the time is spent around each change: on Thursday noon before it begins, on Monday night it is over.
BEGINS = (datetime(2026, 10, 22, 10, 30, tzinfo=UTC), datetime(2027, 3, 25, 11, 30, tzinfo=UTC))
GROWTH_KIB_A_DAY = 1e6 / 1024
LOOKS = 24  # what is looked at in a run; the first sixth of it warms up
WINDOW = {
    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "start": f"{OPENS:02}:00",
    "end": f"{CLOSES:02}:00",
}


def resident_kib(pid: int) -> int:
    """The memory of a process now, in KiB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0])


@dataclass(frozen=True, slots=True)
class Look:
    """What control held after so many hours."""

    hour: int
    memory_kib: int
    files: int


class Soak:
    """One run: `hours` around each change of the clocks that `begins` lists."""

    def __init__(self, bench: KernelBench, hours: int, begins: Sequence[datetime] = BEGINS) -> None:
        self._bench = bench
        self._hours = hours
        self._begins = begins
        self._all_h = hours * len(begins)
        self._look_every_h = max(1, self._all_h // LOOKS)
        self.looks: list[Look] = []
        self.cards = 0
        self.wrong: list[str] = []

    async def play(self) -> None:
        """Enrol, let control alone, and swipe."""
        bench = self._bench
        answer = await bench.params("access", schedules={"day": {"zone": ZONE.key, "windows": [WINDOW]}})
        assert answer.status_code == 200, answer.text
        await bench.enrol(card=CARD, schedule="day")
        await bench.leave_control_alone()
        bench.restart_look_s = 3600.0  # nothing here asks for one
        for begins in self._begins:
            time.clock_settime(time.CLOCK_REALTIME, begins.timestamp())
            for hour in range(1, self._hours + 1):
                await bench.advance(3600.0)
                await self._card()
                if hour % self._look_every_h == 0:
                    self._look()

    async def _card(self) -> None:
        bench = self._bench
        local = datetime.now(ZONE)
        before = bench.relay("door").edges()
        await bench.reader("front").swipe(CARD)
        await bench.advance(10.0)
        edges = bench.relay("door").edges() - before
        self.cards += 1
        if edges != (2 if OPENS <= local.hour < CLOSES else 0):
            self.wrong.append(f"{local.isoformat()}: {edges} edges")

    def _look(self) -> None:
        pid = self._bench.roles.pid("control")
        look = Look(self.cards, resident_kib(pid), len(os.listdir(f"/proc/{pid}/fd")))
        self.looks.append(look)
        print(f"  {datetime.now(ZONE):%a %Y-%m-%d %H:%M %Z}  {look}", flush=True)

    def faults(self) -> list[str]:
        """What is wrong with this run; nothing when all is well."""
        files = sorted({look.files for look in self.looks})
        growth = self.growth_kib_a_day()
        found = [f"at {wrong}" for wrong in self.wrong]
        found += [f"the number of open files changed: {files}"] if len(files) != 1 else []
        found += [f"memory grew by {growth:.0f} KiB a day"] if growth > GROWTH_KIB_A_DAY else []
        return found

    def growth_kib_a_day(self) -> float:
        """The slope of control's memory once it is warm."""
        warm = [look for look in self.looks if look.hour > self._all_h / 6]
        slope = statistics.linear_regression([look.hour for look in warm], [look.memory_kib for look in warm]).slope
        return 24 * slope


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=float, default=7.0, help="of virtual time (%(default)s)")
    args = parser.parse_args()
    if args.days < 1:
        parser.error(f"--days {args.days:g}: a slope of memory wants at least 1")
    if os.environ.get("LINTEL_KERNEL_BENCH") != "virtual":
        print("kernel_soak: needs the guest's virtual time; run it with make soak", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place:
        bench = KernelBench(Path(place) / "state", str(BOARD))
        soak = Soak(bench, round(args.days * 12))
        bench.play(soak.play, {})
    faults = soak.faults()
    for fault in faults:
        print(f"kernel_soak: wrong: {fault}", file=sys.stderr)
    last = soak.looks[-1]
    print(
        f"{soak.cards} cards in {args.days:g} days, {len(soak.wrong)} wrong; control {last.memory_kib} KiB, "
        f"{soak.growth_kib_a_day():+.0f} KiB a day, {last.files} files"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
