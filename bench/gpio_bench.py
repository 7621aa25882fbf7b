"""GPIO of our pin factory against gpiozero over lgpio, and gpiod alone, on a gpio-sim chip: edges, writes, idling.

Edges and idling run in a process for each side (lgpio's threads would disturb ours), in blocks A-B-A-B. Writes of
all kinds take turns within one process, in short chunks. A figure is the median of its blocks, a ratio the median of
the ratios within each pair. In a guest kernel one system call costs 15 to 55 us, depending on the host core it runs
on: pin the guest to one core (`taskset -c 1 ...`). That cost is taken beside every block; a pair whose sides differ
in it by more than a quarter is measured again. On a machine that others press it never becomes equal: then the pairs
whose sides differ least are shown, and by how much they differ. Figures that contradict each other end the run with an
error.
"""

from __future__ import annotations

import argparse
import asyncio
import glob
import importlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

INPUT, OUTPUT = 22, 17
PAUSE_S = 0.002
EDGE_S = 20  # an edge that takes longer on the fullest machine was lost

# quantity, unit, digits, figure of ours, figure of the peer
ROWS = [
    ("edge to handler, group, p50", "us", 0, "edge_group_p50", "peer_edge_pin_p50"),
    ("edge to handler, group, p99", "us", 0, "edge_group_p99", "peer_edge_pin_p99"),
    ("edge to handler, group, against gpiod alone, p50", "us", 0, "edge_group_p50", "edge_gpiod_p50"),
    ("edge to handler, group, against gpiod alone, p99", "us", 0, "edge_group_p99", "edge_gpiod_p99"),
    ("edge to handler, gpiozero pin, p50", "us", 0, "edge_pin_p50", "peer_edge_pin_p50"),
    ("edge to handler, gpiozero pin, p99", "us", 0, "edge_pin_p99", "peer_edge_pin_p99"),
    ("edge to when_pressed, gpiozero Button, p50", "us", 0, "button_p50", "peer_button_p50"),
    ("edge to when_pressed, gpiozero Button, p99", "us", 0, "button_p99", "peer_button_p99"),
    ("write, group, against gpiozero OutputDevice", "us", 1, "write_group", "peer_write_device"),
    ("write, gpiozero pin", "us", 1, "write_pin", "peer_write_pin"),
    ("write, gpiozero OutputDevice", "us", 1, "write_device", "peer_write_device"),
    ("write, group, against gpiod alone", "us", 1, "write_group", "write_gpiod"),
    ("idle cost of a watched input, group", "% of a core", 2, "idle_group", "peer_idle_pin"),
    ("idle cost of a watched gpiozero pin", "% of a core", 2, "idle_pin", "peer_idle_pin"),
    ("idle cost of a gpiozero Button", "% of a core", 2, "idle_button", "peer_idle_button"),
]

SAME_MACHINE = 1.25
WRITE_CHUNK = 100

# More layers cannot cost less: (the outer one, the one it calls). A tenth is allowed for noise.
LAYERS = [
    ("write_group", "write_gpiod"),
    ("write_pin", "write_gpiod"),
    ("write_device", "write_pin"),
    ("peer_write_device", "peer_write_pin"),
]


def sim_chip() -> tuple[str, Path] | None:
    """Device and sysfs folder of the first gpio-sim chip."""
    for folder in sorted(glob.glob("/sys/devices/platform/gpio-sim.*/gpiochip*")):
        return f"/dev/{os.path.basename(folder)}", Path(folder)
    return None


class Finger:
    """Pushes the input from outside."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / f"sim_gpio{INPUT}" / "pull", os.O_WRONLY)

    def push(self, level: bool) -> None:
        os.pwrite(self._fd, b"pull-up" if level else b"pull-down", 0)


def quantiles(name: str, times_ns: list[int]) -> dict[str, float]:
    ordered = sorted(times_ns)
    return {
        f"{name}_p50": statistics.median(ordered) / 1e3,
        f"{name}_p99": ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))] / 1e3,
    }


def cost_us(count: int, write: Callable[[bool], Any]) -> float:
    """Microseconds for one write, the mean of `count` alternating ones."""
    start = time.perf_counter_ns()
    for n in range(count):
        write(n % 2 == 0)
    return (time.perf_counter_ns() - start) / count / 1e3


def watch_thread(finger: Finger, edges: int, arm: Callable[[Callable[..., None]], None]) -> list[int]:
    """Times from a push to a handler that runs on a library's thread."""
    came = threading.Event()
    at = 0

    def handler(*_: Any) -> None:
        nonlocal at
        at = time.perf_counter_ns()
        came.set()

    arm(handler)
    handler_kept = handler  # gpiozero holds it weakly
    times = []
    for n in range(edges):
        time.sleep(PAUSE_S)
        came.clear()
        start = time.perf_counter_ns()
        finger.push(n % 2 == 0)
        if not came.wait(EDGE_S):
            raise SystemExit(f"gpio_bench: an edge did not arrive within {EDGE_S} s")
        times.append(at - start)
    del handler_kept
    return times


