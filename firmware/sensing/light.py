"""Service `light`: the light around the device, as a state that changes when a person would notice."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.vocabulary.watch import AmbientLight, SensorPhase
from hal.errors import HalError
from hal.ports import Hardware

# The state follows at most this often, and only changes by this part (or at all, near the dark).
EVERY_S = 5.0
NOTICED = 0.1
DARK_LUX = 0.1


def rounded(lux: float) -> float:
    """Two digits, and hundredths of a lux at the finest."""
    return round(float(f"{lux:.2g}"), 2)


def noticed(before: float | None, now: float) -> bool:
    """Whether a change of light is worth telling; pure."""
    return before is None or abs(now - before) > max(DARK_LUX, NOTICED * before)


class LightService:
    """Publishes `AmbientLight` of every light sensor."""

    name: ClassVar[str] = "light"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"light_sensor"})

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        self._sensors = {hardware.alias(node): sensor for node, sensor in hardware.light_sensors.items()}

    async def start(self) -> None:
        """Say how the sensors are."""
        for name, sensor in self._sensors.items():
            sensor.on_problem(partial(self._problem, name))
            self._publish(name)

    async def run(self) -> None:
        """Follow the light until cancelled."""
        while True:
            await self._core.clock.sleep(EVERY_S)
            for name, sensor in self._sensors.items():
                known = self._core.bus.state(AmbientLight, name)
                lux = sensor.lux
                if lux is not None and noticed(None if known is None else known.lux, lux):
                    self._publish(name)

    async def stop(self) -> None:
        """Withdraw the states."""
        for name, sensor in self._sensors.items():
            sensor.on_problem(None)
            self._core.bus.forget(AmbientLight, name)

    def _problem(self, name: str, _error: HalError | None) -> None:
        self._publish(name)

    def _publish(self, name: str) -> None:
        sensor = self._sensors[name]
        problem = sensor.problem
        self._core.bus.publish(
            AmbientLight(
                sensor=name,
                phase=SensorPhase.WORKING if problem is None else SensorPhase.FAILED,
                lux=None if problem is not None or sensor.lux is None else rounded(sensor.lux),
                reason="" if problem is None else problem.message,
            )
        )
