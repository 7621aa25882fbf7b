"""Service `relays`: relays that no door uses, switched by hand, by rules and by other devices.

A relay is never on longer than its board allows; it is off when the service is not running.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound, Refused, Unavailable
from firmware.core.vocabulary.io import RelayChanged, RelaySetParams, RelayTrouble
from hal.clock import Timer
from hal.errors import HalError, nearest
from hal.ports import Hardware, OutputChange, OutputTrouble, Relay


@dataclass(slots=True)
class _Relay:
    node: str
    alias: str
    relay: Relay
    timer: Timer | None = None
    cause: str | None = None

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class RelaysService:
    """Publishes `RelayChanged` and `RelayTrouble` of free relays and owns `relay.set`."""

    name: ClassVar[str] = "relays"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"relay"})

    def __init__(self, core: Core, hardware: Hardware, door_relays: frozenset[str]) -> None:
        """`door_relays` are the node names that doors own."""
        self._core = core
        self._relays: dict[str, _Relay] = {}
        self._names: dict[str, str] = {}
        self._strikes: set[str] = set()
        for node, relay in hardware.relays.items():
            if node in door_relays:
                self._strikes.update((node, hardware.alias(node)))
            else:
                self._relays[node] = _Relay(node, hardware.alias(node), relay)
                self._names[hardware.alias(node)] = node
        self._stopping = True
        self._failures: asyncio.Queue[HalError] = asyncio.Queue()

    async def start(self) -> None:
        """Watch the relays and say how they are."""
        self._failures = asyncio.Queue()
        if "relay.set" not in self._core.actions:
            self._core.actions.register(
                "relay.set",
                RelaySetParams,
                self._set,
                summary="Switch a relay that is not a door's strike, for a time or until told otherwise.",
            )
        for relay in self._relays.values():
            relay.cause = None
            relay.relay.watch(lambda change, relay=relay: self._switched(relay, change))  # type: ignore[misc]
            relay.relay.on_trouble(lambda trouble, relay=relay: self._troubled(relay, trouble))  # type: ignore[misc]
            self._publish(relay, relay.relay.is_on(), "start")
        self._stopping = False

    async def run(self) -> None:
        """Keep the relays until cancelled. Raises HalError when one cannot be switched off at its time."""
        try:
            raise await self._failures.get()
        finally:
            self._all_off()

    async def stop(self) -> None:
        """Switch every relay off and let go of it."""
        self._all_off()
        for relay in self._relays.values():
            relay.relay.watch(None)
            relay.relay.on_trouble(None)

    def _all_off(self) -> None:
        self._stopping = True
        with ExitStack() as every:
            for relay in self._relays.values():
                relay.stop_timer()
                relay.cause = None
                every.callback(relay.relay.off)

    def _switched(self, relay: _Relay, change: OutputChange) -> None:
        if not change.on:
            relay.stop_timer()
        self._publish(relay, change.on, "closing" if self._stopping else change.reason)

    def _troubled(self, relay: _Relay, trouble: OutputTrouble) -> None:
        self._core.bus.publish(
            RelayTrouble(relay=relay.node, stuck=trouble.stuck, commanded=trouble.commanded), cause=relay.cause
        )

    def _publish(self, relay: _Relay, on: bool, why: str) -> None:
        known = self._core.bus.state(RelayChanged, relay.node)
        if known is None or known.on is not on:
            self._core.bus.publish(RelayChanged(relay=relay.node, alias=relay.alias, on=on, why=why), cause=relay.cause)

    def _find(self, name: str) -> _Relay:
        relay = self._relays.get(self._names.get(name, name))
        if relay is None:
            if name in self._strikes:
                raise Refused("relay.set.relay", f"{name!r} moves a door's strike; use door.release")
            raise NotFound("relay.set.relay", f"no relay {name!r}{nearest(name, (*self._relays, *self._names))}")
        return relay

    async def _set(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, RelaySetParams)
        relay = self._find(params.relay)
        if self._stopping:
            raise Unavailable("relay.set", "the relays are not running")
        limit_s = relay.relay.max_on_s
        if params.on and params.for_s is not None and params.for_s > limit_s:
            raise Invalid("relay.set.for_s", f"{params.for_s:g} s is above the longest on-time of {limit_s:g} s")
        relay.cause = invocation.cause
        try:
            if params.on:
                self._on(relay, params.for_s)
            else:
                relay.relay.off()  # when it refuses, the timer of the switching on before tries again
                relay.stop_timer()
        except HalError as error:
            raise Unavailable("relay.set", str(error)) from error
        return NOTHING

    def _on(self, relay: _Relay, for_s: float | None) -> None:
        # The timer comes first: at a time equal to the longest on-time the command's own end counts.
        relay.stop_timer()
        if for_s is not None:
            relay.timer = self._core.clock.call_later(for_s, self._time_is_up, relay)
        try:
            relay.relay.on()
        except HalError:
            relay.stop_timer()
            raise

    def _time_is_up(self, relay: _Relay) -> None:
        relay.timer = None
        try:
            relay.relay.off()
        except HalError as error:
            self._failures.put_nowait(error)
