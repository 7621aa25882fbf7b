"""Configurable I/O terminals: turned round at run time, never driven by accident."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from wires_in_memory import MemoryGpio, running

from hal.drivers.terminal import IoTerminal
from hal.errors import BusError, OutOfRange
from hal.ports import LoopChange
from hal.sim.time import VirtualClock, virtual_run
from hal.types import Direction, LoopState

TRANSISTOR, SENSE = 3, 4
LOOP = {"eol_ohm": 4700.0, "pullup_ohm": 10_000.0, "supply_v": 3.3}


class Wire:
    """What is at the terminal: a circuit of some resistance, shorted to ground by the terminal's transistor."""

    def __init__(self, gpio: MemoryGpio) -> None:
        self.gpio = gpio
        self.ohm = 1e9
        self.broken = False

    async def read_v(self, channel: int) -> float:
        await self.gpio.clock.sleep(0.001)
        if self.broken:
            raise BusError("adc1", "no answer")
        ohm = 1.0 if self.gpio.levels[TRANSISTOR] else self.ohm
        return 3.3 * ohm / (ohm + 10_000)


class CountingClock(VirtualClock):
    """Virtual time that counts how often somebody sleeps."""

    sleeps = 0

    async def sleep(self, s: float) -> None:
        self.sleeps += 1
        await super().sleep(s)


async def measured(clock: VirtualClock) -> tuple[MemoryGpio, Wire, IoTerminal, list[LoopChange]]:
    gpio = MemoryGpio(clock)
    wire = Wire(gpio)
    terminal = await IoTerminal.open("io1", clock, output=(gpio, TRANSISTOR), input=None, adc=(wire, 0), **LOOP)
    changes: list[LoopChange] = []
    terminal.watch(changes.append)
    return gpio, wire, terminal, changes


def test_a_terminal_starts_as_an_input_with_its_transistor_off() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio, _wire, terminal, _changes = await measured(clock)
        assert gpio.sets == [(0.0, (False,))]
        assert terminal.direction is Direction.INPUT
        assert terminal.configurable
        assert terminal.can_supervise
        assert terminal.circuit() is LoopState.OPEN
        terminal.close()

    virtual_run(main)


def test_an_input_reports_its_circuit_and_cut_and_short_when_supervised() -> None:
    async def main(clock: VirtualClock) -> None:
        _gpio, wire, terminal, changes = await measured(clock)
        async with running(terminal.run()):
            for ohm in (10.0, 1e9):
                wire.ohm = ohm
                await clock.sleep(0.5)
            assert [change.state for change in changes] == [LoopState.CLOSED, LoopState.OPEN]
            changes.clear()
            wire.ohm = 4700
            await terminal.configure(Direction.INPUT, supervised=True)
            for ohm in (9400.0, 1e9, 10.0, 4700.0):
                await clock.sleep(0.5)
                wire.ohm = ohm
            await clock.sleep(0.5)
            assert [change.state.value for change in changes] == ["closed", "open", "cut", "short", "closed"]
        terminal.close()

    virtual_run(main)


def test_an_output_is_what_it_drives_and_starts_open() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio, wire, terminal, changes = await measured(clock)
        async with running(terminal.run()):
            wire.ohm = 10
            await clock.sleep(0.5)
            await terminal.configure(Direction.OUTPUT, supervised=False)
            assert terminal.circuit() is LoopState.OPEN
            terminal.close_circuit(True)
            terminal.close_circuit(True)
            assert terminal.circuit() is LoopState.CLOSED
            await clock.sleep(0.5)
            terminal.close_circuit(False)
        assert [change.state.value for change in changes] == ["closed", "open", "closed", "open"]
        assert [levels for _, levels in gpio.sets] == [(False,), (True,), (False,)]
        terminal.close()

    virtual_run(main)


def test_an_output_wakes_nobody_and_measures_again_once_it_is_an_input() -> None:
    async def main(clock: VirtualClock) -> None:
        counting = CountingClock(clock.loop)
        _gpio, wire, terminal, changes = await measured(counting)
        wire.broken = True
        async with running(terminal.run()):
            await clock.sleep(0.5)
            assert terminal.problem is not None
            await terminal.configure(Direction.OUTPUT, supervised=False)
            await clock.sleep(2.0)
            assert terminal.problem is None  # nothing is measured that could fail
            before = counting.sleeps
            await clock.sleep(60)
            assert counting.sleeps == before
            await terminal.configure(Direction.INPUT, supervised=False)
            assert terminal.problem is not None
            await clock.sleep(0.5)
            assert terminal.problem is not None
            wire.broken, wire.ohm = False, 10.0
            await clock.sleep(2.0)
            assert terminal.problem is None
            assert terminal.circuit() is LoopState.CLOSED
            assert [change.state.value for change in changes] == ["closed"]
        terminal.close()

    virtual_run(main)


