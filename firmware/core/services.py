"""Running the services of one role: start in order, watch, restart, stop in reverse.

Each service runs as soon as it has started, so a later one may already use the link. The first vital
one that crashes ends `run`; a restartable one starts again after a back-off. Whatever happens, every
service is stopped, the last started first, while those it stands on still run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from firmware.core.bus import Bus
from firmware.core.errors import StationError
from firmware.core.service import Service
from firmware.core.vocabulary.station import ServiceFailed, ServicePhase, ServiceState
from hal.clock import Clock, within
from hal.errors import HalError

RETRY_S = 0.5
RETRY_MAX_S = 30.0
# A service that ran this long was well: its next crash starts the back-off anew.
GOOD_S = 60.0
# How long one service may take to stop; the others' outputs are not to wait for it longer.
STOP_S = 5.0

log = logging.getLogger(__name__)


def unforeseen(error: Exception | None) -> Exception | None:
    """An error that only its traceback explains; the two error trees say themselves what is wrong."""
    return None if isinstance(error, StationError | HalError) else error


class ServiceCrashed(Exception):
    """A vital service failed; the cause says with what."""

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service}: {reason}")
        self.service = service


@dataclass(eq=False, slots=True)
class _Life:
    """One service with the task it runs in; `tried` is done after its first start, well or not."""

    service: Service
    tried: asyncio.Future[None]
    task: asyncio.Task[None] | None = None
    restarts: int = 0


class Services:
    """The services of one role, from start to stop."""

    def __init__(self, bus: Bus, clock: Clock, role: str) -> None:
        self._bus = bus
        self._clock = clock
        self._role = role

    async def run(self, services: Sequence[Service], ready: Callable[[], None] = lambda: None) -> None:
        """Run until cancelled; calls `ready` once all have started (a restartable one that cannot does not hold it up).

        Raises an ExceptionGroup of ServiceCrashed and of whatever failed while stopping.
        """
        loop = asyncio.get_running_loop()
        lives = [_Life(service, loop.create_future()) for service in services]
        crashed: asyncio.Future[ServiceCrashed] = loop.create_future()
        begun: list[_Life] = []
        troubles: list[Exception] = []
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    for life in lives:
                        begun.append(life)
                        life.task = group.create_task(self._live(life, crashed), name=f"service {life.service.name}")
                        await asyncio.wait((life.tried, crashed), return_when=asyncio.FIRST_COMPLETED)
                        if crashed.done():
                            break
                    else:
                        ready()
                    troubles.append(await crashed)
                finally:
                    troubles += await self._stop_all(begun)
        except asyncio.CancelledError:
            if not troubles:
                raise
        raise ExceptionGroup(f"{self._role} ended", troubles)

    async def _live(self, life: _Life, crashed: asyncio.Future[ServiceCrashed]) -> None:
        """Start and run one service until cancelled; a crash of a vital one is told to `crashed`."""
        service = life.service
        delay_s = RETRY_S
        while True:
            began_ns: int | None = None
            self._publish(life, ServicePhase.STARTING)
            try:
                await service.start()
                began_ns = self._clock.now_ns()
                self._publish(life, ServicePhase.RUNNING)
                _tried(life)
                await service.run()
                reason = "ended by itself"
                error: Exception | None = None
            except Exception as raised:  # noqa: BLE001 - any crash of a service is judged here, by its kind
                error = raised
                reason = describe(raised)
            if service.vital:
                log.critical(
                    "%s: vital service %s failed: %s", self._role, service.name, reason, exc_info=unforeseen(error)
                )
                self._publish(life, ServicePhase.FAILED, reason)
                crash = ServiceCrashed(service.name, reason)
                crash.__cause__ = error
                if not crashed.done():
                    crashed.set_result(crash)
                return
            if began_ns is not None and self._clock.now_ns() - began_ns >= GOOD_S * 1e9:
                delay_s = RETRY_S
            await self._failed(life, reason, error, delay_s)
            delay_s = min(RETRY_MAX_S, delay_s * 2)

    async def _failed(self, life: _Life, reason: str, error: Exception | None, delay_s: float) -> None:
        """Make a crashed restartable service safe, say so, and wait for its next try."""
        service = life.service
        log.error("%s: service %s failed: %s", self._role, service.name, reason, exc_info=unforeseen(error))
        trouble = await self._stop(service)
        if trouble is not None:
            reason = f"{reason}; stopping it failed too: {describe(trouble)}"
        self._publish(life, ServicePhase.FAILED, reason)
        self._bus.publish(ServiceFailed(service=service.name, role=self._role, reason=reason, retry_s=delay_s))
        _tried(life)
        await self._clock.sleep(delay_s)
        life.restarts += 1

    async def _stop_all(self, begun: list[_Life]) -> list[Exception]:
        """End and stop every service, the last one first; returns what failed. A cancellation waits for it."""
        troubles = []
        cancelled: asyncio.CancelledError | None = None
        for life in reversed(begun):
            try:
                await self._end(life)
            except asyncio.CancelledError as again:
                cancelled = again
            except Exception as error:  # noqa: BLE001 - one service that ends badly keeps no other from its safe state
                troubles.append(error)
            try:
                trouble = await self._stop(life.service)
            except asyncio.CancelledError as again:
                cancelled = again
                trouble = None
            if trouble is not None:
                troubles.append(trouble)
            elif life.task is not None and life.task.cancelled():  # a crashed one goes on saying why
                self._publish(life, ServicePhase.OFF, "stopped")
        if cancelled is not None and not troubles:
            raise cancelled
        return troubles

    @staticmethod
    async def _end(life: _Life) -> None:
        if life.task is not None and not life.task.done():
            life.task.cancel()
            await asyncio.wait((life.task,), timeout=STOP_S)
            if not life.task.done():
                raise TimeoutError(f"{life.service.name} did not end within {STOP_S:g} s of being cancelled")

    async def _stop(self, service: Service) -> Exception | None:
        try:
            async with within(STOP_S):
                await service.stop()
        except Exception as error:  # logged here, raised by the caller once the others have been stopped
            log.exception("%s: stopping service %s failed", self._role, service.name)
            error.add_note(f"while stopping service {service.name}")
            return error
        return None

    def _publish(self, life: _Life, phase: ServicePhase, reason: str = "") -> None:
        self._bus.publish(
            ServiceState(service=life.service.name, role=self._role, phase=phase, reason=reason, restarts=life.restarts)
        )


def _tried(life: _Life) -> None:
    if not life.tried.done():
        life.tried.set_result(None)


def describe(error: BaseException) -> str:
    """An exception in one line; of a group, its first leaf."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
