"""The reset button at work: measures the hold since power-on, shows when to let go, and asks for the factory reset.

The doors work meanwhile: the reset is carried out by the restart that follows it (specification 4.4), before any
service of that start.
"""

from __future__ import annotations

import asyncio
import logging

from firmware.core.actions import NOTHING, Caller, Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.device import DevicePhase, HoldOutcome, Phase, ResetHeld
from firmware.device.hold import Hold, Procedure
from hal.clock import Timer
from hal.ports import InputChange

log = logging.getLogger(__name__)

ACTION = "device.factory_default"
BUTTON = Caller("reset button", Level.SYSTEM, "button")


class ResetButton:
    """One power-on's worth of watching. `began_ns` is when the power came; None when this is a later start of control,
    which must not take a finger of now for one that has been there since."""

    def __init__(self, core: Core, procedure: Procedure, began_ns: int | None) -> None:
        self._core = core
        self._procedure = procedure
        self._began_ns = began_ns
        self._hold: Hold | None = None
        self._timers: list[Timer] = []
        self._before: DevicePhase | None = None
        self._asked = asyncio.Event()
        self._cause: str | None = None

    def first(self, pressed: frozenset[str]) -> None:
        """What the buttons were when they were first looked at; a second look of the same start changes nothing."""
        if self._began_ns is None or self._hold is not None:
            return
        self._hold = hold = Hold(self._procedure, self._began_ns, pressed)
        if hold.outcome is not None:
            return
        log.warning("button %s is held since power-on", self._procedure.button)
        for after_s, act in ((self._procedure.from_s, self._ready), (self._procedure.stuck_s, self._stuck)):
            self._timers.append(self._core.clock.call_at(hold.began_ns + round(after_s * 1e9), act))
        # Exactly at its end the time is not over.
        late_ns = hold.began_ns + round(self._procedure.to_s * 1e9) + 1
        self._timers.append(self._core.clock.call_at(late_ns, self._restore_phase))

    def moved(self, button: str, change: InputChange) -> None:
        """A button moved."""
        if self._hold is not None:
            self._decided(self._hold.moved(button, change.active, change.t_ns), change.t_ns)
            if not self._hold.may_reset and self._hold.outcome is not HoldOutcome.RESET:
                self._restore_phase()

    async def run(self) -> None:
        """Ask for the reset when the hold was one, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._core.actions.invoke(
                    Invocation(action=ACTION, params=NOTHING, caller=BUTTON, cause=self._cause)
                )
            except StationError as error:
                log.error("the factory reset could not be begun: %s", error)
                self._restore_phase()

    def stop(self) -> None:
        """End every timer."""
        while self._timers:
            self._timers.pop().cancel()

    def _ready(self) -> None:
        if self._hold is not None and self._hold.may_reset:
            self._before = self._core.bus.state(DevicePhase)
            self._core.bus.publish(DevicePhase(phase=Phase.RESTORING, detail="let go of the button to reset"))

    def _stuck(self) -> None:
        assert self._hold is not None
        self._decided(self._hold.stuck(), self._core.clock.now_ns())

    def _restore_phase(self) -> None:
        """Show what was shown before it was time to let go."""
        before, self._before = self._before, None
        if before is None:
            return
        starting = before.phase is Phase.STARTING  # which is long over
        phase = Phase.NORMAL if starting else before.phase
        self._core.bus.publish(DevicePhase(phase=phase, detail="" if starting else before.detail))

    def _decided(self, outcome: HoldOutcome | None, t_ns: int) -> None:
        if outcome is None:
            return
        assert self._hold is not None
        self.stop()
        held = self._core.bus.publish(
            ResetHeld(button=self._procedure.button, outcome=outcome, held_s=self._hold.held_s(t_ns))
        )
        if outcome is HoldOutcome.RESET:
            self._cause = held.id
            self._asked.set()
        else:
            self._restore_phase()
