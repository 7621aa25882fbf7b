"""Service `upgrade`: installs bundles, tries new firmware, rolls back and resets, and says how it stands.

What blocks runs on a thread of its own, so the door works on through all of it. The state machine decides; this
service brings it bundles, time, health and wishes, and shows its record on the bus.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from firmware.core.actions import NOTHING, Caller, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Busy, Exhausted, NotFound, StationError, Unavailable
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase, Phase, RestartAsked
from firmware.core.vocabulary.security import LoginSeen
from firmware.core.vocabulary.station import RoleState, ServicePhase, ServiceState
from firmware.core.vocabulary.upgrade import (
    ConfirmParams,
    InstallParams,
    UpgradeAnswer,
    UpgradeNote,
    UpgradeRefused,
    UpgradeState,
)
from firmware.core.worker import Worker
from firmware.upgrade.context import GateContext, at_least
from firmware.upgrade.context import Mode as GateMode
from firmware.upgrade.indication import SHOWN_S, phase_of, state_of
from firmware.upgrade.machine import TICK_S, Machine, reason_of
from firmware.upgrade.ports import Approved
from firmware.upgrade.record import Mode, Outcome, ResetKind, Stage, Upgrade
from firmware.upgrade.revoking import Revoking
from firmware.upgrade.telling import Telling
from firmware.upgrade.waking import Start

# So that an answer reaches who asked before the device restarts.
ANSWER_S = 0.5
# A firmware on trial has this long until every role is ready, and must stay well for the second time.
HEALTH_S = 90.0
SETTLED_S = 3.0
# How often the time that a failure is shown is written down.
SHOWN_TICK_S = 3600
LARGEST_IMAGE = 1024**3

T = TypeVar("T")

log = logging.getLogger("firmware.upgrade")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the service finds what it needs, and which roles must be ready before a trial is a success."""

    spool: Path
    keyring: Path
    certificate: Path
    revocations: Path
    roles: frozenset[str]
    saved_time: Callable[[], datetime | None] = lambda: None


