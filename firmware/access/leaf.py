"""The leaf of one door and its exit button: forced, held open, tampered, stuck.

Follows the contact and the request-to-exit loop. A cut or shorted loop is an alarm and never opens
anything; an exit button asks once per press, however long it is held (hardening row 12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from firmware.access.config import DoorConfig
from firmware.access.settings import DoorSettings
from firmware.core.bus import Bus
from firmware.core.errors import NotFound, Refused
from firmware.core.events import Event
from firmware.core.vocabulary.access import DoorAlarm, DoorAlarmKind, DoorState, ExitRequested, ExitSimulated, Position
from hal.clock import Clock, Timer
from hal.ports import Loop, LoopChange
from hal.types import LoopState

NS = 1_000_000_000
FAULTS = {LoopState.CUT: "the loop is cut", LoopState.SHORT: "the loop is shorted"}


class ReleaseView(Protocol):
    """What the leaf asks of the strike."""

    @property
    def released(self) -> bool:
        """Whether somebody may pass now."""


class Leaf:
    """Publishes `DoorState`, `DoorAlarm` and `ExitRequested` of one door."""

    def __init__(
        self,
        door: str,
        config: DoorConfig,
        strike: ReleaseView,
        contact: Loop | None,
        rex: Loop | None,
        bus: Bus,
        clock: Clock,
        settings: Callable[[], DoorSettings],
    ) -> None:
        self._door = door
        self._config = config
        self._strike = strike
        self._contact = contact
        self._rex = rex
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._position = Position.UNKNOWN
        self._alarms: dict[DoorAlarmKind, str] = {}
        self._free_until_ns = 0
        self._was_released = False
        self._opened_ns = 0
        self._held: Timer | None = None
        self._pressed = False
        self._armed = False
        self._press: Timer | None = None
        self._contact_fault = ""
        self._exit_fault = ""
        self._exit_stuck = ""

    def watch(self) -> None:
        """Follow the loops from how they are: a leaf found open is not forced, a button found pressed asks nothing."""
        for kind in DoorAlarmKind:
            self._bus.publish(DoorAlarm(door=self._door, kind=kind, active=False))
        if self._contact is not None:
            self._contact.watch(lambda change: self._contact_changed(change, first=False))
            self._contact_changed(LoopChange(self._clock.now_ns(), self._contact.state()), first=True)
        if self._rex is not None:
            self._rex.watch(lambda change: self._exit_changed(change, first=False))
            self._exit_changed(LoopChange(self._clock.now_ns(), self._rex.state()), first=True)
        self.publish(None)

    def close(self) -> None:
        """Stop following."""
        for loop in (self._contact, self._rex):
            if loop is not None:
                loop.watch(None)
        self._stop_held()
        self._stop_press()

    def strike_moved(self, cause: Event | str | None) -> None:
        """The strike was released or locked."""
        released = self._strike.released
        if self._was_released and not released:
            self._free_until_ns = self._clock.now_ns() + round(self._settings().grace_s * NS)
        self._was_released = released
        if self._position is Position.OPEN:
            self._watch_held()
        self.publish(cause)

    def alarm(self, kind: DoorAlarmKind, detail: str | None, cause: Event | str | None = None) -> None:
        """Raise an alarm with its detail, or end it with None."""
        if detail is None:
            self._alarms.pop(kind, None)
        else:
            self._alarms[kind] = detail
        self._bus.publish(
            DoorAlarm(door=self._door, kind=kind, active=detail is not None, detail=detail or ""), cause=cause
        )

    def publish(self, cause: Event | str | None) -> None:
        """Say how the door is."""
        self._bus.publish(
            DoorState(
                door=self._door,
                position=self._position,
                released=self._strike.released,
                forced=DoorAlarmKind.FORCED in self._alarms,
                held_open=DoorAlarmKind.HELD_OPEN in self._alarms,
                tampered=DoorAlarmKind.CONTACT in self._alarms,
            ),
            cause=cause,
        )

    # the contact

    def _contact_changed(self, change: LoopChange, *, first: bool) -> None:
        fault = FAULTS.get(change.state, "")
        if fault != self._contact_fault:
            self._contact_fault = fault
            self.alarm(DoorAlarmKind.CONTACT, fault or None)
        if fault:
            self._stop_held()
            self._position = Position.UNKNOWN
        elif change.state is self._config.contact_closed:
            self._closed()
        else:
            self._opened(change.t_ns, first=first)
        if not first:
            self.publish(None)

    def _closed(self) -> None:
        self._position = Position.CLOSED
        self._stop_held()
        for kind in (DoorAlarmKind.FORCED, DoorAlarmKind.HELD_OPEN):
            if kind in self._alarms:
                self.alarm(kind, None)

    def _opened(self, t_ns: int, *, first: bool) -> None:
        if self._position is Position.OPEN:
            return
        self._position = Position.OPEN
        self._opened_ns = t_ns
        if not first and not self._strike.released and t_ns > self._free_until_ns:
            self.alarm(DoorAlarmKind.FORCED, "opened without a release")
        self._watch_held()

    def _watch_held(self) -> None:
        """While released it may stand open; then the time since it was opened counts."""
        self._stop_held()
        if not self._strike.released and DoorAlarmKind.HELD_OPEN not in self._alarms:
            due_ns = self._opened_ns + round(self._settings().held_open_s * NS)
            self._held = self._clock.call_at(max(due_ns, self._clock.now_ns()), self._held_open)

    def _held_open(self) -> None:
        self._held = None
        self.alarm(DoorAlarmKind.HELD_OPEN, f"open for {(self._clock.now_ns() - self._opened_ns) / NS:.0f} s")
        self.publish(None)

    def _stop_held(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    # the exit button

    def _exit_changed(self, change: LoopChange, *, first: bool) -> None:
        self._exit_fault = FAULTS.get(change.state, "")
        pressed = not self._exit_fault and change.state is self._config.rex_active
        if pressed and not self._pressed:
            self._press = self._clock.call_later(self._settings().exit_stuck_s, self._exit_is_stuck)
        if not pressed:
            self._stop_press()
            self._exit_stuck = ""
        # Only a loop that was seen whole and at rest may ask: a wire that is mended asks nothing.
        asks = pressed and self._armed and not first
        self._pressed = pressed
        self._armed = not pressed and not self._exit_fault
        self._tell_exit()
        if asks:
            self._bus.publish(ExitRequested(door=self._door))

    def press_exit(self, by: str, cause: str | None) -> None:
        """Ask as a press of the exit button does, where a press would: not on a loop that is cut, or held already.

        Raises NotFound without an exit button, Refused.
        """
        if self._rex is None:
            raise NotFound("exit.press.door", f"door {self._door!r} has no exit button")
        if not self._armed:
            why = self._exit_fault or self._exit_stuck or "it is pressed"
            raise Refused("exit.press", f"the exit button of door {self._door!r} cannot ask now: {why}")
        fact = self._bus.publish(ExitSimulated(door=self._door, by=by), cause=cause)
        self._bus.publish(ExitRequested(door=self._door), cause=fact)

    def _exit_is_stuck(self) -> None:
        self._press = None
        self._exit_stuck = f"pressed for {self._settings().exit_stuck_s:g} s"
        self._tell_exit()

    def _tell_exit(self) -> None:
        detail = self._exit_fault or self._exit_stuck
        if detail != self._alarms.get(DoorAlarmKind.EXIT, ""):
            self.alarm(DoorAlarmKind.EXIT, detail or None)

    def _stop_press(self) -> None:
        if self._press is not None:
            self._press.cancel()
            self._press = None
