"""gpiozero's own devices on our pin factory, on a real kernel (gpio-sim)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import gpiod
import gpiozero
import pytest
from gpiozero.exc import PinInvalidEdges

from hal.buses.gpiod_factory import GpiodFactory
from hal.buses.pins import InputWish
from hal.clock import SystemClock
from hal.errors import LineInUse


@pytest.fixture
def factory(outside: Any) -> Iterator[GpiodFactory]:
    factory = GpiodFactory("/dev/gpiochip0", name="gpio0")
    yield factory
    factory.close()


def test_a_button_reports_press_and_release_from_a_thread_of_the_factory(factory: GpiodFactory, outside: Any) -> None:
    pressed, released = threading.Event(), threading.Event()
    threads: list[str] = []

    def on_press() -> None:
        threads.append(threading.current_thread().name)
        pressed.set()

    outside.push(22, True)
    with gpiozero.Button(22, pin_factory=factory) as button:
        assert outside.pull(22) == "pull-up"
        button.when_pressed = on_press
        button.when_released = released.set
        outside.push(22, False)
        assert pressed.wait(3)
        assert button.is_pressed
        assert 0 <= button.active_time < 3
        outside.push(22, True)
        assert released.wait(3)
    assert threads == ["gpio edges"]


def test_waiting_for_a_press_returns_when_it_comes(factory: GpiodFactory, outside: Any) -> None:
    outside.push(22, True)
    with gpiozero.Button(22, pin_factory=factory) as button:
        timer = threading.Timer(0.05, outside.push, (22, False))
        timer.start()
        assert button.wait_for_press(3)
        timer.join()


def test_a_button_with_a_bounce_time_reports_one_press(factory: GpiodFactory, outside: Any) -> None:
    presses: list[int] = []
    outside.push(22, True)
    with gpiozero.Button(22, bounce_time=0.04, pin_factory=factory) as button:
        assert button.pin.bounce == 0.04
        button.when_pressed = lambda: presses.append(1)
        for level in (False, True, False, True, False):
            outside.push(22, level)
        threading.Event().wait(0.2)
        assert presses == [1]


def test_an_led_starts_at_its_first_value_and_blinks(factory: GpiodFactory, outside: Any) -> None:
    with gpiozero.LED(17, initial_value=True, pin_factory=factory) as led:
        assert outside.level(17)
        led.off()
        assert not outside.level(17)
        led.toggle()
        assert outside.level(17)
        led.blink(0.01, 0.01, n=2, background=False)
        assert not outside.level(17)


def test_an_output_without_a_first_value_keeps_the_level_it_finds(factory: GpiodFactory, outside: Any) -> None:
    outside.push(17, True)
    with gpiozero.OutputDevice(17, initial_value=None, pin_factory=factory):
        assert outside.level(17)


def test_ticks_of_a_change_are_the_kernels_own(factory: GpiodFactory, outside: Any) -> None:
    changes: list[tuple[int, bool]] = []
    arrived = threading.Event()

    def changed(ticks: int, state: bool) -> None:
        changes.append((ticks, state))
        if len(changes) == 2:
            arrived.set()

    pin = factory.pin(22)
    pin.input_with_pull("floating")
    pin.when_changed = changed
    start = SystemClock().now_ns()
    outside.push(22, True)
    outside.push(22, False)
    end = SystemClock().now_ns()
    assert arrived.wait(3)
    assert [state for _, state in changes] == [True, False]
    assert start <= changes[0][0] < changes[1][0] <= end
    assert factory.ticks_diff(changes[1][0], changes[0][0]) == pytest.approx((changes[1][0] - changes[0][0]) / 1e9)


def test_what_a_pin_cannot_do_is_refused(factory: GpiodFactory) -> None:
    pin = factory.pin(17)
    with pytest.raises(gpiozero.PinSetInput):
        pin.state = 1
    pin.function = "input"
    refusals: list[tuple[str, Any, type[Exception]]] = [
        ("state", 1, gpiozero.PinSetInput),
        ("function", "alt0", gpiozero.PinInvalidFunction),
        ("pull", "sideways", gpiozero.PinInvalidPull),
        ("edges", "all", PinInvalidEdges),
        ("bounce", -1, gpiozero.PinInvalidBounce),
        ("bounce", 5000, gpiozero.PinInvalidBounce),
        ("frequency", 50, gpiozero.PinPWMUnsupported),
    ]
    for name, value, error in refusals:
        with pytest.raises(error):
            setattr(pin, name, value)
    pin.function = "output"
    for name, value, error in [
        ("state", 0.5, gpiozero.PinInvalidState),
        ("pull", "up", gpiozero.PinFixedPull),
        ("bounce", 0.01, gpiozero.PinEdgeDetectUnsupported),
        ("edges", "both", gpiozero.PinEdgeDetectUnsupported),
        ("when_changed", print, gpiozero.PinEdgeDetectUnsupported),
    ]:
        with pytest.raises(error):
            setattr(pin, name, value)
    with pytest.raises(gpiozero.PinFixedPull):
        factory.pin(2).input_with_pull("down")
    with pytest.raises(gpiozero.PinInvalidPin):
        factory.pin(99)
    with pytest.raises(gpiozero.PinSPIUnsupported):
        factory.spi()


def test_a_pin_taken_by_a_device_or_a_program_is_refused_with_its_name(factory: GpiodFactory) -> None:
    with gpiozero.LED(17, pin_factory=factory):
        with pytest.raises(gpiozero.GPIOPinInUse, match="LED"):
            gpiozero.Button(17, pin_factory=factory)
        with pytest.raises(LineInUse, match=r"gpio0:17.*GPIO17"):
            factory.request((17,), InputWish(), owner="reader1")
    with gpiod.request_lines("/dev/gpiochip0", {17: None}, consumer="another program"):
        with pytest.raises(gpiozero.GPIOPinInUse, match="another program"):
            gpiozero.LED(17, pin_factory=factory)
        with pytest.raises(gpiozero.GPIOPinInUse, match="another program"):
            _ = factory.pin(17).state


def test_the_header_of_the_board_is_known(factory: GpiodFactory) -> None:
    assert factory.board_info.model == "4B"
    assert factory.pin("BOARD11") is factory.pin(17) is factory.pin("GPIO17")
    assert GpiodFactory(name="default").chip.path == "/dev/gpiochip0"


def test_a_reconfigured_pin_keeps_its_line_all_the_time(factory: GpiodFactory, outside: Any) -> None:
    with gpiod.Chip("/dev/gpiochip0") as watcher:
        pin = factory.pin(22)
        pin.function = "input"
        watcher.watch_line_info(22)
        pin.pull = "up"
        pin.edges = "rising"
        pin.output_with_state(True)
        assert outside.level(22)
        happened = []
        while watcher.wait_info_event(0.05):
            happened.append(watcher.read_info_event().event_type.name)
    assert set(happened) == {"LINE_CONFIG_CHANGED"}
