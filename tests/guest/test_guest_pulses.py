"""The pulse process on a real kernel's lines (gpio-sim): where they rest, who holds them, what a killed sender leaves.

A call into this guest's kernel takes longer than a pulse may last, so that trains break off here; how wide pulses are
is measured elsewhere (tests/live/test_pulse_process.py, bench/wiegand_bench.py).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import gpiod
import pytest

from hal.board import load_board
from hal.buses.pulse_child import PulseChild
from hal.buses.pulse_lines import ChipLines
from hal.buses.real import RealWires
from hal.clock import SystemClock
from hal.errors import BusError, LineInUse
from hal.types import WiegandTiming

CHIP = "/dev/gpiochip0"
D0, D1 = 10, 11


def levels(outside: Any) -> tuple[bool, bool]:
    return outside.level(D0), outside.level(D1)


@pytest.mark.parametrize("active_high", [True, False])
def test_row_14_both_lines_rest_from_the_request_on_and_pulses_are_the_other_level(
    outside: Any, active_high: bool
) -> None:
    on, off = active_high, not active_high
    for line in (D0, D1):
        outside.push(line, on)
    with gpiod.Chip(CHIP) as watcher:
        watcher.watch_line_info(D0)
        lines = ChipLines(CHIP, "gpio0", D0, D1, active_high=active_high, owner="out1")
        assert watcher.wait_info_event(1)
        event = watcher.read_info_event()
        assert (event.event_type.name, event.line_info.direction.name) == ("LINE_REQUESTED", "OUTPUT")
        assert event.line_info.consumer == "lintel:out1"
    seen = [levels(outside)]
    for move in (lambda: lines.pull(0), lambda: lines.pull(1), lines.rest):
        move()
        seen.append(levels(outside))
    lines.close()
    assert seen == [(off, off), (on, off), (off, on), (off, off)]
    with pytest.raises(BusError, match="the line was given back"):
        lines.rest()


def test_a_line_that_somebody_holds_is_refused_with_the_name_of_its_owner(outside: Any) -> None:
    async def scene(wires: RealWires) -> None:
        with pytest.raises(LineInUse, match=r"gpio0:11: in use by 'lintel:somebody'"):
            await wires.pulses("gpio0", "out1", D0, D1, active_high=True)

    with gpiod.request_lines(CHIP, {D1: gpiod.LineSettings()}, consumer="lintel:somebody"):
        on_real_wires(scene)


def test_row_14_a_sender_killed_in_a_pulse_leaves_its_lines_at_rest_once_another_has_come(outside: Any) -> None:
    async def scene(wires: RealWires) -> None:
        clock = SystemClock()
        pulses = await wires.pulses("gpio0", "out1", D0, D1, active_high=True)
        assert isinstance(pulses, PulseChild)
        keeping = asyncio.ensure_future(pulses.run())
        for _ in range(5):
            old = pulses.pid
            assert old is not None
            sending = asyncio.ensure_future(pulses.send("1" * 512, WiegandTiming(pulse_us=100, interval_us=200)))
            await clock.sleep(0.003)
            os.kill(old, signal.SIGKILL)
            await asyncio.gather(sending, return_exceptions=True)
            while pulses.pid in (None, old):
                await clock.sleep(0.01)
            assert levels(outside) == (False, False)
        keeping.cancel()
        pulses.close()
        assert levels(outside) == (False, False)

    on_real_wires(scene)


def on_real_wires(scene: Callable[[RealWires], Awaitable[None]]) -> None:
    """Run a scene on the buses of a door station whose chip is the guest's."""
    buses = {"gpio0": load_board("door_station").buses["gpio0"].model_copy(update={"chip": CHIP})}

    async def main() -> None:
        wires = RealWires(buses, SystemClock())
        try:
            await asyncio.wait_for(scene(wires), 60)
        finally:
            await wires.close()

    asyncio.run(main())
