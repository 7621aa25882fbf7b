"""GPIO of the guest's kernel as nets of a world: what the firmware drives moves nets, what peers do pulls lines.

gpio-sim has a file for the pull of each line, which is how anything outside acts on an input. What the firmware drives
is read from the kernel's own record of it (the events gpio:gpio_value and gpio:gpio_direction), stamped by the kernel
in the time of `Clock.now_ns`; who has a line is told by the chip itself.
"""

from __future__ import annotations

import asyncio
import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gpiod

from hal.sim.nets import Net

TRACING = Path("/sys/kernel/tracing")
PROCESSOR = "processor"
READ_SIZE = 65536
# A record of the kernel, such as "... 12.345678: gpio_value: 458 set 1" and "...: gpio_direction: 458  in (0)".
RECORD = re.compile(
    r"\s(?P<s>\d+)\.(?P<us>\d{6}): gpio_(?:value: (?P<v>\d+) set (?P<level>[01])|direction: (?P<d>\d+) +in )"
)


@dataclass(frozen=True, slots=True)
class Moved:
    """The processor drives a line to a level, or lets it go (None); `t_ns` by the kernel's monotonic clock."""

    t_ns: int
    line: int
    level: bool | None


def sim_folder(device: Path) -> Path:
    """The sysfs folder of a gpio-sim chip. Raises FileNotFoundError where the chip is not of that kind."""
    chip = device.resolve().name
    for found in glob.glob(f"/sys/devices/platform/gpio-sim.*/{chip}"):
        return Path(found)
    raise FileNotFoundError(f"{device} is no gpio-sim chip")


def first_number(label: str) -> int:
    """The number that the kernel's records give to line 0 of the chip with that label."""
    for chip in Path("/sys/class/gpio").glob("gpiochip*"):
        if (chip / "label").read_text().strip() == label:
            return int((chip / "base").read_text())
    raise FileNotFoundError(f"no chip labelled {label} in /sys/class/gpio")


class Records:
    """The kernel's records of driven levels; one user at a time."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._rest = ""
        self._switch(False)
        (TRACING / "trace").write_text("")
        (TRACING / "trace_clock").write_text("mono")
        (TRACING / "buffer_percent").write_text("0")  # a reader is woken by a single record
        (TRACING / "events/gpio/gpio_value/filter").write_text("get == 0")
        self._switch(True)
        self.fd = os.open(TRACING / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK)

    def _switch(self, on: bool) -> None:
        (TRACING / "events/gpio/enable").write_text("1" if on else "0")

    def fresh(self) -> Iterator[Moved]:
        """Everything since the last time."""
        while True:
            try:
                data = os.read(self.fd, READ_SIZE)
            except BlockingIOError:
                return
            *whole, self._rest = (self._rest + data.decode("ascii", "replace")).split("\n")
            for line in whole:
                if "LOST" in line:
                    raise AssertionError(f"the kernel lost records of driven lines: {line}")
                if found := RECORD.search(line):
                    t_ns = int(found["s"]) * 1_000_000_000 + int(found["us"]) * 1000
                    number = int(found["v"] or found["d"]) - self._first
                    yield Moved(t_ns, number, None if found["v"] is None else found["level"] == "1")

    def close(self) -> None:
        """Have the kernel note nothing more."""
        self._switch(False)
        os.close(self.fd)


class KernelLines:
    """One chip. `nets` are the nets at its lines; they are followed and pulled until `close`."""

    def __init__(self, device: Path, nets: Mapping[int, Net]) -> None:
        folder = sim_folder(device)
        self._nets = dict(nets)
        self._chip = gpiod.Chip(str(device))
        self._records = Records(first_number(self._chip.get_info().label))
        self._pulls = {line: os.open(folder / f"sim_gpio{line}" / "pull", os.O_WRONLY) for line in nets}
        self._pulled: dict[int, bool] = {}
        self._endings: list[Callable[[], None]] = []
        self.moves: list[Moved] = []  # everything that the processor drove, in order
        for line, net in nets.items():
            self._chip.watch_line_info(line)
            self._pull(line)
            self._endings.append(net.listen(partial(self._net_changed, line)))
        loop = asyncio.get_running_loop()
        for fd in (self._records.fd, self._chip.fd):
            loop.add_reader(fd, self._look)
            self._endings.append(partial(loop.remove_reader, fd))

    # outwards: what peers do

    def _net_changed(self, line: int, _t_ns: int, _level: bool) -> None:
        self._pull(line)

    def _pull(self, line: int, *, again: bool = False) -> None:
        level = self._nets[line].without(PROCESSOR)
        if again or self._pulled.get(line) is not level:
            self._pulled[line] = level
            os.pwrite(self._pulls[line], b"pull-up" if level else b"pull-down", 0)

    # inwards: what the firmware drives

    def _look(self) -> None:
        """Take what the kernel told, in the order in which it happened."""
        told: list[tuple[int, Callable[[], None]]] = []
        while self._chip.wait_info_event(0):
            event = self._chip.read_info_event()
            told.append((event.timestamp_ns, partial(self._owner_changed, event)))
        told += [(move.t_ns, partial(self._moved, move)) for move in self._records.fresh() if move.line in self._nets]
        for _, take in sorted(told, key=lambda each: each[0]):
            take()

    def _moved(self, move: Moved) -> None:
        self.moves.append(move)
        self._nets[move.line].drive(PROCESSOR, move.level, t_ns=move.t_ns)

    def _owner_changed(self, event: gpiod.InfoEvent) -> None:
        line = event.line_info.offset
        if event.event_type is gpiod.InfoEvent.Type.LINE_RELEASED:
            # gpio-sim lets a line go to its pull when its owner gives it back or dies.
            self._nets[line].drive(PROCESSOR, None, t_ns=event.timestamp_ns)
        # A pull that the firmware asked for has taken the place of ours; what is outside pulls harder.
        self._pull(line, again=True)

    def close(self) -> None:
        """Follow nothing more."""
        for end in self._endings:
            end()
        self._records.close()
        self._chip.close()
        for fd in self._pulls.values():
            os.close(fd)
