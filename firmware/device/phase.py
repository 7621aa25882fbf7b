"""Service `device`: what this device is, what it is doing as a whole, its network identity, and `device.identify`."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase, IdentifyParams, IdentifyState, Phase
from firmware.device.network import NetworkSettings
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
        self._core.params.declare(NetworkSettings)
        await self._core.params.load(NetworkSettings)
        if "device.identify" not in self._core.actions:
            self._core.actions.register(
                "device.identify",
                IdentifyParams,
                self._identify,
                summary="Let the device show which one it is, for a time or until told otherwise.",
            )

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
        self._stop_timer()
        self._core.bus.publish(IdentifyState(active=params.active), cause=invocation.cause)
        if params.active and params.for_s is not None:
            self._timer = self._core.clock.call_later(params.for_s, self._expire, invocation.cause)
        return NOTHING

    def _expire(self, cause: str | None) -> None:
        self._timer = None
        self._core.bus.publish(IdentifyState(active=False), cause=cause)
