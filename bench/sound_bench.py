"""The door while sound runs: a door station that plays and is talked to, against the same one when it is still.

Quiet and loud blocks take turns, so that both see the same machine. Memory and processor time are those of the media
role and of the board process, which is the simulated room.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.table import Row, percentile, show
from bench.whole_bench import memory_mb
from tests.live.decisions import CARD, decision_ms
from tests.live.device import Device, running, until

BLOCKS = 4
DECISIONS = 50


@contextlib.contextmanager
def sound(device: Device) -> Iterator[None]:
    """The device plays its locating sound, and somebody talks to it."""
    assert device.api.post("/actions/device.locate", json={"duration_s": 600}).status_code == 200
    device.ask("hear", "speech:60:-20")
    until("sound", lambda: device.ask("heard")["sounds"])
    yield
    assert device.api.post("/actions/device.locate_stop", json={}).status_code == 200
    device.ask("hear", "quiet")
    until("silence", lambda: device.ask("heard", "--since", f"{device.ask('state')['now_s'] - 1:.3f}")["sounds"] == [])


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(pid: int, began: tuple[float, float]) -> float:
    """Percent of a core since `began` (processor time, clock)."""
    return 100 * (cpu_s(pid) - began[0]) / (time.perf_counter() - began[1])


def main() -> None:
    """Print the table."""
    still: list[float] = []
    loud: list[float] = []
    quiet_share: list[float] = []
    loud_share: list[float] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "state", "door_station", "--no-web") as device:
        device.set_up()
        device.enrol(CARD)
        media = until("media", lambda: device.pid("media"))
        for _ in range(BLOCKS):
            began = (cpu_s(media), time.perf_counter())
            still += [decision_ms(device) for _ in range(DECISIONS)]
            quiet_share.append(share(media, began))
            with sound(device):
                began = (cpu_s(media), time.perf_counter())
                loud += [decision_ms(device) for _ in range(DECISIONS)]
                loud_share.append(share(media, began))
        resident, proportional = memory_mb(media)
    rows = [
        Row(
            f"card to relay with sound, {name} of {len(loud)}",
            percentile(loud, at),
            "ms",
            percentile(still, at),
            "still",
        )
        for name, at in (("p50", 0.5), ("p99", 0.99))
    ]
    rows += [
        Row("media, processor, with sound", percentile(loud_share, 0.5), "%", percentile(quiet_share, 0.5), "still"),
        Row("media, resident", resident, "MB", 90.0, "the aim"),
        Row("media, proportional", proportional, "MB", 90.0, "the aim"),
    ]
    show("door station with sound", rows)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        main()
