"""The GPIO wire on a real kernel (gpio-sim): the same scenes over our factory and over lgpio."""

from __future__ import annotations

import asyncio
from typing import Any

import gpiod
import pytest

from hal.buses.gpio import FactoryGpio
from hal.clock import SystemClock
from hal.errors import BusError, LineInUse
from hal.types import Drive, Edge, EdgeKind, Pull

clock = SystemClock()


async def until(done: Any, within_s: float = 3.0) -> None:
    end = clock.now_ns() + int(within_s * 1e9)
    while not done():
        assert clock.now_ns() < end, "it did not happen in time"
        await clock.sleep(0.005)


def shape(edges: list[Edge]) -> list[tuple[int, bool]]:
    return [(edge.line, edge.level) for edge in edges]


@pytest.mark.parametrize("level", [True, False])
def test_row_14_an_output_has_its_first_level_in_the_request_itself(with_gpio: Any, outside: Any, level: bool) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        outside.push(17, not level)
        with gpiod.Chip("/dev/gpiochip0") as watcher:
            watcher.watch_line_info(17)
            lines = await gpio.outputs("relay1", [17], initial=[level])
            happened = []
            while watcher.wait_info_event(0.05):
                event = watcher.read_info_event()
                happened.append((event.event_type.name, event.line_info.direction.name))
            assert outside.level(17) is level
            assert happened == [("LINE_REQUESTED", "OUTPUT")]
            lines.close()

    with_gpio(scene)


