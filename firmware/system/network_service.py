"""Service `network`: applies the parameter group `network`, and takes a change back that makes the device unreachable.

A change is applied a moment after it was made (so that its answer arrives, and several calls are one change), and
tried: when no administrator reaches the device, or confirms, within `confirm_within_s`, parameters and network are as
before. Names alone (DNS, host name) cut nobody off and are not tried. What was kept last stands in `network-kept`:
wishes that differ from it at the start, because the power failed while they were tried, are tried anew, and so are
all that are not the default where nothing says what was kept. What is being tried stands in `network-trial`, so that
the process after this one goes back from that and from nothing that somebody else began.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import ValidationError

from firmware.core.actions import NOTHING, SYSTEM, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Refused, StationError
from firmware.core.store_file import Damaged
from firmware.core.vocabulary.station import ParamsChanged
from firmware.core.vocabulary.system import NetworkJudged, NetworkPhase, NetworkSetup, NetworkVerdict
from firmware.system.network_port import APPLIED, NetworkFault, NetworkPort, Wanted, applied_values, cuts_off, wanted_of
from firmware.system.network_settings import NetworkSettings
from hal.clock import Timer

log = logging.getLogger(__name__)

KEPT = "network-kept"
TRIAL = "network-trial"
# So that answers arrive before addresses change, and what is set by several calls is one change.
SETTLE_S = 1.0
# How often it is looked again for somebody who can apply the settings.
LOOK_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was begun and neither kept nor taken back: the port's name for the state before, and host names set."""

    token: str = ""
    names: frozenset[str] = frozenset()

    def packed(self) -> bytes:
        """As it is saved, so that the process after this one can end it."""
        return json.dumps({"token": self.token, "names": sorted(self.names)}).encode()

    @classmethod
    def unpacked(cls, saved: bytes | None) -> Trial:
        """What was saved; none where nothing is, or nothing that can be read."""
        try:
            values = json.loads(saved or b"{}")
            return cls(token=str(values.get("token", "")), names=frozenset(map(str, values.get("names", ()))))
        except (ValueError, TypeError, AttributeError):
            return NO_TRIAL


NO_TRIAL = Trial()


