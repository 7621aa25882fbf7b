"""Service `network`: applies the parameter group `network`, and takes a change back that makes the device unreachable.

A change is applied a moment after it was made (so that its answer arrives, and several calls are one change), and
tried: when no administrator reaches the device, or confirms, within `confirm_within_s`, parameters and network are as
before. Names alone (DNS, host name) cut nobody off and are not tried. What was kept last stands in `network-kept`:
wishes that differ from it at the start, because the power failed while they were tried, are tried anew.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import ValidationError

from firmware.core.actions import NOTHING, SYSTEM, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Refused, StationError
from firmware.core.store_file import Damaged
from firmware.core.vocabulary.station import ParamsChanged
from firmware.core.vocabulary.system import NetworkPhase, NetworkSetup
from firmware.system.network_port import APPLIED, NetworkFault, NetworkPort, Wanted, applied_values, cuts_off, wanted_of
from firmware.system.network_settings import NetworkSettings
from hal.clock import Timer

log = logging.getLogger(__name__)

KEPT = "network-kept"
# So that answers arrive before addresses change, and what is set by several calls is one change.
SETTLE_S = 1.0
# How often it is looked again for somebody who can apply the settings.
LOOK_S = 5.0


class NetworkService:
    """Owns the parameter group `network` and the actions `network.confirm` and `network.undo`."""

    name: ClassVar[str] = "network"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, port: NetworkPort) -> None:
        self._core = core
        self._port = port
        self._kept: dict[str, Any] = {}  # the values that the network follows for good
        self._token: str | None = None  # what the port remembers while a change is tried
        self._adapter = ""
        self._reason = ""
        self._wake = asyncio.Event()
        self._confirmed = self._undone = self._over = False
        self._timer: Timer | None = None

    async def start(self) -> None:
        """Read the settings, and offer the actions."""
        params, actions = self._core.params, self._core.actions
        params.declare(NetworkSettings)
        await params.load(NetworkSettings)
        self._token = None
        self._kept = await self._read_kept()
        actions.register(
            "network.confirm", Nothing, self._confirm, level=Level.ADMIN,
            summary="Stay with the network settings that are being tried.",
        )  # fmt: skip
        actions.register(
            "network.undo", Nothing, self._undo, level=Level.ADMIN,
            summary="Go back to the network settings before those that are being tried.",
        )  # fmt: skip
        self._publish(NetworkPhase.APPLYING)

    async def run(self) -> None:
        """Follow the settings until cancelled."""
        with self._core.bus.subscribe(ParamsChanged) as changes:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(changes), name="network changes")
                await self._follow_kept()
                while True:
                    if self._differs():
                        await self._change()
                    else:
                        await self._wait()

    async def stop(self) -> None:
        """Whatever is being tried comes back by itself."""
        self._cancel_timer()
        await self._port.close()

    # what wakes it

    async def _listen(self, changes: Any) -> None:
        async for notice in changes:
            if notice.event.group == NetworkSettings.group and set(notice.event.names) & set(APPLIED):
                self._wake.set()

    async def _wait(self, within_s: float | None = None) -> None:
        """Wait for a change or a confirmation, or for the end of the time, which runs from the first wait for it."""
        if within_s is not None and self._timer is None:
            self._over = False
            self._timer = self._core.clock.call_later(within_s, self._time_over)
        await self._wake.wait()
        self._wake.clear()

    def _time_over(self) -> None:
        self._over = True
        self._wake.set()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _confirm(self, invocation: Invocation) -> Nothing:
        self._must_try("network.confirm")
        log.info("the network settings were confirmed by %s over %s", invocation.caller.name, invocation.caller.via)
        self._confirmed = True
        self._wake.set()
        return NOTHING

    async def _undo(self, _: Invocation) -> Nothing:
        self._must_try("network.undo")
        self._undone = True
        self._wake.set()
        return NOTHING

    def _must_try(self, where: str) -> None:
        state = self._core.bus.state(NetworkSetup)
        if state is None or state.phase is not NetworkPhase.TRYING:
            raise Refused(where, "no change of the network is being tried")

    # following

    async def _follow_kept(self) -> None:
        """Bring the network in line with what was kept; asks again until there is somebody who can."""
        while True:
            try:
                self._adapter = await self._port.adapter()
                await self._port.recover()
                wanted = self._wanted_of(self._kept)
                if not await self._port.follows(wanted):
                    self._publish(NetworkPhase.APPLYING)
                    await self._port.apply(wanted)
                    await self._port.keep(None)
            except NetworkFault as fault:
                self._reason = str(fault)
                self._publish(NetworkPhase.UNAVAILABLE)
                await self._wait(LOOK_S)
                self._cancel_timer()
                continue
            self._reason = ""
            self._publish(NetworkPhase.KEPT)
            return

    async def _change(self) -> None:
        """Try what is wished now, until it is kept or taken back."""
        before = self._wanted_of(self._kept)
        try:
            while True:
                self._confirmed = self._undone = self._over = False
                self._publish(NetworkPhase.APPLYING)
                await self._core.clock.sleep(SETTLE_S)
                self._wake.clear()
                within_s = self._core.params.get(NetworkSettings).confirm_within_s
                applied = self._wanted()
                await self._remember(within_s)
                await self._port.apply(applied)
                if within_s == 0 or not cuts_off(before, applied):
                    break
                self._publish(NetworkPhase.TRYING, within_s)
                while not (self._confirmed or self._undone or self._over) and self._wanted() == applied:
                    await self._wait(within_s)
                self._cancel_timer()
                if self._wanted() == applied:
                    break  # or it was changed once more while it was tried, and all of it is tried anew
            if self._undone or (self._over and not self._confirmed):
                why = "as asked" if self._undone else f"nobody reached the device within {within_s} s"
                await self._go_back(before, why)
            else:
                await self._keep()
        except NetworkFault as fault:
            await self._go_back(before, str(fault))

    async def _remember(self, within_s: float) -> None:
        if self._token is None:
            self._token = await self._port.begin(within_s)
        else:
            await self._port.extend(self._token, within_s)

    async def _keep(self) -> None:
        values = applied_values(self._core.params.get(NetworkSettings))
        await self._port.keep(self._token)
        self._token, self._kept, self._reason = None, values, ""
        try:
            await self._core.store.save(KEPT, json.dumps(values).encode())
        except StationError as error:  # the alarm is the storage's own
            log.error("the network is kept, and tried again after the next start: %s", error)
        self._publish(NetworkPhase.KEPT)

    async def _go_back(self, before: Wanted, why: str) -> None:
        """Network and parameters as before; both are tried, whatever becomes of the other."""
        token, self._token = self._token, None
        trouble = await self._faultless(self._port.go_back(token, before)) if token is not None else ""
        await self._take_back(f"{why}; {trouble}" if trouble else why)
        self._publish(NetworkPhase.UNAVAILABLE if trouble else NetworkPhase.KEPT)

    async def _faultless(self, work: Awaitable[None]) -> str:
        try:
            await work
        except NetworkFault as fault:
            return str(fault)
        return ""

    async def _take_back(self, why: str) -> None:
        """The parameters as they were kept last."""
        log.warning("the change of the network was taken back: %s", why)
        self._reason = f"the last change was taken back: {why}"
        try:
            await self._core.params.change(NetworkSettings.group, self._kept, SYSTEM)
        except StationError as error:  # the storage fails: the alarm is its own; the start will take it back
            log.error("the parameters of the network stay as wished: %s", error)
        self._wake.clear()

    # values

    async def _read_kept(self) -> dict[str, Any]:
        """What was kept last; the settings as they are where nothing was, or where it cannot be read."""
        now = applied_values(self._core.params.get(NetworkSettings))
        try:
            saved = await self._core.store.load(KEPT)
            if saved is None:
                await self._core.store.save(KEPT, json.dumps(now).encode())
                return now
            values = json.loads(saved)
            return applied_values(NetworkSettings.model_validate({**now, **values}))
        except (Damaged, StationError, ValueError, TypeError, ValidationError) as error:
            log.warning("what the network settings were is not known, they are taken as they are: %s", error)
            return now

    def _differs(self) -> bool:
        return applied_values(self._core.params.get(NetworkSettings)) != self._kept

    def _wanted(self) -> Wanted:
        return wanted_of(self._core.params.get(NetworkSettings))

    def _wanted_of(self, values: dict[str, Any]) -> Wanted:
        return wanted_of(NetworkSettings.model_validate(values))

    def _publish(self, phase: NetworkPhase, within_s: float | None = None) -> None:
        until = None if within_s is None else self._core.clock.utc() + timedelta(seconds=within_s)
        self._core.bus.publish(
            NetworkSetup(phase=phase, by=self._port.name, adapter=self._adapter, reason=self._reason, until=until)
        )