def test_a_group_of_outputs_is_driven_in_the_order_of_its_request(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.outputs("light", [22, 5, 6], initial=[True, False, True])
        assert [outside.level(n) for n in (22, 5, 6)] == [True, False, True]
        lines.set(False, True, True)
        assert [outside.level(n) for n in (22, 5, 6)] == [False, True, True]
        assert lines.levels() == (False, True, True)
        with pytest.raises(BusError, match="3 lines, but 1 levels"):
            lines.set(True)

    with_gpio(scene)


def test_closing_an_output_does_not_make_it_an_input(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        outside.push(17, True)
        lines = await gpio.outputs("relay1", [17], initial=[True])
        lines.close()
        lines.close()
        with gpiod.Chip("/dev/gpiochip0") as chip:
            info = chip.get_line_info(17)
        assert (info.used, info.direction.name, outside.level(17)) == (False, "OUTPUT", True)
        with pytest.raises(BusError, match="given back"):
            lines.set(False)

    with_gpio(scene)


def test_edges_of_a_group_arrive_in_order_with_kernel_time_and_without_gaps(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        outside.push(23, True)
        outside.push(24, True)
        lines = await gpio.inputs("reader1", [23, 24])
        assert lines.levels() == (True, True)
        edges: list[Edge] = []
        lines.watch(edges.append)
        start = clock.now_ns()
        # 0 1 1 0: a pulse on D0, two on D1, one on D0.
        for line in (23, 24, 24, 23):
            outside.push(line, False)
            outside.push(line, True)
        end = clock.now_ns()
        await until(lambda: len(edges) == 8)
        assert shape(edges) == [(n, level) for n in (0, 1, 1, 0) for level in (False, True)]
        first = edges[0].seq
        assert [edge.seq for edge in edges] == list(range(first, first + 8))
        assert [edge.t_ns for edge in edges] == sorted(edge.t_ns for edge in edges)
        assert start - 1_000_000 <= edges[0].t_ns
        assert edges[-1].t_ns <= end + 1_000_000

    with_gpio(scene)


def test_forty_edges_while_nobody_reads_are_all_received(with_our_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.inputs("reader1", [23, 24])
        edges: list[Edge] = []
        lines.watch(edges.append)
        for _ in range(10):  # the loop does not run in here
            for line in (23, 24):
                outside.push(line, True)
                outside.push(line, False)
        assert edges == []
        await until(lambda: len(edges) >= 40)
        assert [edge.seq for edge in edges] == list(range(1, 41))

    with_our_gpio(scene)


def test_edges_lost_in_a_long_stall_show_as_a_gap_in_the_numbers(with_our_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.inputs("reader1", [23])
        edges: list[Edge] = []
        lines.watch(edges.append)
        outside.push(23, True)
        await until(lambda: len(edges) == 1)
        for _ in range(600):
            outside.push(23, False)
            outside.push(23, True)
        await until(lambda: len(edges) >= 1025)
        seqs = [edge.seq for edge in edges]
        assert seqs[0] == 1
        assert seqs[1] > 2
        assert seqs[1:] == list(range(1201 - 1023, 1202))

    with_our_gpio(scene)


def test_only_edges_from_now_on_are_reported(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.inputs("button", [22])
        outside.push(22, True)
        await clock.sleep(0.05)
        edges: list[Edge] = []
        lines.watch(edges.append)
        await clock.sleep(0.05)
        assert edges == []
        outside.push(22, False)
        await until(lambda: len(edges) == 1)
        lines.watch(None)
        outside.push(22, True)
        await clock.sleep(0.05)
        assert shape(edges) == [(0, False)]

    with_gpio(scene)


@pytest.mark.parametrize(("kind", "expected"), [(EdgeKind.RISING, [True, True]), (EdgeKind.FALLING, [False, False])])
def test_only_the_chosen_edges_are_reported(with_gpio: Any, outside: Any, kind: EdgeKind, expected: list[bool]) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.inputs("button", [22], edges=kind)
        edges: list[Edge] = []
        lines.watch(edges.append)
        for level in (True, False, True, False):
            outside.push(22, level)
        await until(lambda: len(edges) >= 2)
        await clock.sleep(0.05)
        assert [edge.level for edge in edges] == expected

    with_gpio(scene)


def test_a_pull_is_asked_of_the_chip(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        up = await gpio.inputs("button", [22], pull=Pull.UP)
        down = await gpio.inputs("contact", [27], pull=Pull.DOWN)
        assert (outside.pull(22), up.levels()) == ("pull-up", (True,))
        assert (outside.pull(27), down.levels()) == ("pull-down", (False,))

    with_gpio(scene)


def test_a_line_in_use_is_refused_with_the_name_of_its_owner(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        with gpiod.request_lines("/dev/gpiochip0", {23: None}, consumer="another program"):
            with pytest.raises(LineInUse, match=r"gpio0:23.*another program"):
                await gpio.inputs("reader1", [22, 23])
            with pytest.raises(LineInUse, match=r"gpio0:23.*another program"):
                await gpio.outputs("relay1", [23], initial=[False])
        await gpio.inputs("reader1", [22, 23])
        with pytest.raises(LineInUse, match=r"gpio0:22.*reader1"):
            await gpio.outputs("relay1", [22], initial=[False])

    with_gpio(scene)


def test_a_line_given_back_can_be_requested_again(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        inputs = await gpio.inputs("button", [22])
        inputs.close()
        inputs.close()
        with pytest.raises(BusError, match="given back"):
            inputs.levels()
        outputs = await gpio.outputs("relay1", [22], initial=[True])
        assert outside.level(22)
        outputs.close()
        again = await gpio.inputs("button", [22], pull=Pull.UP)
        assert again.levels() == (True,)

    with_gpio(scene)


def test_bounce_shorter_than_the_debounce_time_is_not_reported(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.inputs("button", [22], debounce_us=40_000)
        edges: list[Edge] = []
        lines.watch(edges.append)
        for level in (True, False, True, False, True):
            outside.push(22, level)
            await clock.sleep(0.002)
        await clock.sleep(0.15)
        assert [edge.level for edge in edges] == [True]
        assert lines.levels() == (True,)

    with_gpio(scene)


def test_an_open_drain_line_pulls_down_and_otherwise_lets_go(with_gpio: Any, outside: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        # gpio-sim does not follow the outside while an output of the kernel lets go: its pull is set before.
        outside.push(6, False)
        lines = await gpio.outputs("port", [6], initial=[True], drive=Drive.OPEN_DRAIN)
        assert not outside.level(6), "a high open-drain line does not drive"
        lines.close()
        outside.push(6, True)
        lines = await gpio.outputs("port", [6], initial=[True], drive=Drive.OPEN_DRAIN)
        assert outside.level(6)
        lines.set(False)
        assert not outside.level(6)
        lines.set(True)
        assert lines.levels() == (True,)
        lines.close()
        lines = await gpio.outputs("port", [6], initial=[False], drive=Drive.OPEN_DRAIN)
        assert not outside.level(6)

    with_gpio(scene)


def test_an_impossible_request_is_refused_with_the_valid_lines(with_our_gpio: Any) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        with pytest.raises(BusError, match="gpio0:54: no such line; the chip has 0 to 53"):
            await gpio.inputs("button", [22, 54])
        with pytest.raises(BusError, match="same line twice"):
            await gpio.inputs("button", [22, 22])
        with pytest.raises(BusError, match="2 lines, but 1 first levels"):
            await gpio.outputs("light", [22, 23], initial=[True])
        inputs = await gpio.inputs("button", [22])
        with pytest.raises(BusError, match="cannot be driven"):
            inputs.set(True)  # type: ignore[attr-defined]

    with_our_gpio(scene)


def test_both_factories_open_the_chip_by_its_label_or_path(outside: Any) -> None:
    from hal.buses.gpiod_factory import GpiodFactory
    from hal.buses.lgpio_factory import LgpioFactory

    for kind in (GpiodFactory, LgpioFactory):
        for chip in ("pinctrl-bcm2711", "/dev/gpiochip0", 0):
            factory = kind(chip, name="gpio0")
            factory.pin(17).output_with_state(True)
            assert outside.level(17)
            factory.close()
        with pytest.raises(BusError, match=r"no GPIO chip is labelled 'pinctrl-bcm2710'.*pinctrl-bcm2711"):
            kind("pinctrl-bcm2710", name="gpio0")
        with pytest.raises(BusError, match=r"gpio0: .*/dev/gpiochip7"):
            kind("/dev/gpiochip7", name="gpio0")


def test_lgpio_leaves_neither_a_fifo_nor_another_working_folder(outside: Any) -> None:
    import os

    before = os.getcwd()
    from hal.buses.lgpio_factory import LgpioFactory

    LgpioFactory(0).close()
    assert os.getcwd() == before
    assert not [name for name in os.listdir(".") if name.startswith(".lgd-nfy")]


def test_the_loop_is_free_of_readers_when_the_wire_is_closed(outside: Any) -> None:
    from hal.buses.gpiod_factory import GpiodFactory
    from hal.buses.readiness import LoopReadiness

    async def main() -> None:
        loop = asyncio.get_running_loop()
        gpio = FactoryGpio(GpiodFactory("/dev/gpiochip0", reads=LoopReadiness(loop)), clock, "gpio0")
        lines = await gpio.inputs("button", [22])
        lines.watch(lambda edge: None)
        gpio.close()
        outside.push(22, True)
        await clock.sleep(0.02)
        with gpiod.Chip("/dev/gpiochip0") as chip:
            assert not chip.get_line_info(22).used

    asyncio.run(main())
