"""Service `cloud`: keeps the connection to the dispatcher while it is wanted, and tells how it stands.

Wanted always, never, or for a day after a press of the control button (`network.cloud`, owned by control; manuals
000, 001 and 003, One-click cloud connection). Owns `cloud.connect`, `cloud.disconnect`, the group `cloud` and the state
`cloud/connection`. The day is counted by this process: when it is started again the button is pressed again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from firmware.core.actions import NOTHING, Caller, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Refused, StationError
from firmware.core.vocabulary.cloud import CloudAsked, CloudConnection, CloudPhase
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.cloud.patience import GOOD_S, Patience
from firmware.interfaces.cloud.settings import CloudSettings
from firmware.interfaces.outgoing.tls import Installed
from hal.clock import Timer

if TYPE_CHECKING:
    from starlette.types import ASGIApp

log = logging.getLogger("lintel.cloud")

# "You need to register the device within 24 hours after you press the control button" (manual 000).
WINDOW_S = 24 * 3600.0
# The group of control that says when the connection is wanted, and its words.
MODES, MODE = "network", "cloud"
ONE_CLICK, ALWAYS, NO = "one_click", "always", "no"
SELF = Caller("cloud", Level.SYSTEM, "cloud")
NOBODY = "no dispatcher is set (cloud.url)"


@dataclass(frozen=True, slots=True)
class _Window:
    """One press: until when the connection is wanted, and the fact that asked for it."""

    until: datetime
    cause: str | None
    timer: Timer


class CloudService:
    """The way out to the owner's dispatcher; restartable, and nobody in this device waits for it."""

    name: ClassVar[str] = "cloud"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, core: Core, app: Callable[[], ASGIApp | None], installed: Installed, chance: Random | None = None
    ) -> None:
        """`app` is the device's own API while it runs; `chance` decides the jitter of waits.

        `installed` makes the context of a client that trusts all authorities of this device.
        """
        self._core = core
        self._installed = installed
        self._app = app
        self._patience = Patience(Random() if chance is None else chance)
        self._mode = NO
        self._window: _Window | None = None
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Load the settings and take orders."""
        self._core.params.declare(CloudSettings)
        await self._core.params.load(CloudSettings)
        self._core.actions.register(
            "cloud.connect",
            Nothing,
            self._connect,
            summary="Connect to the dispatcher: for a day, unless it registers the device meanwhile.",
            level=Level.ADMIN,
            answer=CloudAsked,
        )
        self._core.actions.register(
            "cloud.disconnect",
            Nothing,
            self._disconnect,
            summary="End the connection to the dispatcher that cloud.connect asked for.",
            level=Level.ADMIN,
        )
        self._tell(CloudPhase.OFF, "starting")

    async def run(self) -> None:
        """Follow the settings and keep the connection, until cancelled."""
        with self._core.bus.subscribe(ParamsChanged, retained=False) as changes:
            await self._read_mode()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep(), name="cloud connection")
                async for notice in changes:
                    event = notice.event
                    if isinstance(event, ParamsChanged) and event.group == MODES and MODE in event.names:
                        await self._read_mode()
                    elif isinstance(event, ParamsChanged) and event.group == CloudSettings.group:
                        self._begin_anew()

    async def stop(self) -> None:
        """Take back what was said; the connection ended with `run`."""
        self._close_window()
        self._core.bus.forget(CloudConnection)

    # what is wanted

    async def _read_mode(self) -> None:
        """Ask control when the connection is wanted; when it cannot say, what it said last goes on."""
        before = self._wanted()
        try:
            self._mode = str((await self._core.link.read(MODES, SELF)).get(MODE, NO))
        except StationError as error:
            log.error("control does not say whether the cloud is wanted: %s", error)
        if self._mode != ONE_CLICK:
            self._close_window()
        if self._wanted() is not before:
            self._begin_anew()
        else:
            state = self._core.bus.state(CloudConnection)
            if state is not None:
                self._tell(state.phase, self._why_off() if state.phase is CloudPhase.OFF else state.reason)

    def _wanted(self) -> bool:
        if not self._core.params.get(CloudSettings).url:
            return False
        return self._mode == ALWAYS or (self._mode == ONE_CLICK and self._window is not None)

    def _why_off(self) -> str:
        if not self._core.params.get(CloudSettings).url:
            return NOBODY
        if self._mode == NO:
            return "not allowed (network.cloud is no)"
        return "press the control button to connect"

    def _begin_anew(self) -> None:
        self._patience.forget()
        self._changed.set()

    def _close_window(self) -> None:
        if self._window is not None:
            self._window.timer.cancel()
            self._window = None

    def _over(self) -> None:
        """Nobody has registered the device within its day."""
        log.warning("the cloud connection ends: the device was not registered within %g h", WINDOW_S / 3600)
        self._window = None
        self._changed.set()

    async def _connect(self, invocation: Invocation) -> CloudAsked:
        if not self._core.params.get(CloudSettings).url:
            raise Refused("cloud.connect", NOBODY)
        if self._mode == NO:
            raise Refused("cloud.connect", self._why_off())
        if self._mode == ONE_CLICK:
            self._close_window()
            clock = self._core.clock
            until = clock.utc() + timedelta(seconds=WINDOW_S)
            self._window = _Window(until, invocation.cause, clock.call_later(WINDOW_S, self._over))
        state = self._core.bus.state(CloudConnection)
        if state is not None and state.phase is CloudPhase.CONNECTED:
            self._tell(state.phase, state.reason)
        else:
            self._tell(CloudPhase.CONNECTING, "calling the dispatcher", cause=invocation.cause)
            self._begin_anew()
        return CloudAsked(until=None if self._window is None else self._window.until)

    async def _disconnect(self, invocation: Invocation) -> Nothing:
        if self._mode == ALWAYS:
            raise Refused("cloud.disconnect", "the connection is wanted always: set network.cloud to one_click or no")
        self._close_window()
        self._changed.set()
        return NOTHING

    async def _registered(self) -> None:
        """The dispatcher says that its owner has registered this device: from now on it stays connected."""
        if self._mode != ONE_CLICK:
            return
        cause = None if self._window is None else self._window.cause
        try:
            await self._core.link.change(MODES, {MODE: ALWAYS}, SELF, cause=cause)
        except StationError as error:
            log.error("the registration could not be kept: %s", error)

    # the connection

    async def _keep(self) -> None:
        while True:
            self._changed.clear()
            if self._wanted():
                await self._until_changed(self._attempt())
            else:
                self._tell(CloudPhase.OFF, self._why_off())
                await self._changed.wait()

    async def _until_changed(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end, or until something else is wanted. Raises what it raises."""
        async with asyncio.TaskGroup() as group:
            running = group.create_task(work, name="cloud attempt")
            changed = group.create_task(self._changed.wait(), name="cloud changed")
            await asyncio.wait((running, changed), return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            changed.cancel()

    async def _attempt(self) -> None:
        """One connection from its first step to its end, and the wait after it."""
        began_ns = self._core.clock.now_ns()
        state = self._core.bus.state(CloudConnection)
        if state is None or state.phase not in (CloudPhase.CONNECTING, CloudPhase.FAILED):
            self._tell(CloudPhase.CONNECTING, "calling the dispatcher")
        why = await self._connection()
        if (self._core.clock.now_ns() - began_ns) / 1e9 >= GOOD_S:
            self._patience.forget()
        self._tell(CloudPhase.FAILED, why)
        await self._core.clock.sleep(self._patience.next_s())

    async def _connection(self) -> str:
        """Call the dispatcher and serve it; returns why that ended."""
        # Here and not above: a device without a cloud never pays for it.
        from firmware.interfaces.cloud.contract import Hello
        from firmware.interfaces.cloud.dial import NoWay, dial
        from firmware.interfaces.cloud.relay import Relay
        from firmware.interfaces.cloud.socket import Broken

        info = self._core.bus.state(DeviceInfo)
        if info is None:
            return "control does not say which device this is"
        settings = self._core.params.get(CloudSettings)
        try:
            link = await dial(settings, info.serial, self._installed)
        except NoWay as error:
            return str(error)
        self._tell(CloudPhase.CONNECTED, f"{settings.host}:{settings.port}")
        hello = Hello(protocol=1, serial=info.serial, model=info.model, version=info.version)
        try:
            return await Relay(link, self._app, self._core.clock, self._registered).run(hello)
        except Broken as error:
            return str(error)
        finally:
            link.hang_up()

    def _tell(self, phase: CloudPhase, reason: str, cause: str | None = None) -> None:
        bus, window = self._core.bus, self._window
        before = bus.state(CloudConnection)
        since = before.since if before is not None and before.phase is phase else self._core.clock.utc()
        if cause is None and window is not None:
            cause = window.cause
        until = None if window is None else window.until
        bus.publish(CloudConnection(phase=phase, reason=reason, since=since, until=until), cause=cause)
