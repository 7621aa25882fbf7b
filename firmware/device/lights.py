"""Service `lights`: the product's lights follow its tables; the first true line of a table wins."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import ClassVar

from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.events import Event
from firmware.core.vocabulary.access import DoorState
from firmware.core.vocabulary.cloud import CloudConnection
from firmware.core.vocabulary.device import ButtonState, DevicePhase, IdentifyState, LightState, NetworkState
from firmware.device.config import Condition, DeviceConfig, LightConfig
from firmware.device.table import choose, conditions_of, lasts_ns
from hal.clock import Timer
from hal.errors import HalError, nearest
from hal.ports import Hardware, Led
from hal.types import OFF, Pattern

DARK = "no line is true"


@dataclass(slots=True)
class _Light:
    name: str
    config: LightConfig
    led: Led
    shown: Pattern | None = None
    timer: Timer | None = None

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


@dataclass(slots=True)
class _Now:
    """The conditions that hold, each with the monotonic time it began."""

    began_ns: dict[Condition, int] = field(default_factory=dict)

    def update(self, conditions: frozenset[Condition], now_ns: int) -> None:
        self.began_ns = {condition: self.began_ns.get(condition, now_ns) for condition in conditions}

    def since(self, now_ns: int) -> dict[Condition, int]:
        return {condition: now_ns - began_ns for condition, began_ns in self.began_ns.items()}


class LightsService:
    """Publishes `LightState` of every light of the product."""

    name: ClassVar[str] = "lights"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"led"})

    def __init__(self, core: Core, hardware: Hardware, config: DeviceConfig) -> None:
        """Raises Invalid for a node that is no LED, an LED with two tables, or a colour it lacks."""
        self._core = core
        self._lights: list[_Light] = []
        owners: dict[str, str] = {}
        for name, light in config.lights.items():
            place = f"rooms.device.lights.{name}"
            led = hardware.leds.get(light.node)
            if led is None:
                hint = nearest(light.node, hardware.leds)
                raise Invalid(f"{place}.node", f"no LED {light.node!r} on this board{hint}")
            if light.node in owners:
                raise Invalid(f"{place}.node", f"LED {light.node!r} already belongs to light {owners[light.node]!r}")
            owners[light.node] = name
            _check_colours(place, light, led)
            self._lights.append(_Light(name, light, led))
        self._now = _Now()
        self._notices: Subscription | None = None
        self._failure: HalError | None = None

    async def start(self) -> None:
        """Show what the retained states ask for."""
        self._now = _Now()
        self._failure = None
        for light in self._lights:
            light.shown = None
        self._update(None)

    async def run(self) -> None:
        """Follow the states until cancelled. Raises HalError when a light cannot be driven."""
        watched = (DevicePhase, NetworkState, IdentifyState, DoorState, ButtonState, CloudConnection)
        with self._core.bus.subscribe(*watched) as self._notices:
            async for notice in self._notices:
                self._update(notice.event)
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Switch every light off."""
        self._notices = None
        with ExitStack() as every:
            for light in self._lights:
                light.stop_timer()
                every.callback(self._show, light, OFF, "stopped", None)

    def _update(self, cause: Event | None) -> None:
        bus = self._core.bus
        conditions = conditions_of(
            bus.state(DevicePhase),
            bus.state(NetworkState),
            bus.state(IdentifyState),
            bus.states(DoorState),
            bus.states(ButtonState),
            bus.state(CloudConnection),
        )
        self._now.update(conditions, self._core.clock.now_ns())
        for light in self._lights:
            self._decide(light, cause)

    def _decide(self, light: _Light, cause: Event | None) -> None:
        now_ns = self._core.clock.now_ns()
        line = choose(light.config.table, self._now.began_ns.keys(), self._now.since(now_ns))
        light.stop_timer()
        if line is None:
            self._show(light, OFF, DARK, cause)
            return
        self._show(light, line.show, line.when.value, cause)
        limit_ns = lasts_ns(line)
        if limit_ns is not None:
            over_ns = self._now.began_ns[line.when] + limit_ns
            light.timer = self._core.clock.call_at(over_ns, self._time_is_up, light)

    def _time_is_up(self, light: _Light) -> None:
        light.timer = None
        try:
            self._decide(light, None)
        except HalError as error:
            # A timer has nobody to tell: `run` ends with it.
            self._failure = error
            if self._notices is not None:
                self._notices.close()

    def _show(self, light: _Light, pattern: Pattern, reason: str, cause: Event | None) -> None:
        # Showing the same pattern again would start its rhythm anew.
        if pattern != light.shown:
            light.led.show(pattern)
            light.shown = pattern
        self._core.bus.publish(LightState(light=light.name, pattern=str(pattern), reason=reason), cause=cause)


def _check_colours(place: str, light: LightConfig, led: Led) -> None:
    for number, line in enumerate(light.table):
        for step in line.show.steps:
            if step.colour not in led.colours:
                has = ", ".join(sorted(colour.value for colour in led.colours))
                raise Invalid(
                    f"{place}.table.{number}.show",
                    f"LED {light.node!r} cannot show {step.colour.value}; it shows {has}",
                )
