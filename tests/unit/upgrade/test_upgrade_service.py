"""Service `upgrade` in virtual time, over the real machine, files and boot control of a device in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from secrets import token_hex

import pytest

from firmware.core.actions import NOTHING, SYSTEM, ActionTable, Caller, Invocation, Level, Nothing
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Busy, Exhausted, NotFound, Refused, StationError, Unavailable
from firmware.core.events import Event
from firmware.core.journal import Journal
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.access import EntriesChanged
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase, Phase
from firmware.core.vocabulary.entries import EntryRef
from firmware.core.vocabulary.security import LoginSeen
from firmware.core.vocabulary.station import JournalPage, JournalQuery, RoleState, ServicePhase, ServiceState
from firmware.core.vocabulary.upgrade import (
    ConfirmParams,
    InstallMode,
    InstallParams,
    UpgradeEnded,
    UpgradeNote,
    UpgradeRefused,
    UpgradeState,
)
from firmware.upgrade.engine_file import SPARE_BYTES, FileEngine
from firmware.upgrade.machine import NoTrial
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Mode, Outcome, Stage
from firmware.upgrade.service import HEALTH_S, Places, UpgradeService
from firmware.upgrade.waking import wake
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.upgrade.model.real_device import RealDevice
from tests.unit.upgrade.model.world import Quality, approved, payload

ROLES = frozenset({"control", "network"})
ADMIN = Caller("root", Level.ADMIN, "api")
INFO = DeviceInfo(
    product="Network door station", model="LINTEL-DS1", board="door_station", version="1.0.0", slot="A",
    serial="02AABBCCDDEE", chip_id="0123", simulated=True, capabilities=(),
)  # fmt: skip


class Station:
    """Control with the upgrade service on a device; the roles' readiness is the test's to tell."""

    def __init__(self, device: RealDevice, clock: VirtualClock) -> None:
        self.device = device
        self.clock = clock
        self.facts: list[Event] = []
        self.removed: list[str] = []
        self.bus = Bus(clock, role="control", boot=token_hex(4))
        self.bus.tap(lambda notice: self.facts.append(notice.event))
        self.service: UpgradeService

    @asynccontextmanager
    async def boots(self) -> AsyncIterator[Station]:
        """One start of the firmware that the loader chooses, to its end."""
        self.device.loads()
        self.device.asked = False
        nature = self.device.nature(self.device.boot.running())
        assert nature is not None
        start = wake(self.device.parts, nature[0])
        store = Store(self.device.root / "shared" / "control", self.clock, alarm=lambda *what: None)
        await store.start()
        actions = ActionTable()
        actions.register("entries.remove", EntryRef, self._remove, summary="Remove.", level=Level.ADMIN)
        params = Params(store, self.bus, lambda file, why: None)
        core = Core(
            role="control", clock=self.clock, bus=self.bus, actions=actions, link=LocalLink(actions, params),
            params=params, store=store, shared=store,
        )  # fmt: skip
        places = Places(
            spool=self.device.root / "spool",
            keyring=self.device.root / "keyring",
            certificate=self.device.root / "certificate" / "own.der",
            revocations=self.device.root / "shared" / "revocations",
            roles=ROLES,
        )
        journal = Journal(self.bus, store, self.clock, actions=actions)
        await journal.start()
        self.service = UpgradeService(core, start, places)
        self.bus.publish(INFO)
        self.bus.publish(DevicePhase(phase=Phase.STARTING))
        await self.service.start()
        tasks = [asyncio.ensure_future(service.run()) for service in (self.service, journal)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.service.stop()
            await journal.stop()
            await store.close()

    async def _remove(self, invocation: Invocation) -> Nothing:
        assert isinstance(invocation.params, EntryRef)
        if invocation.params.id == "gone":
            raise NotFound("entries.remove.id", "no entry 'gone'")
        self.removed.append(invocation.params.id)
        return NOTHING

    async def ask(self, action: str, params: object = NOTHING) -> object:
        caller = SYSTEM if action == "deletions.kept" else ADMIN
        return await self.service._core.actions.invoke(Invocation(action=action, params=params, caller=caller))

    def ready(self, *roles: str) -> None:
        for role in roles or ROLES:
            self.bus.publish(RoleState(role=role, joined=True, pid=1, ready=True))

    @property
    def state(self) -> UpgradeState:
        found = self.bus.state(UpgradeState)
        assert found is not None
        return found

    @property
    def phase(self) -> Phase:
        found = self.bus.state(DevicePhase)
        assert found is not None
        return found.phase

    async def journal(self) -> list[str]:
        """The outcomes in the journal, by upgrade, of this and former starts."""
        page = await self.ask("journal.read", JournalQuery(limit=1000))
        assert isinstance(page, JournalPage)
        return [line.fields["upgrade"] for line in page.lines if line.topic == UpgradeEnded.topic]

    def outcomes(self) -> list[str]:
        return [fact.outcome for fact in self.facts if isinstance(fact, UpgradeEnded)]


Main = Callable[[Station], Awaitable[None]]
Play = Callable[..., None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Each coroutine is one start of the same device; `mode` says what was staged before the first of them."""

    def run(*mains: Main, mode: Mode | None = None, window_s: int = 60) -> None:
        device = RealDevice(tmp_path / "root", tmp_path / "runtime")
        (tmp_path / "root").mkdir()
        device.furnish()
        if mode is not None:
            machine = device.start().machine
            machine.install(approved("2.0.0", Quality.GOOD), mode, window_s=window_s)
            machine.arm()

        async def session(clock: VirtualClock) -> None:
            for main in mains:
                async with Station(device, clock).boots() as station:
                    await main(station)

        virtual_run(session)

    return run


