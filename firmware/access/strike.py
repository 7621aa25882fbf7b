"""The strike of one door: the only owner of its relay.

    door.release   ____|~~~~~~~~ hold_s ~~~~~~~~|____      relay on first, then the facts
    again (extend) ____|~~~~~~~~~~~~~~~~~~~~~~~~~~~|__     one pulse, never beyond the relay's limit

The relay's driver cuts off at its longest on-time by itself; this file never asks for more.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware.access.settings import Repeat
from firmware.core.bus import Bus
from firmware.core.errors import Invalid, Unavailable
from firmware.core.events import Event
from firmware.core.vocabulary.access import DoorReleased
from firmware.core.vocabulary.io import RelayChanged, RelayTrouble
from hal.clock import Clock, Timer
from hal.errors import HalError
from hal.ports import OutputChange, OutputTrouble, Relay

NS = 1_000_000_000
COMMAND = "command"


class Strike:
    """Releases and locks; tells `moved(cause)` after every change and `stuck(detail)` when the contact does not follow.

    `failed(error)` is called when the relay cannot be switched off: then only a restart can.
    """

    def __init__(
        self,
        door: str,
        relay: Relay,
        alias: str,
        bus: Bus,
        clock: Clock,
        *,
        moved: Callable[[Event | str | None], None],
        stuck: Callable[[str | None], None],
        failed: Callable[[HalError], None],
    ) -> None:
        self._door = door
        self._relay = relay
        self._alias = alias
        self._bus = bus
        self._clock = clock
        self._moved = moved
        self._stuck = stuck
        self._failed = failed
        self._timer: Timer | None = None
        self._on_ns: int | None = None
        self._end_ns = 0
        self._cause: Event | str | None = None
        self._commanding = False
        self._refused = False
        self._refused_off = False

    @property
    def released(self) -> bool:
        """Whether the strike is released now."""
        return self._on_ns is not None

    @property
    def limit_s(self) -> float:
        """The longest release in seconds."""
        return self._relay.max_on_s

    def watch(self) -> None:
        """Follow the relay, and say how it is."""
        self._relay.watch(self._switched)
        self._relay.on_trouble(self._troubled)
        self._publish(self._relay.is_on(), "start", None)

    def release(self, hold_s: float, *, by: str, repeat: Repeat, cause: str | None) -> None:
        """Release for `hold_s` seconds. Raises Invalid above the relay's limit, Unavailable when it does not switch."""
        if hold_s > self.limit_s:
            raise Invalid(
                "door.release.hold_s", f"{hold_s:g} s is above the relay's longest on-time of {self.limit_s:g} s"
            )
        now_ns = self._clock.now_ns()
        if self._on_ns is None:
            self._begin(now_ns, hold_s, by, cause)
        elif repeat is Repeat.EXTEND:
            self._extend(now_ns, self._on_ns, hold_s, by, cause)

    def lock(self, cause: str | None) -> None:
        """End a release now; harmless when there is none. Raises Unavailable when the relay does not switch."""
        if self._on_ns is None:
            return
        error = self._end(COMMAND, cause)
        if error is not None:
            raise Unavailable("door.lock", str(error)) from error

    def close(self) -> HalError | None:
        """Switch off for good; returns what went wrong."""
        error = self._end("closing", None)
        self._stop_timer()
        self._relay.watch(None)
        self._relay.on_trouble(None)
        return error

    def _begin(self, now_ns: int, hold_s: float, by: str, cause: str | None) -> None:
        # The timer comes before the relay: at a hold equal to the driver's limit the command's own end counts.
        self._arm(now_ns + round(hold_s * NS))
        self._commanding = True
        try:
            self._relay.on()
        except HalError as error:
            self._stop_timer()
            self._refused = True
            self._stuck(f"cannot be switched on: {error}")
            raise Unavailable("door.release", str(error)) from error
        finally:
            self._commanding = False
        if self._refused:
            self._refused = False
            self._stuck(None)
        self._on_ns = now_ns
        released = self._bus.publish(DoorReleased(door=self._door, hold_s=hold_s, by=by), cause=cause)
        self._cause = released
        self._publish(True, COMMAND, released)
        self._moved(released)

    def _extend(self, now_ns: int, on_ns: int, hold_s: float, by: str, cause: str | None) -> None:
        limit_ns = on_ns + round(self.limit_s * NS)
        end_ns = min(now_ns + round(hold_s * NS), limit_ns)
        if end_ns > self._end_ns:
            self._arm(end_ns)
        left_s = (self._end_ns - now_ns) / NS
        self._cause = self._bus.publish(DoorReleased(door=self._door, hold_s=left_s, by=by, extended=True), cause=cause)

    def _arm(self, end_ns: int) -> None:
        self._stop_timer()
        self._end_ns = end_ns
        self._timer = self._clock.call_at(end_ns, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        error = self._end(COMMAND, self._cause)
        if error is not None:
            self._failed(error)

    def _end(self, why: str, cause: Event | str | None) -> HalError | None:
        self._commanding = True
        try:
            self._relay.off()
        except HalError as error:  # the timer stays: it tries again when the release is over
            self._refused_off = True
            self._stuck(f"cannot be switched off: {error}")
            return error
        finally:
            self._commanding = False
        self._stop_timer()
        if self._refused_off:
            self._refused_off = False
            self._stuck(None)
        self._off(why, cause or self._cause)
        return None

    def _off(self, why: str, cause: Event | str | None) -> None:
        if self._on_ns is None:
            return
        self._on_ns = None
        self._publish(False, why, cause)
        self._moved(cause)

    def _switched(self, change: OutputChange) -> None:
        """The driver switched by itself: its limit, or it is closing."""
        if self._commanding:
            return
        if not change.on:
            self._stop_timer()
            self._off(change.reason, self._cause)

    def _troubled(self, trouble: OutputTrouble) -> None:
        self._bus.publish(
            RelayTrouble(relay=self._relay.name, stuck=trouble.stuck, commanded=trouble.commanded), cause=self._cause
        )
        told = "on" if trouble.commanded else "off"
        self._stuck(f"the contact does not follow: told {told}" if trouble.stuck else None)

    def _publish(self, on: bool, why: str, cause: Event | str | None) -> None:
        self._bus.publish(RelayChanged(relay=self._relay.name, alias=self._alias, on=on, why=why), cause=cause)
