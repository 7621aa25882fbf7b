"""The whole device as processes: time from start to ready, memory of control and network together (--no-web), and how
often each role wakes up while nothing happens.

Floors: an interpreter that has imported Starlette (network) or pydantic (control). The processor's time until ready, of
all roles together, tells as much on a busy machine, where the time of the clock tells nothing.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.table import Row, percentile, show
from tests.live.device import Device, running

STARTS = 5
SETTLED_S, IDLE_S = 10.0, 20.0


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional memory of a process in MB, from its smaps_rollup."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    fields = {line.split(":")[0]: float(line.split()[1]) / 1024 for line in text.splitlines()[1:] if ":" in line}
    return fields["Rss"], fields["Pss"]


def processor_s(pid: int) -> float:
    """CPU seconds that a process has used, with threads that have ended; ticks are too coarse for little work.

    Source: the clock of a process by its number, as clock_getcpuclockid(3) makes it on Linux (CPUCLOCK_SCHED).
    """
    return time.clock_gettime(~pid << 3 | 2)


def processors(device: Device) -> list[float]:
    """Processor time of every role until now."""
    return [processor_s(role["pid"]) for role in device.ask("state")["roles"].values()]


def wakes(pid: int) -> int:
    """How often the threads of a process have gone to sleep until now, and so woken up (proc_pid_status(5))."""
    texts = (place.read_text() for place in Path(f"/proc/{pid}/task").glob("*/status"))
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("voluntary"))


def idle_rows(device: Device) -> Iterator[Row]:
    """Wake-ups and processor time a second of each role of a device that nobody asks anything.

    Control measures resistors all the time, and simulated sound has its periods; network has nothing to do.
    """
    device.all_ready()
    pids = {name: role["pid"] for name, role in device.ask("state")["roles"].items()}
    time.sleep(SETTLED_S)
    before = {name: (wakes(pid), processor_s(pid)) for name, pid in pids.items()}
    began = time.monotonic()
    time.sleep(IDLE_S)
    taken_s = time.monotonic() - began
    for name, pid in pids.items():
        woken, used_s = wakes(pid) - before[name][0], processor_s(pid) - before[name][1]
        yield Row(f"{name}, wake-ups while nothing happens", woken / taken_s, "/s", None, "")
        yield Row("  with processor time of", 100 * used_s / taken_s, "%", None, "")


def import_floor(module: str) -> tuple[float, float]:
    """Seconds until a fresh interpreter has imported a module, and its resident memory in MB."""
    code = f"import {module}, sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        taken = time.perf_counter() - began
        resident, _ = memory_mb(process.pid)
        process.kill()
    return taken, resident


def ready_s(folder: Path) -> tuple[float, Device]:
    """Seconds from starting the command to its greeting, which comes when both roles are ready."""
    device = Device(folder / "state", "door_station", "--no-web")
    began = time.perf_counter()
    device.start()
    return time.perf_counter() - began, device


def main() -> None:
    """Print the table."""
    readies = []
    restarts = []
    works = []
    memory = (0.0, 0.0, 0.0, 0.0)
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            taken, device = ready_s(Path(folder))
            readies.append(taken)
            works.append(sum(processors(device)))
            device.stop()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "state", "door_station", "--no-web") as device:
        control, network = device.pid("control"), device.pid("network")
        assert control
        assert network
        memory = (*memory_mb(control), *memory_mb(network))
        device.set_up()
        idle = list(idle_rows(device))
        for _ in range(STARTS):
            began = time.perf_counter()
            old = device.kill("control")
            device.wait_ready("control", other_than=old)
            restarts.append(time.perf_counter() - began)
    floor_s, starlette_mb = import_floor("starlette.applications")
    _, pydantic_mb = import_floor("pydantic")
    rows = [
        Row("lintel run to ready, warm, median", percentile(readies, 0.5), "s", floor_s, "importing Starlette alone"),
        Row("lintel run to ready, warm, most", max(readies), "s", 1.0, "the aim"),
        Row("processor time of the roles to ready, median", percentile(works, 0.5), "s", None, ""),
        Row("kill -9 of control to ready again, median", percentile(restarts, 0.5), "s", 2.0, "the bound"),
        Row("control, resident", memory[0], "MB", pydantic_mb, "an interpreter with pydantic"),
        Row("network, resident", memory[2], "MB", starlette_mb, "an interpreter with Starlette"),
        Row("control and network, resident", memory[0] + memory[2], "MB", 66.0, "the aim (a like daemon)"),
        Row("control and network, proportional", memory[1] + memory[3], "MB", 66.0, "the aim (a like daemon)"),
        *idle,
    ]
    show("whole device, no web page", rows)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        main()