def test_turning_a_driven_output_round_opens_it_first_and_does_not_see_itself_as_closed() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio, _wire, terminal, changes = await measured(clock)
        async with running(terminal.run()):
            await terminal.configure(Direction.OUTPUT, supervised=False)
            terminal.close_circuit(True)
            await clock.sleep(1.013)
            await terminal.configure(Direction.INPUT, supervised=False)
            await clock.sleep(1)
            assert terminal.circuit() is LoopState.OPEN
        assert [change.state.value for change in changes] == ["closed", "open"]
        assert gpio.levels[TRANSISTOR] is False
        terminal.close()

    virtual_run(main)


def test_any_new_configuration_opens_the_output() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio, _wire, terminal, _changes = await measured(clock)
        await terminal.configure(Direction.OUTPUT, supervised=False)
        terminal.close_circuit(True)
        await terminal.configure(Direction.OUTPUT, supervised=False)
        assert gpio.levels[TRANSISTOR] is False
        assert terminal.circuit() is LoopState.OPEN
        terminal.close()

    virtual_run(main)


def test_closing_opens_the_output_and_gives_all_lines_back() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio, _wire, terminal, changes = await measured(clock)
        await terminal.configure(Direction.OUTPUT, supervised=False)
        terminal.close_circuit(True)
        terminal.close()
        terminal.close()
        assert gpio.levels[TRANSISTOR] is False
        assert gpio.owners == {}
        assert changes[-1].state is LoopState.OPEN
        terminal.close_circuit(False)
        with pytest.raises(BusError, match="after it was closed"):
            terminal.close_circuit(True)
        with pytest.raises(BusError, match="after it was closed"):
            await terminal.configure(Direction.OUTPUT, supervised=False)

    virtual_run(main)


def test_a_terminal_with_an_input_line_debounces_it_and_cannot_supervise() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)

        def join(offsets: Sequence[int], levels: Sequence[bool]) -> None:
            if offsets[0] == TRANSISTOR:
                clock.call_later(0.0001, gpio.put, SENSE, not levels[0])

        gpio.follow = join
        terminal = await IoTerminal.open("io1", clock, output=(gpio, TRANSISTOR), input=(gpio, SENSE), adc=None, **LOOP)
        changes: list[LoopChange] = []
        terminal.watch(changes.append)
        assert not terminal.can_supervise
        with pytest.raises(OutOfRange, match="cannot be supervised"):
            await terminal.configure(Direction.INPUT, supervised=True)
        gpio.later(0.5, SENSE, False)
        gpio.later(0.505, SENSE, True)
        gpio.later(1.0, SENSE, False)
        gpio.later(2.0, SENSE, True)
        await clock.sleep(3)
        assert [change.state.value for change in changes] == ["closed", "open"]
        changes.clear()
        await terminal.configure(Direction.OUTPUT, supervised=False)
        terminal.close_circuit(True)
        await clock.sleep(1)
        await terminal.configure(Direction.INPUT, supervised=False)
        await clock.sleep(1)
        assert [change.state.value for change in changes] == ["closed", "open"]
        await terminal.run()  # nothing to poll
        terminal.close()

    virtual_run(main)


def test_a_terminal_that_is_only_one_thing_cannot_be_turned_round() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        output = await IoTerminal.open("io1", clock, output=(gpio, TRANSISTOR), input=None, adc=None, **LOOP)
        assert output.direction is Direction.OUTPUT
        assert not output.configurable
        with pytest.raises(OutOfRange, match="io1: cannot be an input"):
            await output.configure(Direction.INPUT, supervised=False)
        only_input = await IoTerminal.open("io2", clock, output=None, input=(gpio, SENSE), adc=None, **LOOP)
        assert only_input.direction is Direction.INPUT
        assert not only_input.configurable
        with pytest.raises(OutOfRange, match="io2: cannot be an output"):
            await only_input.configure(Direction.OUTPUT, supervised=False)
        with pytest.raises(OutOfRange, match="is an input; only an output can be driven"):
            only_input.close_circuit(True)
        output.close()
        only_input.close()

    virtual_run(main)


def test_a_terminal_with_nothing_or_with_two_inputs_is_refused() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        with pytest.raises(OutOfRange, match="needs an output"):
            await IoTerminal.open("io1", clock, output=None, input=None, adc=None, **LOOP)
        with pytest.raises(OutOfRange, match="not both"):
            await IoTerminal.open("io1", clock, output=None, input=(gpio, SENSE), adc=(Wire(gpio), 0), **LOOP)
        assert gpio.owners == {}

    virtual_run(main)


def test_a_supervised_input_that_cannot_be_measured_counts_as_cut_until_it_can() -> None:
    async def main(clock: VirtualClock) -> None:
        _gpio, wire, terminal, changes = await measured(clock)
        wire.ohm = 4700
        wire.broken = True
        await terminal.configure(Direction.INPUT, supervised=True)
        assert terminal.circuit() is LoopState.CUT
        assert terminal.problem is not None
        async with running(terminal.run()):
            wire.broken = False
            await clock.sleep(1)
        assert [change.state.value for change in changes] == ["cut", "closed"]
        assert terminal.problem is None
        terminal.close()

    virtual_run(main)
