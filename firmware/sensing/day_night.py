"""Service `day_night`: the IR-cut filter and the illumination, by the light, by settings and by hand.

Cameras follow its state in the process of the pictures (manuals 003 and 004: Day-night mode, Illumination).
"""

from __future__ import annotations

from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.errors import Refused, Unavailable
from firmware.core.events import Event
from firmware.core.vocabulary.watch import DayNight, DayNightState, IlluminationParams
from firmware.sensing.dusk import Dusk
from firmware.sensing.settings import CutChoice, DayNightSettings, day_night_group, night_below_lux
from hal.errors import BusError, HalError
from hal.ports import Hardware

POLL_S = 1.0
# A filter or a light that could not be driven is driven again.
AGAIN_S = 5.0


class DayNightService:
    """Owns parameter group `day_night` and the action `illumination.set`; publishes `DayNightState`."""

    name: ClassVar[str] = "day_night"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        self._sensors = tuple(hardware.light_sensors.values())
        self._filters = tuple(hardware.cut_filters.values())
        self._lamps = tuple(hardware.illuminations.values())
        self._group, self._defaults = day_night_group(light_sensor=bool(self._sensors))
        self._dusk = Dusk()
        self._mode: DayNight | None = None
        self._by_hand: bool | None = None  # what people switched the light to, until day or night comes
        self._problem = ""
        self._again_ns = 0
        self._running = False

    async def start(self) -> None:
        """Load the settings and bring filter and light to where they belong."""
        params = self._core.params
        params.declare(self._group, self._defaults)
        await params.load(self._group)
        if self._lamps:
            self._core.actions.register(
                "illumination.set",
                IlluminationParams,
                self._illuminate,
                summary="Switch the device's own light by hand, until day turns into night or night into day.",
            )
        for each in self._filters:
            each.on_trouble(self._troubled)
        self._mode = None
        self._running = True
        self._decide()

    async def run(self) -> None:
        """Follow light and settings until cancelled."""
        while True:
            await self._core.clock.sleep(POLL_S)
            self._decide()

    async def stop(self) -> None:
        """The light off, the state withdrawn; the filter stays where it is."""
        self._running = False
        self._by_hand = None
        for each in self._filters:
            each.on_trouble(None)
        self._core.bus.forget(DayNightState)
        for lamp in self._lamps:
            lamp.off()

    def _settings(self) -> DayNightSettings:
        return self._core.params.get(self._group)

    # what is wanted

    def _decide(self, cause: Event | str | None = None) -> None:
        """Look at light and settings, move what has to be moved, and say so."""
        settings = self._settings()
        mode, why = self._wanted(settings)
        if mode is not self._mode:
            self._by_hand = None
        lit = self._wants_light(settings, mode)
        moved = mode is not self._mode or any(lamp.is_on() is not lit for lamp in self._lamps)
        if moved or (self._problem and self._core.clock.now_ns() >= self._again_ns):
            self._drive(mode, lit)
        self._mode = mode
        self._publish(mode, why, cause)

    def _wanted(self, settings: DayNightSettings) -> tuple[DayNight, str]:
        light = self._by_light(settings)
        if settings.ir_cut_filter is not CutChoice.AUTO:
            return (DayNight.DAY if settings.ir_cut_filter is CutChoice.ON else DayNight.NIGHT), "setting"
        if light is None:
            return self._mode or DayNight.DAY, "no light sensor"
        return light, "light"

    def _by_light(self, settings: DayNightSettings) -> DayNight | None:
        """Day or night by the darkest of the sensors that work; None while none does."""
        readings = [sensor.lux for sensor in self._sensors if sensor.problem is None and sensor.lux is not None]
        if not readings:
            self._dusk.interrupted()
            return None
        return self._dusk.feed(
            self._core.clock.now_ns(),
            min(readings),
            below_lux=night_below_lux(settings.threshold),
            delay_s=settings.delay_s,
        )

    def _wants_light(self, settings: DayNightSettings, mode: DayNight) -> bool:
        if not settings.allow_illumination:
            return False
        if self._by_hand is not None:
            return self._by_hand
        return settings.synchronize_illumination and mode is DayNight.NIGHT

    # what is done

    def _drive(self, mode: DayNight, lit: bool) -> None:
        try:
            for each in self._filters:
                if each.is_before() is not (mode is DayNight.DAY) or self._problem:
                    each.move(mode is DayNight.DAY)
            for lamp in self._lamps:
                if lit:
                    lamp.on()
                else:
                    lamp.off()
        except HalError as error:
            self._troubled(error)
        else:
            self._problem = ""

    def _troubled(self, error: BusError | HalError) -> None:
        self._problem = str(error)
        self._again_ns = self._core.clock.now_ns() + round(AGAIN_S * 1e9)

    def _publish(self, mode: DayNight, why: str, cause: Event | str | None) -> None:
        places = {each.is_before() for each in self._filters}
        self._core.bus.publish(
            DayNightState(
                mode=mode,
                why=why,
                filter_in=places.pop() if len(places) == 1 else None,
                illumination=any(lamp.is_on() for lamp in self._lamps) if self._lamps else None,
                problem=self._problem,
            ),
            cause=cause,
        )

    async def _illuminate(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, IlluminationParams)
        if not self._running:
            raise Unavailable("illumination.set", "day and night are not watched now")
        if params.on and not self._settings().allow_illumination:
            raise Refused("illumination.set", "the light may not be used: day_night.allow_illumination is off")
        self._by_hand = params.on
        self._decide(invocation.cause)
        if self._problem:
            raise Unavailable("illumination.set", self._problem)
        return NOTHING