def test_a_trial_is_committed_when_every_role_is_ready_and_stays_so(play: Play) -> None:
    async def trial(station: Station) -> None:
        assert (station.state.stage, station.phase) == ("trial", Phase.UPGRADING)
        station.ready("control")
        await station.clock.sleep(10)
        assert station.device.boot.default() is Slot.A, "the network role is not there yet"
        station.ready("network")
        await station.clock.sleep(10)
        assert station.device.boot.default() is Slot.B
        assert (station.state.stage, station.outcomes()) == ("idle", ["ok"])
        assert station.phase is Phase.NORMAL

    play(trial, mode=Mode.STANDARD)


@pytest.mark.parametrize("trouble", ["a role is missing", "a service fails"])
def test_a_trial_that_is_not_well_in_time_is_undone_and_the_light_says_so(play: Play, trouble: str) -> None:
    async def trial(station: Station) -> None:
        station.ready("control")
        if trouble == "a service fails":
            station.ready("network")
            station.bus.publish(ServiceState(service="doors", role="control", phase=ServicePhase.FAILED))
        await station.clock.sleep(HEALTH_S + 2)
        assert station.device.asked
        assert station.device.boot.default() is Slot.A

    async def old(station: Station) -> None:
        assert station.device.boot.running() is Slot.A
        assert (station.phase, station.outcomes()) == (Phase.UPGRADE_FAILED, ["reverted"])
        assert ("network" if trouble == "a role is missing" else "doors") in (station.state.last.why)  # type: ignore[union-attr]
        await station.clock.sleep(1)
        station.bus.publish(LoginSeen(name="root"))
        await station.clock.sleep(1)
        assert station.phase is Phase.NORMAL

    async def later(station: Station) -> None:
        assert (station.phase, station.outcomes()) == (Phase.STARTING, []), "it is told once, and was seen"

    play(trial, old, later, mode=Mode.STANDARD)


@pytest.mark.parametrize("ends_after_s", [0.0, 0.06, 2.0, 6.0])
def test_row_17_an_outcome_stands_in_the_journal_once_however_often_the_device_starts(
    play: Play, ends_after_s: float
) -> None:
    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(35)

    async def brief(station: Station) -> None:
        await station.clock.sleep(ends_after_s)

    async def at_last(station: Station) -> None:
        await station.clock.sleep(10)
        assert await station.journal() == ["u1"]
        last = station.service._machine.record.last
        assert last is not None
        assert (last.outcome, last.told) == (Outcome.REVERTED, True)

    play(trial, brief, brief, at_last, at_last, mode=Mode.AUTOROLLBACK, window_s=30)


