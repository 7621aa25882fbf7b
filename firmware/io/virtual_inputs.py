"""Service `virtual_inputs`: inputs that only programs set, for rules to act on (manual 003)."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.vocabulary.io import VirtualInputParams, VirtualInputState
from hal.clock import Timer


class VirtualInputsService:
    """Owns `virtual_input.set`; publishes the state of an input from the first time it is set."""

    name: ClassVar[str] = "virtual_inputs"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core) -> None:
        self._core = core
        self._timers: dict[int, Timer] = {}
        self._used: set[int] = set()

    async def start(self) -> None:
        """Offer the action; no input has a state yet."""
        if "virtual_input.set" not in self._core.actions:
            self._core.actions.register(
                "virtual_input.set",
                VirtualInputParams,
                self._set,
                summary="Set a virtual input active or inactive, for a time or until told otherwise.",
            )

    async def run(self) -> None:
        """Keep the inputs until cancelled."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Withdraw every state: what set the inputs may not be there after a restart."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for number in sorted(self._used):
            self._core.bus.forget(VirtualInputState, str(number))
        self._used.clear()

    async def _set(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, VirtualInputParams)
        timer = self._timers.pop(params.input, None)
        if timer is not None:
            timer.cancel()
        if params.active and params.for_s is not None:
            self._timers[params.input] = self._core.clock.call_later(
                params.for_s, self._expire, params.input, invocation.cause
            )
        self._publish(params.input, params.active, invocation.cause)
        return NOTHING

    def _expire(self, number: int, cause: str | None) -> None:
        self._timers.pop(number, None)
        self._publish(number, False, cause)

    def _publish(self, number: int, active: bool, cause: str | None) -> None:
        self._used.add(number)
        self._core.bus.publish(VirtualInputState(input=number, active=active), cause=cause)
