"""The guest's side of the simulated chips: what a finger, a wire or a chip does outside the processor.

gpio-sim shows a line's level in sysfs `value` and is pushed from outside through `pull`.
"""

from __future__ import annotations

import asyncio
import glob
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hal.buses.gpio import FactoryGpio
from hal.clock import SystemClock

T = TypeVar("T")

CHIP = "/dev/gpiochip0"


def sim_folder() -> Path | None:
    """The sysfs folder of the gpio-sim chip, if this kernel has one."""
    found = glob.glob("/sys/devices/platform/gpio-sim.*/gpiochip0")
    return Path(found[0]) if found and os.access(CHIP, os.R_OK | os.W_OK) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sim_folder() is not None:
        return
    for item in items:
        if "guest" in Path(item.path).parts:
            item.add_marker(
                pytest.mark.skip(reason="this kernel has no gpio-sim chip (/sys/devices/platform/gpio-sim.*)")
            )


class Outside:
    """The world at the far end of the simulated lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def push(self, line: int, level: bool) -> None:
        """Pull a line from outside; an input follows."""
        (self._folder / f"sim_gpio{line}" / "pull").write_text("pull-up" if level else "pull-down")

    def pull(self, line: int) -> str:
        """The pull the line has now, be it from outside or asked for by its owner."""
        return (self._folder / f"sim_gpio{line}" / "pull").read_text().strip()

    def level(self, line: int) -> bool:
        """The level on the line."""
        return (self._folder / f"sim_gpio{line}" / "value").read_text().strip() == "1"


@pytest.fixture
def outside() -> Outside:
    folder = sim_folder()
    assert folder is not None
    outside = Outside(folder)
    for line in range(4, 28):
        outside.push(line, False)
    return outside


Scene = Callable[[FactoryGpio], Coroutine[Any, Any, T]]
Run = Callable[[Scene[T]], T]


def _run_lintel(scene: Scene[T]) -> T:
    from hal.buses.gpiod_factory import GpiodFactory
    from hal.buses.readiness import LoopReadiness

    async def main() -> T:
        clock = SystemClock()
        factory = GpiodFactory(CHIP, name="gpio0", clock=clock, reads=LoopReadiness(asyncio.get_running_loop()))
        gpio = FactoryGpio(factory, clock, "gpio0")
        try:
            return await asyncio.wait_for(scene(gpio), 20)
        finally:
            gpio.close()

    return asyncio.run(main())


def _run_lgpio(scene: Scene[T]) -> T:
    from hal.buses.lgpio_factory import LgpioFactory

    async def main() -> T:
        gpio = FactoryGpio(LgpioFactory(CHIP, name="gpio0"), SystemClock(), "gpio0")
        try:
            return await asyncio.wait_for(scene(gpio), 20)
        finally:
            gpio.close()

    return asyncio.run(main())


@pytest.fixture(params=["lintel", "lgpio"])
def with_gpio(request: pytest.FixtureRequest) -> Run[Any]:
    """Runs a scene on a loop with the GPIO wire over our factory, then over lgpio."""
    return _run_lintel if request.param == "lintel" else _run_lgpio


@pytest.fixture
def with_our_gpio() -> Run[Any]:
    """Runs a scene on a loop with the GPIO wire over our factory only."""
    return _run_lintel