def test_row_17_an_outcome_that_the_power_kept_from_the_journal_is_told_by_the_next_start(play: Play) -> None:
    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(35)
        station.device.loads()
        wake(station.device.parts, "1.0.0")  # and the power goes before any service runs

    async def old(station: Station) -> None:
        assert station.outcomes() == ["reverted"]
        await station.clock.sleep(10)
        assert await station.journal() == ["u1"]

    play(trial, old, mode=Mode.AUTOROLLBACK, window_s=30)


def test_a_failure_is_shown_for_a_day_at_most(play: Play) -> None:
    async def trial(station: Station) -> None:
        await station.clock.sleep(HEALTH_S + 2)

    async def half(station: Station) -> None:
        await station.clock.sleep(12 * 3600 + 60)
        assert station.phase is Phase.UPGRADE_FAILED

    async def rest(station: Station) -> None:
        assert station.phase is Phase.UPGRADE_FAILED
        await station.clock.sleep(12 * 3600 + 60)
        assert station.phase is Phase.NORMAL

    play(trial, half, rest, mode=Mode.STANDARD)


def test_automatic_rollback_counts_down_and_goes_back_unless_it_is_confirmed(play: Play) -> None:
    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(35)
        left = station.state.confirm_left_s
        assert left is not None
        assert left <= 30
        with pytest.raises(Busy):
            await station.ask("upgrade.rollback")
        with pytest.raises(Busy, match="on trial"):
            await station.ask("upgrade.confirm", ConfirmParams(id="another"))
        await station.clock.sleep(40)
        assert station.device.asked

    async def old(station: Station) -> None:
        assert station.device.boot.running() is Slot.A
        with pytest.raises(Busy) as refused:
            await station.ask("upgrade.confirm", ConfirmParams())
        assert refused.value.code == "no_trial"

    play(trial, old, mode=Mode.AUTOROLLBACK)


def test_a_confirmed_trial_stays_and_can_be_rolled_back_by_hand(play: Play) -> None:
    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(8)
        await station.ask("upgrade.confirm", ConfirmParams())
        assert station.device.boot.default() is Slot.B
        await station.ask("upgrade.rollback")
        await station.clock.sleep(2)
        assert station.device.asked

    async def back(station: Station) -> None:
        assert station.device.boot.running() is Slot.A
        station.ready()
        await station.clock.sleep(8)
        assert station.device.boot.default() is Slot.A
        assert station.service._machine.record.stage is Stage.IDLE

    play(trial, back, mode=Mode.AUTOROLLBACK)


@pytest.mark.parametrize(("action", "params"), [("upgrade.confirm", ConfirmParams()), ("upgrade.rollback", NOTHING)])
def test_a_medium_that_fails_is_said_in_one_clear_error(play: Play, action: str, params: object) -> None:
    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(8)
        if action == "upgrade.rollback":
            await station.ask("upgrade.confirm", ConfirmParams())
            # The record cannot be written: this is no file any more.
            for path in (station.device.root / "boot").glob("record.*"):
                path.unlink()
        else:
            station.device.places.autoboot.unlink()
        with pytest.raises(Unavailable, match="storage fails"):
            await station.ask(action, params)
        assert station.state.stage in ("trial", "idle")

    play(trial, mode=Mode.AUTOROLLBACK)


def test_who_was_deleted_in_the_new_firmware_does_not_come_back_with_the_old_one(play: Play) -> None:
    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(8)
        for entry, change in (("kept", "added"), ("e7", "removed"), ("gone", "removed")):
            station.bus.publish(EntriesChanged(entry=entry, change=change))
        await station.clock.sleep(60)

    async def old(station: Station) -> None:
        assert station.device.boot.running() is Slot.A
        await station.clock.sleep(1)
        assert station.removed == ["e7"]
        assert station.service._machine.revocations_due() is None

    play(trial, old, mode=Mode.AUTOROLLBACK)


