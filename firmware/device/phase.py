"""Service `device`: what this device is, what it is doing as a whole, its network identity, and how it shows itself.

`device.identify` is for eyes, `device.locate` for eyes and ears: the light follows the state here, whatever becomes of
the media role, which plays.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.vocabulary.device import (
    DeviceInfo,
    DevicePhase,
    IdentifyParams,
    IdentifyState,
    LocateParams,
    Phase,
)
from hal.clock import Timer


class DeviceService:
    """Publishes `DeviceInfo`, `DevicePhase` and `IdentifyState`; the composition root says when all is ready."""

    name: ClassVar[str] = "device"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, info: DeviceInfo) -> None:
        self._core = core
        self._info = info
        self._timer: Timer | None = None

    async def start(self) -> None:
        """Say who this is, and that it is starting."""
        bus = self._core.bus
        bus.publish(self._info)
        bus.publish(DevicePhase(phase=Phase.STARTING))
        bus.publish(IdentifyState(active=False))
        register = self._core.actions.register
        register(
            "device.identify",
            IdentifyParams,
            self._identify,
            summary="Let the device show which one it is, for a time or until told otherwise.",
        )
        register(
            "device.locate",
            LocateParams,
            self._locate,
            summary="Let the device be found: a sound on its speaker and a pattern of its light, for a time.",
        )
        register("device.locate_stop", Nothing, self._locate_stop, summary="End the sound and the pattern.")

    def mark_ready(self) -> None:
        """Every service runs: the phase becomes NORMAL, unless another service has set its own meanwhile."""
        phase = self._core.bus.state(DevicePhase)
        if phase is None or phase.phase is Phase.STARTING:
            self._core.bus.publish(DevicePhase(phase=Phase.NORMAL), cause=phase)

    async def run(self) -> None:
        """Keep the states until cancelled."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Stop identifying."""
        self._stop_timer()
        if self._core.bus.state(IdentifyState) is not None:
            self._core.bus.publish(IdentifyState(active=False))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _identify(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, IdentifyParams)
        return self._show(IdentifyState(active=params.active), params.for_s, invocation)

    async def _locate(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, LocateParams)
        return self._show(IdentifyState(active=True, sound=True), params.duration_s, invocation)

    async def _locate_stop(self, invocation: Invocation) -> Nothing:
        return self._show(IdentifyState(active=False), None, invocation)

    def _show(self, state: IdentifyState, for_s: float | None, invocation: Invocation) -> Nothing:
        self._stop_timer()
        self._core.bus.publish(state, cause=invocation.cause)
        if state.active and for_s is not None:
            self._timer = self._core.clock.call_later(for_s, self._expire, invocation.cause)
        return NOTHING

    def _expire(self, cause: str | None) -> None:
        self._timer = None
        self._core.bus.publish(IdentifyState(active=False), cause=cause)
