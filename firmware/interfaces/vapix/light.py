"""Light control: lightcontrol.cgi for the device's own light, which is on or off and of one intensity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.vocabulary.watch import DayNightState
from firmware.interfaces.vapix.envelope import NEWER, Call, JsonApi, Method, Refusal

LIGHT = "led0"
FULL = 100
# The parameters of control that say whether the light may be used, and whether it follows night and day.
DAY_NIGHT, ALLOWED, SYNCHRONIZED = "day_night", "allow_illumination", "synchronize_illumination"


class LightApi:
    """The address; a device without a light of its own has none."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def _state(self) -> DayNightState | None:
        state = self._core.bus.state(DayNightState)
        return state if state is not None and state.illumination is not None else None

    def apis(self) -> tuple[JsonApi, ...]:
        """The address."""
        operator = Level.OPERATOR
        return (
            JsonApi(
                id="light-control",
                name="Light Control",
                path="/axis-cgi/lightcontrol.cgi",
                codes=NEWER,
                versions=("1.0", "1.1"),
                here=lambda: self._state() is not None,
                methods={
                    "getServiceCapabilities": Method(run=self._capabilities),
                    "getLightInformation": Method(run=self._information),
                    "getLightStatus": Method(run=self._status),
                    "activateLight": Method(run=lambda call: self._switch(call, on=True), level=operator),
                    "deactivateLight": Method(run=lambda call: self._switch(call, on=False), level=operator),
                    "enableLight": Method(run=lambda call: self._allow(call, allowed=True), level=Level.ADMIN),
                    "disableLight": Method(run=lambda call: self._allow(call, allowed=False), level=Level.ADMIN),
                    "getValidIntensity": Method(run=self._valid),
                    "getCurrentIntensity": Method(run=self._current),
                    "getManualIntensity": Method(run=self._manual),
                    "setManualIntensity": Method(run=self._set_manual, level=operator),
                },
            ),
        )

    async def _capabilities(self, _: Call) -> Mapping[str, Any]:
        absent = (
            "automaticIntensitySupport", "individualIntensitySupport", "angleOfIlluminationSupport",
            "manualAngleOfIlluminationSupport", "dayNightSynchronizeSupport",
        )  # fmt: skip
        return {"manualIntensitySupport": True, **dict.fromkeys(absent, False)}

    async def _information(self, call: Call) -> Mapping[str, Any]:
        state = self._state()
        if state is None:
            return {"items": []}
        settings = await self._core.link.read(DAY_NIGHT, call.caller)
        return {
            "items": [
                {
                    "lightID": LIGHT,
                    "lightType": "IR",
                    "enabled": settings[ALLOWED],
                    "lightState": bool(state.illumination),
                    "nrOfLEDs": 1,
                    "automaticIntensityMode": False,
                    "automaticAngleOfIlluminationMode": False,
                    "synchronizeDayNightMode": settings[SYNCHRONIZED],
                    "error": bool(state.problem),
                    "errorInfo": state.problem,
                }
            ]
        }

    def _named(self, call: Call) -> DayNightState:
        """The light that is meant. Raises Refusal."""
        light, state = call.text("lightID"), self._state()
        if light != LIGHT or state is None:
            raise Refusal(call.codes.invalid, f"Invalid lightID {light[:40]!r}; there is {LIGHT}")
        return state

    async def _status(self, call: Call) -> Mapping[str, Any]:
        return {"status": bool(self._named(call).illumination)}

    async def _switch(self, call: Call, *, on: bool) -> Mapping[str, Any]:
        self._named(call)
        await self._core.link.command("illumination.set", {"on": on}, call.caller)
        return {}

    async def _allow(self, call: Call, *, allowed: bool) -> Mapping[str, Any]:
        self._named(call)
        await self._core.link.change(DAY_NIGHT, {ALLOWED: allowed}, call.caller)
        return {}

    async def _valid(self, call: Call) -> Mapping[str, Any]:
        self._named(call)
        return {"ranges": [{"low": FULL, "high": FULL}]}

    async def _current(self, call: Call) -> Mapping[str, Any]:
        return {"intensity": FULL if self._named(call).illumination else 0}

    async def _manual(self, call: Call) -> Mapping[str, Any]:
        self._named(call)
        return {"intensity": FULL}

    async def _set_manual(self, call: Call) -> Mapping[str, Any]:
        self._named(call)
        wanted = call.number("intensity", None, least=0, most=FULL)
        if wanted != FULL:
            raise Refusal(call.codes.invalid, f"intensity {wanted}: this light has one intensity, {FULL}")
        return {}
