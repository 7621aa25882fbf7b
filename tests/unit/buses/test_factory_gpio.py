"""The GPIO wire over gpiozero's mock pins: groups, order, the hop between threads, refusals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from gpiozero import Button
from gpiozero.pins.mock import MockFactory, MockPin

from hal.buses.gpio import FactoryGpio
from hal.clock import SystemClock
from hal.errors import BusError, LineInUse
from hal.types import Drive, Edge, EdgeKind, Pull

Scene = Callable[[FactoryGpio], Coroutine[Any, Any, None]]


class TickingFactory(MockFactory):  # type: ignore[misc] # gpiozero has no types
    """Mock pins whose ticks the test sets, in seconds."""

    now_s = 100.0

    def ticks(self) -> float:
        return self.now_s

    def change(self, pin: int, level: bool, at_s: float) -> None:
        """A change as a library reports it: with its own time, on whatever thread calls this."""
        mock = self.pin(pin)
        mock._state = level
        mock._when_changed()(at_s, level)


@pytest.fixture
def factory() -> Iterator[TickingFactory]:
    factory = TickingFactory()
    yield factory
    factory.reset()


def run(factory: MockFactory, scene: Scene) -> None:
    async def main() -> None:
        await asyncio.wait_for(scene(FactoryGpio(factory, SystemClock(), "gpio0")), 60)

    asyncio.run(main())


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await SystemClock().sleep(0)


def test_an_output_starts_at_its_first_level_and_never_shows_another(factory: MockFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        factory.pin(17).clear_states()
        lines = await gpio.outputs("relay1", [17], initial=[True])
        assert [state.state for state in factory.pin(17).states] == [False, True]
        lines.set(False)
        assert (factory.pin(17).state, lines.levels()) == (False, (False,))

    run(factory, scene)


def test_a_group_of_outputs_follows_the_order_of_its_request(factory: MockFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.outputs("light", [22, 5, 6], initial=[True, False, True])
        lines.set(False, True, True)
        assert [factory.pin(n).state for n in (22, 5, 6)] == [False, True, True]
        with pytest.raises(BusError, match=r"gpio0:22,5,6: 3 lines, but 2 levels"):
            lines.set(True, True)

    run(factory, scene)


def test_closing_an_output_leaves_its_level_and_frees_the_line(factory: MockFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        lines = await gpio.outputs("relay1", [17], initial=[True])
        lines.close()
        lines.close()
        assert factory.pin(17).state is True
        assert factory.pin(17).function == "output"
        with pytest.raises(BusError, match="given back"):
            lines.set(False)
        await gpio.outputs("relay2", [17], initial=[True])

    run(factory, scene)


def test_edges_of_a_group_come_in_order_of_ticks_not_of_arrival(factory: TickingFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        edges: list[Edge] = []
        lines = await gpio.inputs("reader1", [23, 24], pull=Pull.UP)
        lines.watch(edges.append)
        factory.change(24, False, 100.000300)
        factory.change(23, False, 100.000100)
        factory.change(23, True, 100.000150)
        await turns()
        assert [(edge.line, edge.level, edge.seq) for edge in edges] == [(0, False, 1), (0, True, 2), (1, False, 3)]
        assert [edge.t_ns - edges[0].t_ns for edge in edges] == [0, 50_000, 200_000]

    run(factory, scene)


def test_changes_on_another_thread_reach_the_handler_on_the_loop(factory: TickingFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        seen: list[tuple[int, str]] = []
        done = asyncio.Event()

        def handler(edge: Edge) -> None:
            seen.append((edge.seq, threading.current_thread().name))
            if len(seen) == 20:
                done.set()

        lines = await gpio.inputs("reader1", [23])
        lines.watch(handler)

        def far() -> None:
            for n in range(20):
                factory.change(23, n % 2 == 0, 100 + n / 1000)

        thread = threading.Thread(target=far)
        thread.start()
        await done.wait()
        thread.join()
        assert seen == [(n, threading.current_thread().name) for n in range(1, 21)]

    run(factory, scene)


def test_nothing_is_reported_after_watching_stops_or_the_group_is_closed(factory: MockFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        edges: list[Edge] = []
        lines = await gpio.inputs("button", [22], pull=Pull.DOWN)
        lines.watch(edges.append)
        factory.pin(22).drive_high()
        lines.watch(None)
        await turns()
        assert edges == []
        lines.watch(edges.append)
        factory.pin(22).drive_low()
        await turns()
        assert [edge.level for edge in edges] == [False]
        factory.pin(22).drive_high()
        lines.close()
        lines.close()
        await turns()
        assert len(edges) == 1
        with pytest.raises(BusError, match="given back"):
            lines.watch(edges.append)

    run(factory, scene)


@pytest.mark.parametrize(("kind", "expected"), [(EdgeKind.RISING, [True]), (EdgeKind.FALLING, [False])])
def test_only_the_chosen_edges_are_reported(factory: MockFactory, kind: EdgeKind, expected: list[bool]) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        edges: list[Edge] = []
        lines = await gpio.inputs("button", [22], pull=Pull.DOWN, edges=kind)
        lines.watch(edges.append)
        factory.pin(22).drive_high()
        factory.pin(22).drive_low()
        await turns()
        assert [edge.level for edge in edges] == expected

    run(factory, scene)


def test_an_open_drain_output_pulls_down_or_floats_and_never_drives_high(factory: MockFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        pin = factory.pin(6)
        lines = await gpio.outputs("port", [6], initial=[True], drive=Drive.OPEN_DRAIN)
        assert (pin.function, pin.pull) == ("input", "floating")
        lines.set(False)
        assert (pin.function, pin.state) == ("output", False)
        lines.set(True)
        assert pin.function == "input"

    run(factory, scene)


def test_a_line_in_use_is_refused_with_the_name_of_its_owner(factory: MockFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        await gpio.inputs("reader1", [23, 24])
        with pytest.raises(LineInUse, match=r"gpio0:24: .*reader1"):
            await gpio.outputs("relay1", [22, 24], initial=[False, False])
        await gpio.inputs("button", [22])
        with Button(5, pin_factory=factory):
            with pytest.raises(LineInUse, match=r"gpio0:5: .*Button"):
                await gpio.inputs("button", [5])

    run(factory, scene)


def test_impossible_requests_are_refused_with_the_place(factory: MockFactory) -> None:
    async def scene(gpio: FactoryGpio) -> None:
        with pytest.raises(BusError, match=r"gpio0:99: 99 is not a valid pin name"):
            await gpio.inputs("button", [22, 99])
        with pytest.raises(BusError, match=r"gpio0:22: the same line twice"):
            await gpio.inputs("button", [22, 22])
        with pytest.raises(BusError, match=r"gpio0: a group needs at least one line"):
            await gpio.inputs("button", [])
        with pytest.raises(BusError, match=r"gpio0:22,23: 2 lines, but 1 first levels"):
            await gpio.outputs("light", [22, 23], initial=[True])
        with pytest.raises(BusError, match=r"gpio0:22: debounce of -1 us"):
            await gpio.inputs("button", [22], debounce_us=-1)
        with pytest.raises(BusError, match=r"gpio0:2: GPIO2 has a fixed pull"):
            await gpio.inputs("button", [2], pull=Pull.DOWN)
        await gpio.inputs("button", [2, 22])

    run(factory, scene)


def test_debouncing_the_mock_would_ignore_is_refused_and_one_that_works_is_used(factory: MockFactory) -> None:
    class DebouncedPin(MockPin):  # type: ignore[misc] # gpiozero has no types
        def _set_bounce(self, value: float | None) -> None:
            self._bounce = value

    async def scene(gpio: FactoryGpio) -> None:
        with pytest.raises(BusError, match="ignore debouncing"):
            await gpio.inputs("button", [22], debounce_us=20_000)
        factory.pin_class = DebouncedPin
        await gpio.inputs("button", [23], debounce_us=20_000)
        assert factory.pin(23).bounce == 0.02

    run(factory, scene)