def ignore(*_: Any) -> None:
    """A handler for an input that is watched and does not move."""


def idle_percent(seconds: float) -> float:
    """Processor time of this process over some seconds of sleep, in per cent of a core."""
    before, start = time.process_time(), time.perf_counter()
    time.sleep(seconds)
    return 100 * (time.process_time() - before) / (time.perf_counter() - start)


def measure_gpiozero(factory: Any, finger: Finger, args: argparse.Namespace) -> dict[str, float]:
    """The figures that any gpiozero factory has."""
    import gpiozero

    found: dict[str, float] = {}
    finger.push(False)
    with gpiozero.InputDevice(INPUT, pull_up=None, active_state=True, pin_factory=factory) as device:
        found |= quantiles(
            "edge_pin", watch_thread(finger, args.edges, lambda handler: setattr(device.pin, "when_changed", handler))
        )
        time.sleep(0.1)
        device.pin.when_changed = ignore
        found["idle_pin"] = idle_percent(args.idle_s)
        device.pin.when_changed = None
    finger.push(False)
    with gpiozero.Button(INPUT, pull_up=None, active_state=True, pin_factory=factory) as button:

        def arm(handler: Callable[..., None]) -> None:
            button.when_pressed = handler
            button.when_released = handler

        found |= quantiles("button", watch_thread(finger, args.edges, arm))
        time.sleep(0.1)
        found["idle_button"] = idle_percent(args.idle_s)
    return found


async def measure_group(chip: str, finger: Finger, args: argparse.Namespace) -> dict[str, float]:
    """The figures of a group on the asyncio loop, as the firmware uses it."""
    from hal.buses.gpio import FactoryGpio
    from hal.buses.gpiod_factory import GpiodFactory
    from hal.buses.readiness import LoopReadiness
    from hal.clock import SystemClock
    from hal.types import Edge

    clock = SystemClock()
    gpio = FactoryGpio(GpiodFactory(chip, reads=LoopReadiness(asyncio.get_running_loop())), clock, "gpio0")
    inputs = await gpio.inputs("bench", [INPUT])
    finger.push(False)
    came = asyncio.Event()
    at = 0

    def handler(_: Edge) -> None:
        nonlocal at
        at = time.perf_counter_ns()
        came.set()

    inputs.watch(handler)
    times = []
    for n in range(args.edges):
        await asyncio.sleep(PAUSE_S)
        came.clear()
        start = time.perf_counter_ns()
        finger.push(n % 2 == 0)
        await asyncio.wait_for(came.wait(), 2)
        times.append(at - start)
    before, start_s = time.process_time(), time.perf_counter()
    await asyncio.sleep(args.idle_s)
    idle = 100 * (time.process_time() - before) / (time.perf_counter() - start_s)
    found = quantiles("edge_group", times)
    found["idle_group"] = idle
    gpio.close()
    return found


def measure_gpiod(chip: str, finger: Finger, args: argparse.Namespace) -> dict[str, float]:
    """The figures of gpiod alone: a thread that waits for edges and reads them, and nothing else."""
    import gpiod
    from gpiod.line import Direction
    from gpiod.line import Edge as GpiodEdge

    finger.push(False)
    settings = gpiod.LineSettings(direction=Direction.INPUT, edge_detection=GpiodEdge.BOTH)
    with gpiod.request_lines(chip, {INPUT: settings}) as request:

        def arm(handler: Callable[..., None]) -> None:
            def read() -> None:
                for _ in range(args.edges):
                    request.wait_edge_events(None)
                    for event in request.read_edge_events():
                        handler(event)

            threading.Thread(target=read, daemon=True).start()

        return quantiles("edge_gpiod", watch_thread(finger, args.edges, arm))


