"""Sequences of states on output ports: they run on after the request that began them has been answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from itertools import pairwise

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.errors import Busy, Exhausted, StationError
from firmware.interfaces.vapix.ports import Port, Ports, Step

log = logging.getLogger("lintel.vapix")

MOST_RUNNING = 32


class Sequences:
    """The sequences under way, one a port at most; all end with the server."""

    def __init__(self, core: Core, ports: Ports) -> None:
        self._core = core
        self._ports = ports
        self._running: dict[str, asyncio.Task[None]] = {}

    async def begin(self, port: Port, steps: tuple[Step, ...], caller: Caller, *, replace: bool) -> None:
        """Do the first step now and the others in their time. A sequence that runs is replaced, or in the way.

        Raises Busy, Exhausted, and what the owner of ports raises for the first step.
        """
        name = port.state.port
        running = self._running.get(name)
        if running is not None and not replace:
            raise Busy("port", f"a sequence runs on port {port.number}")
        if running is not None:
            running.cancel()
            self._running.pop(name, None)
        if len(self._running) >= MOST_RUNNING:
            raise Exhausted("port", f"{MOST_RUNNING} sequences run already")
        await self._ports.set_active(port, steps[0].active, caller)
        if len(steps) > 1:
            self._keep(name, self._go_on(port, steps, caller))

    def _keep(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._running[name] = task

        def ended(done: asyncio.Task[None]) -> None:
            if self._running.get(name) is done:
                del self._running[name]

        task.add_done_callback(ended)

    async def _go_on(self, port: Port, steps: tuple[Step, ...], caller: Caller) -> None:
        due_ns = self._core.clock.now_ns()
        try:
            for before, step in pairwise(steps):
                # Counted from the beginning, so that steps do not drift by what each call takes.
                due_ns += before.wait_ms * 1_000_000
                await self._core.clock.sleep(max(due_ns - self._core.clock.now_ns(), 0) / 1e9)
                await self._ports.set_active(port, step.active, caller)
        except StationError as error:
            log.warning("the sequence on port %d ended early: %s", port.number, error)

    def close(self) -> None:
        """End every sequence where it is; the owner of the ports keeps them safe."""
        for task in tuple(self._running.values()):
            task.cancel()