class NetworkService:
    """Owns the parameter group `network` and the actions `network.confirm` and `network.undo`."""

    name: ClassVar[str] = "network"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, port: NetworkPort) -> None:
        self._core = core
        self.port = port
        self._kept: dict[str, Any] = {}  # the values that the network follows for good
        self._known = self._readable = True  # what was kept, and the storage it lies in
        self._refused: dict[str, Any] | None = None  # values that were taken back, and still stand in the parameters
        self._trial = NO_TRIAL
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
        self._reason, self._refused = "", None
        await self._read_kept()
        await self._read_trial()
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
        await self.port.close()

    # what wakes it

    async def _listen(self, changes: Any) -> None:
        async for notice in changes:
            if notice.event.group == NetworkSettings.group and set(notice.event.names) & set(APPLIED):
                self._refused = None
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
        self._judged(invocation, NetworkVerdict.CONFIRMED)
        self._confirmed = True
        self._wake.set()
        return NOTHING

    async def _undo(self, invocation: Invocation) -> Nothing:
        self._must_try("network.undo")
        self._judged(invocation, NetworkVerdict.UNDONE)
        self._undone = True
        self._wake.set()
        return NOTHING

    def _judged(self, invocation: Invocation, verdict: NetworkVerdict) -> None:
        caller = invocation.caller
        self._core.bus.publish(NetworkJudged(name=caller.name, via=caller.via, verdict=verdict), cause=invocation.cause)

    def _must_try(self, where: str) -> None:
        state = self._core.bus.state(NetworkSetup)
        if state is None or state.phase is not NetworkPhase.TRYING:
            raise Refused(where, "no change of the network is being tried")

    # following

    async def _follow_kept(self) -> None:
        """Bring the network in line with what was kept; asks again until there is somebody who can."""
        while True:
            try:
                self._adapter = await self.port.adapter()
                await self.port.recover(self._trial.token, self._names())
                if not await self._left_alone():
                    await self._follow(self._wanted_of(self._kept))
                await self._end_trial()
            except NetworkFault as fault:
                self._publish(NetworkPhase.UNAVAILABLE, why=_both(self._reason, str(fault)))
                await self._wait(LOOK_S)
                self._cancel_timer()
                continue
            self._publish(NetworkPhase.KEPT)
            return

    async def _left_alone(self) -> bool:
        """Whether the network stays as it is, because what was kept is not known: a change of it is tried, if any."""
        if self._known:
            return False
        if not self._readable:
            return True
        if self._differs() and cuts_off(await self.port.told(), self._wanted()):
            return True
        await self._save_kept(self._values())
        return False

    async def _follow(self, wanted: Wanted) -> None:
        """Make sure of it: nothing is done where the network is set up so already."""
        if not await self.port.follows(wanted):
            self._publish(NetworkPhase.APPLYING)
            await self.port.apply(wanted)
            await self.port.keep(None)

    async def _change(self) -> None:
        """Try what is wished now, until it is kept or taken back."""
        before = self._wanted_of(self._kept)
        values = self._values()
        try:
            while True:
                self._confirmed = self._undone = self._over = False
                self._publish(NetworkPhase.APPLYING)
                await self._core.clock.sleep(SETTLE_S)
                self._wake.clear()
                within_s = self._core.params.get(NetworkSettings).confirm_within_s
                applied, values = self._wanted(), self._values()
                await self._remember(within_s, applied)
                await self.port.apply(applied)
                if within_s != 0 and cuts_off(before, applied) and self._wanted() == applied:
                    self._publish(NetworkPhase.TRYING, within_s)
                    while not (self._confirmed or self._undone or self._over) and self._wanted() == applied:
                        await self._wait(within_s)
                    self._cancel_timer()
                if self._wanted() == applied:
                    break  # or it was changed once more in the meantime, and all of it is tried anew
            if self._undone or (self._over and not self._confirmed):
                why = "as asked" if self._undone else f"nobody reached the device within {within_s} s"
                await self._go_back(before, values, why)
            else:
                await self._keep(values)
        except NetworkFault as fault:
            await self._go_back(before, values, str(fault))

    async def _remember(self, within_s: float, applied: Wanted) -> None:
        """Let the network come back by itself, and the next process know what was begun."""
        token = self._trial.token
        if token:
            await self.port.extend(token, within_s)
        else:
            token = await self.port.begin(within_s)
        self._trial = Trial(token=token, names=self._trial.names | {applied.host_name} - {""})
        try:
            await self._core.store.save(TRIAL, self._trial.packed())
        except StationError as error:  # were control to die now, the network would come back by itself
            log.error("what is tried of the network cannot be remembered: %s", error)

    async def _end_trial(self) -> None:
        """Forget what was begun: it is kept, or taken back."""
        if self._trial == NO_TRIAL:
            return
        self._trial = NO_TRIAL
        try:
            await self._core.store.remove(TRIAL)
        except StationError as error:  # the checkpoint that it names is gone
            log.error("what was tried of the network cannot be forgotten: %s", error)

    async def _keep(self, values: dict[str, Any]) -> None:
        """Stay with the values that were applied."""
        await self.port.keep(self._trial.token)
        self._reason = ""
        await self._save_kept(values)
        await self._end_trial()
        self._publish(NetworkPhase.KEPT)

    async def _save_kept(self, values: dict[str, Any]) -> None:
        self._kept, self._known = values, True
        try:
            await self._core.store.save(KEPT, json.dumps(values).encode())
        except StationError as error:  # the alarm is the storage's own
            log.error("the network is kept, and tried again after the next start: %s", error)

    async def _go_back(self, before: Wanted, refused: dict[str, Any], why: str) -> None:
        """Network and parameters as before; both are tried, whatever becomes of the other."""
        if self._trial.token:
            try:
                await self.port.go_back(self._trial.token, before)
            except NetworkFault as fault:  # the adapter is set up anew
                log.warning("the network did not go back: %s", fault)
        try:
            await self._follow(before)
            trouble = ""
        except NetworkFault as fault:
            trouble = str(fault)
        await self._take_back(refused, why)
        if trouble:
            await self._follow_kept()
            return
        await self._end_trial()
        self._publish(NetworkPhase.KEPT)

    async def _take_back(self, refused: dict[str, Any], why: str) -> None:
        """The parameters as they were kept last, unless somebody wishes something else by now."""
        log.warning("the change of the network was taken back: %s", why)
        self._reason = f"the last change was taken back: {why}"
        if self._values() != refused:
            return
        try:
            await self._core.params.change(NetworkSettings.group, self._kept, SYSTEM)
        except StationError as error:  # the storage fails: the alarm is its own; the start will try it anew
            log.error("the parameters of the network stay as wished: %s", error)
            self._refused = refused
            self._reason += "; the settings could not be taken back"

    # values

    async def _read_kept(self) -> None:
        """What was kept last. Where nothing says so, all that is not the default is a wish that is to be tried."""
        now = self._values()
        self._known, self._readable = True, True
        try:
            saved = await self._core.store.load(KEPT)
            values = {} if saved is None else json.loads(saved)
            self._kept = applied_values(NetworkSettings.model_validate({**now, **values}))
            if saved is not None:
                return
            log.info("nothing says yet which network settings were kept")
        except (Damaged, ValueError, TypeError, ValidationError) as error:
            log.warning("what the network settings were is not known, they are tried: %s", error)
        except StationError as error:  # and the settings are not what they were either
            self._kept, self._known, self._readable = now, False, False
            self._reason = f"the settings cannot be read, and the network stays as it is: {error.message}"
            log.error("%s", self._reason)
            return
        self._kept, self._known = applied_values(NetworkSettings()), False

    async def _read_trial(self) -> None:
        """What a process before this one had begun."""
        try:
            self._trial = Trial.unpacked(await self._core.store.load(TRIAL))
        except (Damaged, StationError) as error:  # it comes back by itself
            log.warning("what was tried of the network is not known: %s", error)
            self._trial = NO_TRIAL

    def _names(self) -> frozenset[str]:
        """The host names that this device may have been given by us."""
        return self._trial.names | ({self._wanted_of(self._kept).host_name} - {""})

    def _values(self) -> dict[str, Any]:
        return applied_values(self._core.params.get(NetworkSettings))

    def _differs(self) -> bool:
        return self._values() not in (self._kept, self._refused)

    def _wanted(self) -> Wanted:
        return wanted_of(self._core.params.get(NetworkSettings))

    def _wanted_of(self, values: dict[str, Any]) -> Wanted:
        return wanted_of(NetworkSettings.model_validate(values))

    def _publish(self, phase: NetworkPhase, within_s: float | None = None, *, why: str | None = None) -> None:
        until = None if within_s is None else self._core.clock.utc() + timedelta(seconds=within_s)
        self._core.bus.publish(
            NetworkSetup(
                phase=phase,
                by=self.port.name,
                adapter=self._adapter,
                reason=self._reason if why is None else why,
                until=until,
            )
        )


def _both(first: str, second: str) -> str:
    return f"{first}; {second}" if first else second