def write_rounds(chip: str, rounds: int) -> list[dict[str, float]]:
    """Every kind of write in turn, a chunk each, `rounds` times: what is compared was taken within milliseconds."""
    import gpiod
    import gpiozero
    from gpiod.line import Direction, Value

    from hal.buses.gpiod_factory import GpiodFactory
    from hal.buses.pins import OutputWish

    number = int(chip.removeprefix("/dev/gpiochip"))
    ours, loop_ours, peers = GpiodFactory(chip), GpiodFactory(chip, reads=Unwatched()), stock_lgpio()(chip=number)
    bare = gpiod.request_lines(chip, {OUTPUT: gpiod.LineSettings(direction=Direction.OUTPUT)})
    group = loop_ours.request((OUTPUT + 1,), OutputWish((False,)), owner="bench")
    device = gpiozero.OutputDevice(OUTPUT + 2, pin_factory=ours)
    peer = gpiozero.OutputDevice(OUTPUT + 3, pin_factory=peers)
    kinds: dict[str, Callable[[bool], Any]] = {
        "write_gpiod": lambda level: bare.set_value(OUTPUT, Value.ACTIVE if level else Value.INACTIVE),
        "write_group": group.set,
        "write_pin": lambda level: setattr(device.pin, "state", level),
        "write_device": lambda level: setattr(device, "value", level),
        "peer_write_pin": lambda level: setattr(peer.pin, "state", level),
        "peer_write_device": lambda level: setattr(peer, "value", level),
        "syscall": lambda _: os.getppid(),
    }
    names = list(kinds)
    done = []
    for n in range(rounds):
        # Every kind comes first once, so none always follows the same one.
        turn = names[n % len(names) :] + names[: n % len(names)]
        done.append({name: cost_us(WRITE_CHUNK, kinds[name]) for name in turn})
    bare.release()
    for closing in (device, peer, ours, loop_ours, peers):
        closing.close()
    return done


class Unwatched:
    """A loop's readiness for a group of outputs, which is never read: no lock, nobody to wait."""

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        raise AssertionError("outputs have no edges")

    def forget(self, fd: int) -> None:
        """Nothing was watched."""

    def guard(self) -> AbstractContextManager[object]:
        return nullcontext()

    def close(self) -> None:
        """Nothing was opened."""


def stock_lgpio() -> Any:
    """gpiozero's own lgpio factory; our module is imported for lgpio's working folder only."""
    importlib.import_module("hal.buses.lgpio_factory")
    from gpiozero.pins.lgpio import LGPIOFactory

    return LGPIOFactory


def measure_side(side: str, args: argparse.Namespace) -> Any:
    """What a process of its own measures: the figures of a side, or the rounds of writes."""
    found = sim_chip()
    assert found is not None
    chip, folder = found
    if side == "writes":
        return write_rounds(chip, args.rounds)
    finger = Finger(folder)
    before = syscall_us()
    if side == "lintel":
        from hal.buses.gpiod_factory import GpiodFactory

        figures = asyncio.run(measure_group(chip, finger, args))
        with GpiodFactory(chip) as factory:
            figures |= measure_gpiozero(factory, finger, args)
    elif side == "gpiod":
        figures = measure_gpiod(chip, finger, args)
    else:
        with stock_lgpio()(chip=int(chip.removeprefix("/dev/gpiochip"))) as factory:
            figures = measure_gpiozero(factory, finger, args)
    return figures | {"syscall": max(before, syscall_us()), "syscall_least": min(before, syscall_us())}


def syscall_us() -> float:
    """What one system call costs now; in a guest this tells which host core it is on."""
    return statistics.median(cost_us(WRITE_CHUNK, lambda _: os.getppid()) for _ in range(9))


def run_side(side: str, args: argparse.Namespace) -> Any:
    """One block: a fresh process that measures a side and prints its figures."""
    command = [sys.executable, __file__, "--side", side, f"--edges={args.edges}"]
    command += [f"--rounds={args.rounds}", f"--idle-s={args.idle_s}"]
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": root})
    if done.returncode:
        raise SystemExit(f"gpio_bench: side {side} failed\n{done.stderr}")
    return json.loads(done.stdout)


def difference(*sides: dict[str, float]) -> float:
    """How much slower the slowest moment of all blocks was than the fastest: 1 is an equal machine throughout."""
    costs = [side[name] for side in sides for name in ("syscall", "syscall_least")]
    return max(costs) / min(costs)


