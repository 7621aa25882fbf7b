"""Service `shocks`: hits of the device, by its accelerometers (manuals 001, 003, 004: Shock detection)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.vocabulary.station import ParamsChanged
from firmware.core.vocabulary.watch import SensorPhase, ShockDetected, ShockState
from firmware.sensing.settings import ShockSettings, threshold_g
from hal.clock import Timer
from hal.errors import HalError
from hal.ports import Hardware
from hal.senses import Shock

# How long the state stays active after a shock: time for a rule that lasts as long as it does.
ACTIVE_S = 3.0


class ShocksService:
    """Owns parameter group `shock`; publishes `ShockDetected` and the state of every sensor."""

    name: ClassVar[str] = "shocks"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"accelerometer"})

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        self._sensors = {hardware.alias(node): sensor for node, sensor in hardware.accelerometers.items()}
        self._active: dict[str, Timer] = {}

    async def start(self) -> None:
        """Load the settings and set the sensors to them."""
        self._core.params.declare(ShockSettings)
        await self._core.params.load(ShockSettings)
        for name, sensor in self._sensors.items():
            sensor.watch(partial(self._shock, name))
        self._apply()
        for name, sensor in self._sensors.items():
            sensor.on_problem(partial(self._problem, name))

    async def run(self) -> None:
        """Follow the settings until cancelled."""
        with self._core.bus.subscribe(ParamsChanged, retained=False) as changes:
            async for notice in changes:
                if isinstance(notice.event, ParamsChanged) and notice.event.group == ShockSettings.group:
                    self._apply()

    async def stop(self) -> None:
        """Switch the sensors off and withdraw their states."""
        for timer in self._active.values():
            timer.cancel()
        self._active.clear()
        for name, sensor in self._sensors.items():
            sensor.watch(None)
            sensor.on_problem(None)
            sensor.set_threshold(None)
            self._core.bus.forget(ShockState, name)

    def _apply(self) -> None:
        settings = self._core.params.get(ShockSettings)
        for name, sensor in self._sensors.items():
            sensor.set_threshold(threshold_g(settings.sensitivity) if settings.enabled else None)
            if not settings.enabled:
                self._calm(name)
            self._publish(name)

    def _shock(self, name: str, shock: Shock) -> None:
        if not self._core.params.get(ShockSettings).enabled:
            return  # it was on its way when the detector was switched off
        event = self._core.bus.publish(ShockDetected(sensor=name, peak_g=shock.peak_g))
        before = self._active.pop(name, None)
        if before is not None:
            before.cancel()
        self._active[name] = self._core.clock.call_later(ACTIVE_S, self._over, name)
        self._publish(name, cause=event)

    def _over(self, name: str) -> None:
        self._calm(name)
        self._publish(name)

    def _calm(self, name: str) -> None:
        timer = self._active.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _problem(self, name: str, _error: HalError | None) -> None:
        self._publish(name)

    def _publish(self, name: str, *, cause: ShockDetected | None = None) -> None:
        problem = self._sensors[name].problem
        phase = SensorPhase.WORKING if self._core.params.get(ShockSettings).enabled else SensorPhase.OFF
        if problem is not None:
            phase = SensorPhase.FAILED
        state = ShockState(
            sensor=name,
            phase=phase,
            active=name in self._active,
            reason="" if problem is None else problem.message,
        )
        self._core.bus.publish(state, cause=cause)