class UpgradeService:
    """Owns `upgrade.install`, `upgrade.confirm`, `upgrade.rollback`, `device.factory_default`, `device.restore`."""

    name: ClassVar[str] = "upgrade"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, start: Start, places: Places) -> None:
        self._core = core
        self._machine: Machine = start.machine
        self._notes = list(start.notes)
        self._places = places
        self._worker = Worker(core.clock, "upgrade")
        self._checking = False
        self._progress = 0
        self._restart = asyncio.Event()
        self._restarting: Callable[[], None] | None = None
        self._telling = Telling(core, start.machine, self._noted)
        self._revoking = Revoking(core, self._machine, self._worker, places.revocations, self._show)

    # life

    async def start(self) -> None:
        """Offer the actions and show the record."""
        self._worker.start()
        self._register()
        self._revoking.start()
        while self._notes:
            self._core.bus.publish(UpgradeNote(text=self._notes.pop(0)))
        await self._telling.start()
        self._show()

    async def run(self) -> None:
        """Watch a trial, tell of a failure for a time, restart when it is time, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._restart_when_asked(), name="upgrade restart")
            tasks.create_task(self._watch_trial(), name="upgrade trial")
            tasks.create_task(self._telling.run(), name="upgrade outcome told")
            tasks.create_task(self._fade(), name="upgrade failure shown")
            tasks.create_task(self._see_logins(), name="upgrade failure seen")
            tasks.create_task(self._revoking.run(), name="revocations")

    async def stop(self) -> None:
        """Take no more work."""
        self._revoking.stop()
        self._worker.close()

    # actions

    def _register(self) -> None:
        add = self._core.actions.register
        admin = Level.ADMIN
        add("upgrade.install", InstallParams, self._install, level=admin, answer=UpgradeAnswer,
            summary="Check the bundle of that name in the spool, install it, and restart into it.")  # fmt: skip
        add("upgrade.confirm", ConfirmParams, self._confirm, level=admin,
            summary="Keep the firmware that is on trial.")  # fmt: skip
        add("upgrade.rollback", Nothing, self._rollback, level=admin, answer=UpgradeAnswer,
            summary="Go back to the former firmware with its settings.")  # fmt: skip
        add("device.factory_default", Nothing, partial(self._reset, ResetKind.HARD), level=admin,
            summary="Reset everything to the factory default.")  # fmt: skip
        add("device.restore", Nothing, partial(self._reset, ResetKind.SOFT), level=admin,
            summary="Reset everything but the network settings.")  # fmt: skip

    async def _install(self, invocation: Invocation) -> UpgradeAnswer:
        wish = invocation.params
        assert isinstance(wish, InstallParams)
        self._check_free()
        # Before anything is waited for: a second wish must find this one.
        self._checking, self._progress = True, 0
        self._show(invocation.cause)
        try:
            up = await self._worker.run(partial(self._check_and_write, wish, asyncio.get_running_loop()))
        except StationError as error:
            self._refused(error.code, str(error), invocation)
            raise
        except OSError as error:
            failure = _storage_failure(error)
            self._refused(failure.code, failure.message, invocation)
            raise failure from error
        finally:
            self._checking = False
            self._show(invocation.cause)
        return self._begin(up, invocation)

    def _check_free(self) -> None:
        if self._checking or self._restart.is_set():
            raise Busy("upgrade", "another upgrade is under way")
        self._machine.check_free()

    def _check_and_write(self, wish: InstallParams, loop: asyncio.AbstractEventLoop) -> Upgrade:
        """Gate, then state machine; on the worker, which also loads the gate: most starts never need it."""
        from firmware.upgrade import gate

        bundle = self._places.spool / wish.spool
        if bundle.is_symlink() or not bundle.is_file():
            raise NotFound("upgrade.install.spool", f"there is no {wish.spool} in the spool")
        approved: Approved = gate.approve(bundle, self._context(GateMode(wish.mode.value)))

        def progress(percent: int) -> None:
            loop.call_soon_threadsafe(self._progressed, percent)

        return self._machine.install(approved, Mode(wish.mode.value), window_s=wish.confirm_within_s, progress=progress)

    def _context(self, mode: GateMode) -> GateContext:
        info = self._core.bus.state(DeviceInfo)
        assert info is not None, "the device service starts first"
        record, clock = self._machine.record, self._core.clock
        return GateContext(
            model=info.model,
            hardware_revision=info.hardware_revision,
            running=record.slot(record.home).version,
            floor=record.floor,
            serial=info.serial,
            chip_id=info.chip_id,
            now=at_least(clock.utc(), self._places.saved_time()),
            clock_trusted=clock.trusted(),
            mode=mode,
            slot_size=LARGEST_IMAGE,
            keyring=self._places.keyring,
            certificate=self._places.certificate if self._places.certificate.exists() else None,
        )

    def _progressed(self, percent: int) -> None:
        self._progress = percent
        self._show()

    def _refused(self, code: str, why: str, invocation: Invocation) -> None:
        self._core.bus.publish(UpgradeRefused(code=code, why=why, by=invocation.caller.name), cause=invocation.cause)

    def _begin(self, up: Upgrade, invocation: Invocation) -> UpgradeAnswer:
        """It is staged: restart into it, once the answer is away."""
        self._ask_restart(self._machine.arm, invocation.caller)
        return UpgradeAnswer(id=up.id, version=up.version, mode=up.mode.value)

    async def _confirm(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, ConfirmParams)
        await self._change(lambda: self._machine.confirm(wish.id), invocation)
        self._show(invocation.cause)
        return NOTHING

    async def _rollback(self, invocation: Invocation) -> UpgradeAnswer:
        self._check_free()
        up = await self._change(self._machine.rollback, invocation)
        self._show(invocation.cause)
        return self._begin(up, invocation)

    async def _reset(self, kind: ResetKind, invocation: Invocation) -> Nothing:
        by = "button" if invocation.caller.via == "button" else "api"
        if by == "api":
            self._check_free()
        await self._change(lambda: self._machine.ask_reset(kind, by), invocation)
        self._show(invocation.cause)
        self._ask_restart(self._machine.parts.boot.restart, invocation.caller)
        return NOTHING

    async def _change(self, step: Callable[[], T], invocation: Invocation) -> T:
        """A step of the machine, on the worker. Raises what it raises, Unavailable when the medium fails."""
        try:
            return await self._worker.run(step)
        except OSError as error:
            raise Unavailable(invocation.action, f"storage fails ({reason_of(error)})") from error

    # restart

    def _ask_restart(self, do: Callable[[], None], caller: Caller) -> None:
        self._core.bus.publish(RestartAsked(by=caller.name))
        self._restarting = do
        self._restart.set()

    async def _restart_when_asked(self) -> None:
        while True:
            await self._restart.wait()
            await self._core.clock.sleep(ANSWER_S)
            assert self._restarting is not None, "whoever asks says how"
            try:
                await self._worker.run(self._restarting)
            except OSError as error:
                log.error("the device could not be restarted: %s", error)
                self._restart.clear()
            self._show()
            if self._restart.is_set():
                return  # nothing is taken on any more until the device is down

    # the trial

    async def _watch_trial(self) -> None:
        """Health first; then the time to confirm."""
        if not self._machine.on_trial:
            return
        why = await self._unwell()
        if why is not None:
            log.error("the firmware on trial is not well: %s", why)
            await self._in_trial(lambda: self._machine.give_up(why))
            return
        await self._in_trial(self._machine.healthy)
        while self._machine.on_trial:
            await self._core.clock.sleep(TICK_S)
            if self._machine.on_trial:
                await self._in_trial(self._machine.tick)

    async def _in_trial(self, step: Callable[[], None]) -> None:
        try:
            await self._worker.run(step)
        except Busy:
            log.info("the trial has ended meanwhile")
        except OSError as error:
            # The next start finds out what the sector holds.
            log.error("the trial could not go on: %s", error)
            await self._worker.run(self._machine.parts.boot.restart)
        self._show()

    async def _unwell(self) -> str | None:
        """Wait until every role is ready and stays so; else why not."""
        clock = self._core.clock
        deadline_ns = clock.now_ns() + round(HEALTH_S * 1e9)
        since_ns: int | None = None
        while clock.now_ns() < deadline_ns:
            missing = self._not_ready()
            since_ns = None if missing else since_ns or clock.now_ns()
            if since_ns is not None and clock.now_ns() - since_ns >= SETTLED_S * 1e9:
                return None
            await clock.sleep(0.25)
        return f"not ready within {HEALTH_S:g} s: {', '.join(self._not_ready()) or 'restless'}"

    def _not_ready(self) -> list[str]:
        bus = self._core.bus
        ready = {state.role for state in bus.states(RoleState) if state.ready and state.joined}
        failed = [
            f"{each.role} {each.service}" for each in bus.states(ServiceState) if each.phase is ServicePhase.FAILED
        ]
        due = [] if self._revoking.applied else ["deletions that are still to be made"]
        return [*sorted(self._places.roles - ready), *sorted(failed), *due]

    # what people see

    def _show(self, cause: str | None = None) -> None:
        """Put the record on the bus, and an outcome that nobody was told of yet."""
        record, bus = self._machine.record, self._core.bus
        # Until the machine has it: between the gate and the record there is no idle moment.
        checking = self._checking and record.stage is Stage.IDLE
        state = state_of(record, self._machine.running, checking=checking, progress=self._progress)
        if not state.same_as(bus.state(UpgradeState)):
            bus.publish(state, cause=cause)
        self._telling.tell()
        phase, detail = phase_of(record, self._machine.running)
        if checking and phase in (Phase.NORMAL, Phase.UPGRADE_FAILED):
            phase, detail = Phase.UPGRADING, "checking"
        before = bus.state(DevicePhase)
        starting = before is None or before.phase is Phase.STARTING
        if starting and phase is Phase.NORMAL:
            return  # the composition root says when the start is over
        if before is None or (before.phase, before.detail) != (phase, detail):
            bus.publish(DevicePhase(phase=phase, detail=detail), cause=cause)

    async def _fade(self) -> None:
        """A failure is shown for a day of running at most."""
        while True:
            await self._core.clock.sleep(SHOWN_TICK_S)
            last = self._machine.record.last
            if last is not None and last.outcome is not Outcome.OK and not last.seen:
                await self._noted(lambda: self._machine.shown(SHOWN_TICK_S, SHOWN_S))

    async def _see_logins(self) -> None:
        """Who logs in as an administrator knows of the outcome."""
        with self._core.bus.subscribe(LoginSeen, retained=False) as seen:
            async for _ in seen:
                if self._machine.record.last is not None and not self._machine.record.last.seen:
                    await self._noted(self._machine.saw)

    async def _noted(self, step: Callable[[], None]) -> None:
        try:
            await self._worker.run(step)
        except OSError as error:
            log.warning("the record could not be written: %s", error)
        self._show()


def _storage_failure(error: OSError) -> StationError:
    """What whoever wanted an installation is told when the medium refused."""
    if error.errno == errno.ENOSPC:
        return Exhausted("bundle", f"the device has no room for it ({reason_of(error)}); its firmware stays")
    return Unavailable("upgrade.install", f"storage fails ({reason_of(error)}); the firmware stays")
