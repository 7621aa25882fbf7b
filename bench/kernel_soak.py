"""A week of idling in the guest's virtual time, with a card an hour, through two changes of summer time.

Run by `make soak`. The card is good from 08:00 to 20:00 on the wall; what the door does is held against the time zone
itself. Control's memory is taken twice a day; it ends with 1 when the door was wrong once, or when memory grew by more
than a twentieth from the end of the first day to the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
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
GROWTH = 1.05
WINDOW = {
    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "start": f"{OPENS:02}:00",
    "end": f"{CLOSES:02}:00",
}


def resident_kib(pid: int) -> int:
    """The memory of a process now, in KiB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0])


class Soak:
    """One run: `hours` around each change of the clocks."""

    def __init__(self, bench: KernelBench, hours: int) -> None:
        self._bench = bench
        self._hours = hours
        self.memory_kib: list[int] = []
        self.cards = 0
        self.wrong: list[str] = []

    async def play(self) -> None:
        """Enrol, let control alone, and swipe."""
        bench = self._bench
        answer = await bench.params("access", schedules={"day": {"zone": ZONE.key, "windows": [WINDOW]}})
        assert answer.status_code == 200, answer.text
        await bench.enrol(card=CARD, schedule="day")
        await bench.leave_control_alone()
        for begins in BEGINS:
            time.clock_settime(time.CLOCK_REALTIME, begins.timestamp())
            for hour in range(self._hours):
                await bench.advance(3600.0)
                await self._card()
                if hour % 12 == 11:
                    self._look(hour)

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

    def _look(self, hour: int) -> None:
        self.memory_kib.append(resident_kib(self._bench.roles.pid("control")))
        print(f"  {datetime.now(ZONE):%a %Y-%m-%d %H:%M %Z}  control {self.memory_kib[-1]} KiB", flush=True)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=float, default=7.0, help="of virtual time (%(default)s)")
    args = parser.parse_args()
    if os.environ.get("LINTEL_KERNEL_BENCH") != "virtual":
        print("kernel_soak: needs the guest's virtual time; run it with make soak", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place:
        bench = KernelBench(Path(place) / "state", str(BOARD))
        soak = Soak(bench, round(args.days * 12))
        bench.play(soak.play, {})
    for line in soak.wrong:
        print(f"kernel_soak: wrong at {line}", file=sys.stderr)
    first, last = soak.memory_kib[min(1, len(soak.memory_kib) - 1)], soak.memory_kib[-1]
    print(f"{soak.cards} cards in {args.days:g} days, {len(soak.wrong)} wrong; control {first} KiB, then {last} KiB")
    return int(bool(soak.wrong) or last > GROWTH * first)


if __name__ == "__main__":
    sys.exit(main())
