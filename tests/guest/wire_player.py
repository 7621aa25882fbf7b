"""Wires between lines of one gpio-sim chip: what drives one end is seen at the other, as through 1 kilo-ohm.

A wire may be cut, two may be swapped, a line may be stuck, a relay may sit between its coil and its contact. What is
driven is read from the kernel's records, what is asked for as a pull from the chip; both ends are pulled accordingly.
It knows nothing of the bench and of the firmware: it sees lines, as copper does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gpiod
from gpiod.line import Bias

from hal.clock import Clock, SystemClock, Timer
from tests.bench.kernel.lines import Moved, Records, first_number, sim_folder


@dataclass(frozen=True, slots=True)
class PlayedRelay:
    """A relay: `contact` goes to ground `pull_in_s` after `coil` went high, is let go `drop_out_s` after it went low.

    `bounces` are the instants, counted from the first touch, at which the contact opens and closes again in turn.
    """

    coil: int
    contact: int
    pull_in_s: float
    drop_out_s: float
    bounces: tuple[float, ...] = ()


class WirePlayer:
    """The wires of one chip, from entering to leaving; `stuck` lines are held whatever anybody does."""

    def __init__(
        self,
        wires: Iterable[tuple[int, int]],
        *,
        stuck: Mapping[int, bool] | None = None,
        relays: Iterable[PlayedRelay] = (),
        device: Path = Path("/dev/gpiochip0"),
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._device = device
        self._stuck = dict(stuck or {})
        self._relays = tuple(relays)
        self._nets: dict[int, frozenset[int]] = {}
        for pair in wires:
            joined = frozenset(pair).union(*(self._nets.get(end, frozenset()) for end in pair))
            self._nets |= dict.fromkeys(joined, joined)
        for relay in self._relays:
            for end in (relay.coil, relay.contact):
                self._nets.setdefault(end, frozenset({end}))
        self._driven: dict[int, bool] = {}
        self._touching: set[int] = set()
        self._timers: dict[int, list[Timer]] = {}
        self._coils: dict[int, bool] = {}

    def __enter__(self) -> WirePlayer:
        folder = sim_folder(self._device)
        self._pulls = {line: folder / f"sim_gpio{line}" / "pull" for line in {*self._nets, *self._stuck}}
        self._chip = gpiod.Chip(str(self._device))
        self._records = Records(first_number(self._chip.get_info().label))
        self._loop = asyncio.get_running_loop()
        for line in self._pulls:
            self._chip.watch_line_info(line)
        for fd in (self._records.fd, self._chip.fd):
            self._loop.add_reader(fd, self._look)
        self._settle(self._pulls)
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (self._records.fd, self._chip.fd):
            self._loop.remove_reader(fd)
        for timers in self._timers.values():
            for timer in timers:
                timer.cancel()
        self._records.close()
        self._chip.close()

    def _look(self) -> None:
        """Take what happened, in its order, then let the copper settle."""
        told: list[tuple[int, Callable[[], None]]] = []
        touched: set[int] = set()
        while self._chip.wait_info_event(0):
            event = self._chip.read_info_event()
            offset = event.line_info.offset
            touched.add(offset)
            if event.event_type is gpiod.InfoEvent.Type.LINE_RELEASED:
                told.append((event.timestamp_ns, partial(self._moved, Moved(event.timestamp_ns, offset, None))))
        for move in self._records.fresh():
            if move.line in self._pulls:
                touched.add(move.line)
                told.append((move.t_ns, partial(self._moved, move)))
        for _, take in sorted(told, key=lambda each: each[0]):
            take()
        self._settle(touched)

    def _moved(self, move: Moved) -> None:
        if move.level is None:
            self._driven.pop(move.line, None)
        else:
            self._driven[move.line] = move.level

    def _settle(self, lines: Iterable[int]) -> None:
        for net in {self._nets.get(line, frozenset({line})) for line in lines}:
            level = self._level(net)
            for line in net:
                if line not in self._driven:
                    self._pull(line, self._stuck.get(line, level))
            for relay in self._relays:
                if relay.coil in net:
                    self._coil(relay, self._driven.get(relay.coil, level))

    def _level(self, net: frozenset[int]) -> bool:
        """What a net is at: driven, else held by a contact, else pulled by whoever asked for it, else low."""
        driven = [self._driven[line] for line in net if line in self._driven]
        if driven:
            return all(driven)
        if net & self._touching:
            return False
        return any(self._chip.get_line_info(line).bias is Bias.PULL_UP for line in net)

    def _pull(self, line: int, level: bool) -> None:
        self._pulls[line].write_text("pull-up" if level else "pull-down")

    # relays

    def _coil(self, relay: PlayedRelay, on: bool) -> None:
        if self._coils.get(relay.coil, False) == on:
            return
        self._coils[relay.coil] = on
        for timer in self._timers.pop(relay.contact, ()):
            timer.cancel()
        first_s = relay.pull_in_s if on else relay.drop_out_s
        touches = [(first_s, on)]
        if on:
            touches += [(first_s + at_s, bool(index % 2)) for index, at_s in enumerate(relay.bounces)]
        now_ns = self._clock.now_ns()
        self._timers[relay.contact] = [
            self._clock.call_at(now_ns + round(at_s * 1e9), partial(self.touch, relay.contact, closed))
            for at_s, closed in touches
        ]

    def touch(self, contact: int, closed: bool) -> None:
        """Join a line to ground, or open that contact."""
        (self._touching.add if closed else self._touching.discard)(contact)
        self._settle([contact])
