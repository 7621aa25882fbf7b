"""Service `io`: the terminals of the I/O connector, as manual 001 "I/O ports" describes them.

A port is active when its circuit differs from its normal state. Outputs are open while the service
is down, at their normal position once it is up, and again after any port setting changes.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound, Refused, Unavailable
from firmware.core.events import Event
from firmware.core.vocabulary.io import PortConfigureParams, PortSetParams, PortState
from firmware.core.vocabulary.station import ParamsChanged
from firmware.io.config import IoConfig
from firmware.io.settings import PortFacts, PortSettings, PortsGroup, ports_group
from hal.clock import Timer
from hal.errors import HalError, nearest
from hal.ports import Hardware, LoopChange, Terminal
from hal.types import Direction, LoopState

TAMPERED = frozenset({LoopState.CUT, LoopState.SHORT})


def is_active(circuit: LoopState, normal: LoopState) -> bool:
    """Whether a circuit differs from its normal state; a cut loop is an open circuit, a shorted one is closed.

    So supervision adds the tampering and changes nothing else: cutting the wire of a push button
    does not press it, cutting the wire of a normally closed contact still opens it.
    """
    conducts = circuit in (LoopState.CLOSED, LoopState.SHORT)
    return conducts is not (normal is LoopState.CLOSED)


@dataclass(slots=True)
class _Port:
    facts: PortFacts
    terminal: Terminal
    settings: PortSettings
    turned: tuple[Direction, bool] | None = None
    timer: Timer | None = None
    cause: Event | str | None = None

    @property
    def is_output(self) -> bool:
        return self.settings.direction is Direction.OUTPUT

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def state(self, circuit: LoopState) -> PortState:
        settings = self.settings
        return PortState(
            port=self.facts.port,
            name=settings.name,
            configurable=self.facts.configurable,
            direction=settings.direction,
            normal=settings.normal,
            supervised=settings.watches_loop,
            circuit=circuit,
            active=is_active(circuit, settings.normal),
            tampered=settings.watches_loop and circuit in TAMPERED,
        )


class PortsService:
    """Publishes `PortState` of every port and owns `port.set`, `port.configure` and the parameter group `ports`."""

    name: ClassVar[str] = "io"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"port"})

    def __init__(self, core: Core, hardware: Hardware, config: IoConfig) -> None:
        """Raises Invalid for a port that is no terminal of the board."""
        self._core = core
        self._ports: dict[str, _Port] = {}
        self._aliases: dict[str, str] = {}
        for node in hardware.terminals if config.ports is None else config.ports:
            if node not in hardware.terminals:
                hint = nearest(node, hardware.terminals)
                raise Invalid("rooms.io.ports", f"no terminal {node!r} on this board{hint}")
            terminal = hardware.terminals[node]
            facts = PortFacts(
                port=node,
                alias=hardware.alias(node),
                direction=Direction.INPUT if terminal.configurable else terminal.direction,
                configurable=terminal.configurable,
                can_supervise=terminal.can_supervise,
            )
            self._ports[node] = _Port(facts, terminal, facts.default())
            self._aliases[facts.alias] = node
        self._group = ports_group({node: port.facts for node, port in self._ports.items()}, self._settings)
        self._open = False
        self._applied: PortsGroup | None = None
        self._turning = asyncio.Lock()
        self._changes: Subscription | None = None
        self._failure: HalError | None = None

    async def start(self) -> None:
        """Load the settings, turn every terminal its way, outputs to normal, and say how all are."""
        if self._group.group not in self._core.params:
            self._core.params.declare(self._group)
            self._register()
        self._open = True
        self._failure = None
        await self._core.params.load(self._group)
        for port in self._ports.values():
            port.terminal.watch(lambda change, port=port: self._moved(port, change))  # type: ignore[misc]
        await self._apply(None)

    def _register(self) -> None:
        self._core.actions.register(
            "port.set",
            PortSetParams,
            self._set,
            summary="Activate or deactivate an output port, for a time or until told otherwise.",
        )
        self._core.actions.register(
            "port.configure",
            PortConfigureParams,
            self._configure,
            summary="Change a port's name, direction, normal state or supervision.",
            level=Level.ADMIN,
        )

    async def run(self) -> None:
        """Follow changes of the parameter group, whoever made them. Raises HalError when an output does not obey."""
        try:
            with self._core.bus.subscribe(ParamsChanged) as self._changes:
                await self._apply(None)
                async for notice in self._changes:
                    if isinstance(notice.event, ParamsChanged) and notice.event.group == self._group.group:
                        await self._apply(notice.event)
            if self._failure is not None:
                raise self._failure
        finally:
            self._release()

    async def stop(self) -> None:
        """Open every output and withdraw the states: nobody watches the circuits any more."""
        self._release()
        for port in self._ports.values():
            self._core.bus.forget(PortState, port.facts.port)

    def _release(self) -> None:
        self._open = False
        self._applied = self._changes = None
        with ExitStack() as every:
            for port in self._ports.values():
                port.stop_timer()
                port.turned = None
                port.terminal.watch(None)  # first: opening a normally closed output is no activation
                if port.terminal.direction is Direction.OUTPUT:
                    every.callback(port.terminal.close_circuit, False)

    def _settings(self, port: str) -> PortSettings:
        if self._group.group in self._core.params:
            return self._core.params.get(self._group).of(port)
        return self._ports[port].settings

    def _follows(self, group: PortsGroup) -> bool:
        """Whether nothing is left to apply; a stopped service leaves its outputs open."""
        return group is self._applied or not self._open

    async def _apply(self, cause: Event | str | None) -> None:
        """Bring the terminals in line with the settings, once per change; every output goes to normal."""
        async with self._turning:
            group = self._core.params.get(self._group)
            if self._follows(group):
                return
            for port in self._ports.values():
                port.stop_timer()
                port.cause = cause
                wanted = port.settings = group.of(port.facts.port)
                way = (wanted.direction, wanted.watches_loop)
                if port.turned != way:
                    port.turned = None
                    await port.terminal.configure(wanted.direction, supervised=wanted.watches_loop)
                    port.turned = way
                if self._follows(group):
                    return
            for port in self._ports.values():
                self._to_normal(port)
            self._applied = group

    def _time_is_up(self, port: _Port) -> None:
        port.timer = None
        try:
            self._to_normal(port)
        except HalError as error:
            self._fail(error)

    def _fail(self, error: HalError) -> None:
        """End `run` with the error of a timer, which has nobody else to tell."""
        self._failure = error
        if self._changes is not None:
            self._changes.close()

    def _to_normal(self, port: _Port) -> None:
        if port.is_output:
            port.terminal.close_circuit(port.settings.normal is LoopState.CLOSED)
        self._publish(port, port.terminal.circuit())

    def _moved(self, port: _Port, change: LoopChange) -> None:
        # While terminals are being turned the circuit passes through states that nobody asked for.
        if not self._turning.locked():
            self._publish(port, change.state)

    def _publish(self, port: _Port, circuit: LoopState) -> None:
        self._core.bus.publish(port.state(circuit), cause=port.cause)

    def _find(self, name: str, action: str) -> _Port:
        port = self._ports.get(self._aliases.get(name, name))
        if port is None:
            raise NotFound(f"{action}.port", f"no port {name!r}{nearest(name, (*self._ports, *self._aliases))}")
        return port

    async def _set(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, PortSetParams)
        port = self._find(params.port, "port.set")
        async with self._turning:
            if self._applied is None:
                raise Unavailable("port.set", "the I/O ports are not running")
            if not port.is_output:
                raise Refused("port.set.port", f"{params.port!r} is an input; only an output can be set")
            port.stop_timer()
            port.cause = invocation.cause
            closed = (port.settings.normal is LoopState.CLOSED) is not params.active
            if params.active and params.for_s is not None:
                port.timer = self._core.clock.call_later(params.for_s, self._time_is_up, port)
            try:
                port.terminal.close_circuit(closed)
            except HalError as error:
                port.stop_timer()
                raise Unavailable("port.set", str(error)) from error
            self._publish(port, port.terminal.circuit())
        return NOTHING

    async def _configure(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, PortConfigureParams)
        port = self._find(params.port, "port.configure")
        asked = {
            "name": params.name,
            "direction": params.direction,
            "normal": params.normal,
            "supervised": params.supervised,
        }
        patch = {port.facts.port: {name: value for name, value in asked.items() if value is not None}}
        await self._core.params.change(self._group.group, patch, invocation.caller, cause=invocation.cause)
        try:
            await self._apply(invocation.cause)
        except HalError as error:
            raise Unavailable("port.configure", f"saved, but the terminal does not follow: {error}") from error
        return NOTHING