def measure_pairs(args: argparse.Namespace) -> tuple[list[dict[str, float]], int, float]:
    """Pairs of blocks, each as one mapping; how many were measured again, and by how much the machine differed."""
    found: list[tuple[float, dict[str, float]]] = []
    while len(found) < 3 * args.pairs:
        lintel = run_side("lintel", args)
        lgpio = run_side("lgpio", args)
        gpiod = run_side("gpiod", args)
        pair = gpiod | lintel | {f"peer_{name}": value for name, value in lgpio.items()}
        found.append((difference(lintel, lgpio, gpiod), pair))
        if sum(differs <= SAME_MACHINE for differs, _ in found) == args.pairs:
            break
    best = sorted(found, key=lambda each: each[0])[: args.pairs]
    return [pair for _, pair in best], len(found) - len(best), best[-1][0]


def compare(pairs: list[dict[str, float]], rounds: list[dict[str, float]]) -> list[dict[str, Any]]:
    """A row for each quantity: median value, median peer, median and spread of the ratios within the pairs."""
    rows: list[dict[str, Any]] = []
    for quantity, unit, digits, ours, theirs in ROWS:
        blocks = rounds if ours in rounds[0] else pairs
        values, peers = [block[ours] for block in blocks], [block[theirs] for block in blocks]
        ratios = sorted(value / peer for value, peer in zip(values, peers, strict=True) if peer > 0)
        rows.append(
            {
                "quantity": quantity,
                "unit": unit,
                "value": round(statistics.median(values), digits),
                "peer": round(statistics.median(peers), digits),
                "peer_is": "gpiozero-lgpio" if theirs.startswith("peer_") else "gpiod",
                "ratio": round(statistics.median(ratios), 3) if ratios else None,
                "ratio_least": round(ratios[0], 3) if ratios else None,
                "ratio_most": round(ratios[-1], 3) if ratios else None,
                "pairs": len(blocks),
            }
        )
    return rows


def contradictions(rounds: list[dict[str, float]]) -> list[str]:
    """Figures that cannot be true together."""
    found = []
    for outer, inner in LAYERS:
        ratio = statistics.median(block[outer] / block[inner] for block in rounds)
        if ratio < 0.9:
            found.append(f"{outer} costs {ratio:.2f} of {inner}, which it calls")
    return found


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'GPIO':<50} {'value':>8} {'peer':>8} {'ratio':>7} {'least':>7} {'most':>7}  pairs, unit, peer"]
    for row in rows:
        ratios = [row["ratio"], row["ratio_least"], row["ratio_most"]]
        shown = " ".join(f"{'-' if ratio is None else f'{ratio:.3f}':>7}" for ratio in ratios)
        lines.append(
            f"{row['quantity']:<50} {row['value']:>8} {row['peer']:>8} {shown}  "
            f"{row['pairs']}, {row['unit']}, {row['peer_is']}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="pairs of blocks (5)")
    parser.add_argument("--edges", type=int, default=300, help="edges in a block (300)")
    parser.add_argument("--rounds", type=int, default=70, help="rounds of 100 writes of each kind (70)")
    parser.add_argument("--idle-s", type=float, default=3.0, help="seconds of idling in a block (3)")
    parser.add_argument("--json", type=Path, help="write the rows to this file as well")
    parser.add_argument("--side", choices=["lintel", "lgpio", "gpiod", "writes"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if sim_chip() is None:
        print("gpio_bench: this kernel has no gpio-sim chip; run it in a guest kernel that has one", file=sys.stderr)
        return 2
    if args.side:
        print(json.dumps(measure_side(args.side, args)))
        return 0
    pairs, thrown, differs = measure_pairs(args)
    rounds: list[dict[str, float]] = run_side("writes", args)
    rows = compare(pairs, rounds)
    syscalls = [block["syscall"] for block in pairs] + [block["syscall"] for block in rounds]
    spread = (round(min(syscalls), 1), round(max(syscalls), 1))
    report = {"gpio": rows, "thrown_pairs": thrown, "differs": round(differs, 2), "syscall_us": spread}
    print(table(rows))
    print(f"one system call: {spread[0]} to {spread[1]} us; pairs measured again: {thrown}")
    if differs > SAME_MACHINE:
        print(f"others press this machine: within a pair a system call cost up to {differs:.2f} times the least")
    print(json.dumps(report))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    impossible = contradictions(rounds)
    for line in impossible:
        print(f"gpio_bench: not to be believed: {line}", file=sys.stderr)
    return 1 if impossible else 0


if __name__ == "__main__":
    raise SystemExit(main())