def test_row_17_a_deletion_is_answered_when_it_is_kept_and_a_medium_that_refuses_is_said(play: Play) -> None:
    async def idle(station: Station) -> None:
        path = station.device.root / "shared" / "revocations"
        await station.ask("deletions.kept")
        station.bus.publish(EntriesChanged(entry="e7", change="removed"))
        await station.ask("deletions.kept")
        assert b"e7" in path.read_bytes()
        path.rename(path.with_name("away"))
        path.mkdir()
        station.bus.publish(EntriesChanged(entry="e8", change="removed"))
        with pytest.raises(Unavailable, match="a rollback could bring it back"):
            await station.ask("deletions.kept")
        path.rmdir()
        path.with_name("away").rename(path)
        await station.ask("deletions.kept")
        assert b"e8" in path.read_bytes()

    play(idle)


def test_deletions_that_cannot_be_read_end_a_staged_upgrade_and_refuse_the_next_with_their_code(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware.upgrade.gate.approve", lambda bundle, context: approved("3.0.0", Quality.GOOD))

    async def idle(station: Station) -> None:
        spool, journal = station.device.root / "spool", station.device.root / "shared" / "revocations"
        spool.mkdir()
        (spool / ("a" * 32)).write_bytes(b"bundle")
        await station.ask("upgrade.install", InstallParams(spool="a" * 32))
        journal.mkdir()  # and now nobody can read it
        await station.clock.sleep(2)
        assert (station.state.stage, station.outcomes(), station.device.asked) == ("idle", ["reverted"], False)
        assert station.state.slots[1].state == "invalid"
        for ask in (("upgrade.install", InstallParams(spool="a" * 32)), ("upgrade.rollback", NOTHING)):
            with pytest.raises(Unavailable, match="a factory default makes a new one") as refused:
                await station.ask(*ask)
            assert refused.value.code == "revocations_unreadable"
        assert station.outcomes() == ["reverted"], "what was refused has changed nothing"
        await station.ask("upgrade.install", InstallParams(spool="a" * 32, mode=InstallMode.FACTORY_DEFAULT))

    play(idle)


def test_a_revocation_journal_that_has_grown_too_long_costs_the_way_back_and_nothing_else(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware.upgrade.revoking.LARGEST", 400)

    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(8)
        journal = station.device.root / "shared" / "revocations"
        for number in range(40):
            station.bus.publish(EntriesChanged(entry=f"entry{number:05}", change="removed"))
            await station.clock.sleep(0.1)
            assert journal.stat().st_size <= 450
        assert [fact.text for fact in station.facts if isinstance(fact, UpgradeNote)] == [
            "so much was deleted since the upgrade that the way back was closed"
        ]
        assert station.state.rollback_ok is False
        with pytest.raises(Refused, match="a great many deletions"):
            await station.ask("upgrade.rollback")

    play(trial, mode=Mode.STANDARD)


def test_row_28_a_bundle_that_is_none_is_refused_with_its_code_and_changes_nothing(play: Play) -> None:
    async def idle(station: Station) -> None:
        spool = station.device.root / "spool"
        spool.mkdir()
        (spool / ("a" * 32)).write_bytes(b"no bundle at all" * 100)
        record = station.service._machine.record
        with pytest.raises(NotFound):
            await station.ask("upgrade.install", InstallParams(spool="b" * 32))
        with pytest.raises(Refused) as refused:
            await station.ask("upgrade.install", InstallParams(spool="a" * 32))
        told = [fact.code for fact in station.facts if isinstance(fact, UpgradeRefused)]
        assert told == ["not_found", refused.value.code]
        assert station.service._machine.record == record
        assert (station.state.stage, station.phase) == ("idle", Phase.NORMAL)

    play(idle)


def test_row_28_two_installs_at_once_and_a_link_in_the_spool_are_refused(play: Play) -> None:
    async def idle(station: Station) -> None:
        spool = station.device.root / "spool"
        spool.mkdir()
        (spool / ("a" * 32)).write_bytes(b"no bundle at all" * 100)
        (spool / ("b" * 32)).symlink_to(spool / ("a" * 32))
        with pytest.raises(NotFound):
            await station.ask("upgrade.install", InstallParams(spool="b" * 32))
        wishes = (station.ask("upgrade.install", InstallParams(spool="a" * 32)) for _ in range(2))
        ends = await asyncio.gather(*wishes, return_exceptions=True)
        assert sorted(end.code for end in ends if isinstance(end, StationError)) == [
            "busy",
            "no-keyring",
        ]

    play(idle)


def test_from_the_gate_to_the_restart_the_device_is_seen_neither_idle_nor_on_trial(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware.upgrade.gate.approve", lambda bundle, context: approved("3.0.0", Quality.GOOD))

    async def idle(station: Station) -> None:
        spool = station.device.root / "spool"
        spool.mkdir()
        (spool / ("a" * 32)).write_bytes(b"bundle")
        begun = len(station.facts)
        await station.ask("upgrade.install", InstallParams(spool="a" * 32))
        await station.clock.sleep(2)
        shown = [fact.stage.value for fact in station.facts[begun:] if isinstance(fact, UpgradeState)]
        assert [stage for stage, _ in groupby(shown)] == ["checking", "installing", "staged"]
        with pytest.raises(NoTrial):
            await station.ask("upgrade.confirm", ConfirmParams())
        phases = [(fact.phase, fact.detail) for fact in station.facts[begun:] if isinstance(fact, DevicePhase)]
        assert phases == [(Phase.UPGRADING, detail) for detail in ("checking", "installing 3.0.0", "staged 3.0.0")]

    play(idle)


def test_row_18_row_28_a_bundle_without_room_is_refused_with_its_code_and_the_way_back_stays(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The gate lets every bundle through here: this is about what comes after it.
    monkeypatch.setattr("firmware.upgrade.gate.approve", lambda bundle, context: approved("3.0.0", Quality.GOOD))

    async def trial(station: Station) -> None:
        station.ready()
        await station.clock.sleep(8)
        device, machine = station.device, station.service._machine
        while not (machine.record.last and machine.record.last.told):
            await station.clock.sleep(1)
        spool = device.root / "spool"
        spool.mkdir()
        (spool / ("a" * 32)).write_bytes(b"bundle")
        before = {path: path.read_bytes() for path in sorted((device.root / "boot").rglob("*")) if path.is_file()}
        record = machine.record
        full = FileEngine(FileMedium(device.root), payload, free_bytes=lambda: SPARE_BYTES)
        machine.parts = replace(machine.parts, engine=full)
        with pytest.raises(Exhausted):
            await station.ask("upgrade.install", InstallParams(spool="a" * 32))
        after = {path: path.read_bytes() for path in sorted((device.root / "boot").rglob("*")) if path.is_file()}
        assert (machine.record, after) == (record, before)
        assert [fact.code for fact in station.facts if isinstance(fact, UpgradeRefused)] == ["exhausted"]
        assert (station.state.stage, station.phase) == ("idle", Phase.NORMAL)
        await station.ask("upgrade.rollback")

    play(trial, mode=Mode.STANDARD)


def test_a_reset_from_the_api_is_done_by_the_next_start(play: Play) -> None:
    async def asks(station: Station) -> None:
        await station.ask("device.restore")
        assert station.phase is Phase.RESTORING
        with pytest.raises(Busy):
            await station.ask("device.factory_default")
        await station.clock.sleep(2)
        assert station.device.asked

    async def after(station: Station) -> None:
        assert station.outcomes() == ["ok"]
        assert station.service._machine.record.last.outcome is Outcome.OK  # type: ignore[union-attr]
        assert not (station.device.root / "settings" / "A" / "control" / "list").exists()

    play(asks, after)
