"""Parameters: checked whole, saved first, announced after; damage never stops the device."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, ClassVar

import pytest
from pydantic import Field, model_validator

from firmware.core.actions import Caller, Level
from firmware.core.bus import Bus
from firmware.core.errors import Forbidden, Invalid, NotFound, Unavailable
from firmware.core.params import MASK, Group, Params, Scope, param
from firmware.core.store import Store
from firmware.core.vocabulary.station import ParamsChanged, StorageProblem
from hal.sim.time import VirtualClock, virtual_run

ADMIN = Caller("ada", Level.ADMIN, "api")
OPERATOR = Caller("otto", Level.OPERATOR, "api")
VIEWER = Caller("vera", Level.VIEWER, "api")


class DoorGroup(Group):
    group: ClassVar[str] = "door"
    hold_s: float = param(7.0, "Release time", ge=0.1, le=3600)
    greeting: str = param("hello", "Text", level=Level.OPERATOR, max_length=20)
    password: str = param("", "Of the mail server", secret=True, scope=Scope.KEEP)
    readers: tuple[Annotated[str, Field(max_length=8)], ...] = param(("front",), "Readers")

    @model_validator(mode="after")
    def _together(self) -> DoorGroup:
        if self.hold_s > 60 and self.greeting == "short":
            raise ValueError("a short greeting does not go with a long hold")
        return self


class HiddenGroup(Group):
    group: ClassVar[str] = "hidden"
    level: ClassVar[Level] = Level.ADMIN
    value: int = param(1, "A value")


class Role:
    """A bus, a store and parameters on it, started once."""

    def __init__(self, root, clock, alarms, disk=None) -> None:
        self.store = Store(root, clock, alarm=alarms, disk=disk)
        self.bus = Bus(clock, role="control", boot="b1")
        self.complaints: list[str] = []
        self.params = Params(self.store, self.bus, lambda file, why: self.complaints.append(f"{file}: {why}"))

    async def start(self, *models: type[Group]) -> None:
        await self.store.start()
        for model in models:
            self.params.declare(model)
            await self.params.load(model)


@pytest.fixture
def play(tmp_path, alarms, disk):
    """Run a body on a fresh role; every call is a restart on the same storage."""

    def run(body, *models: type[Group]) -> Role:
        async def main(clock: VirtualClock) -> Role:
            disk.loop = clock.loop
            role = Role(tmp_path, clock, alarms, disk)
            await role.start(*(models or (DoorGroup, HiddenGroup)))
            try:
                await body(role)
            finally:
                await role.store.close()
            return role

        return virtual_run(main)

    return run


def test_a_change_is_saved_visible_announced_and_there_after_a_restart(play):
    async def change(role: Role) -> None:
        with role.bus.subscribe(ParamsChanged) as seen:
            shown = await role.params.change("door", {"hold_s": 5, "greeting": "hi"}, ADMIN, cause="b1-1")
            assert shown["hold_s"] == 5.0
            event = (await seen.get()).event
            assert (event.group, event.names, event.by, event.cause) == ("door", ("hold_s", "greeting"), "ada", "b1-1")
        assert role.params.get(DoorGroup).hold_s == 5.0

    async def look(role: Role) -> None:
        assert role.params.get(DoorGroup).hold_s == 5.0
        assert role.params.get(DoorGroup).greeting == "hi"
        assert role.params.get(HiddenGroup).value == 1

    play(change)
    assert play(look).complaints == []


def test_all_of_a_change_or_none(play):
    async def body(role: Role) -> None:
        with role.bus.subscribe(ParamsChanged) as seen:
            with pytest.raises(Invalid, match=r"door\.hold_s: .*less than or equal to 3600 \(got 9000\)"):
                await role.params.change("door", {"greeting": "hi", "hold_s": 9000}, ADMIN)
            with pytest.raises(Invalid, match="short greeting"):
                await role.params.change("door", {"greeting": "short", "hold_s": 100}, ADMIN)
            assert seen.pending() == 0
        assert role.params.get(DoorGroup) == DoorGroup()
        assert await role.store.load("params-door") is None

    play(body)


def test_unknown_names_suggest_the_nearest(play):
    async def body(role: Role) -> None:
        with pytest.raises(Invalid, match=r"door\.hold: unknown parameter 'hold'; did you mean 'hold_s'\?"):
            await role.params.change("door", {"hold": 1}, ADMIN)
        with pytest.raises(NotFound, match=r"no group 'dor'; did you mean 'door'\?"):
            await role.params.change("dor", {}, ADMIN)
        with pytest.raises(NotFound):
            role.params.shown("nothing", ADMIN)

    play(body)


def test_levels_guard_reading_of_groups_and_changing_of_parameters(play):
    async def body(role: Role) -> None:
        with pytest.raises(Forbidden, match="needs admin"):
            await role.params.change("door", {"greeting": "hi", "hold_s": 1}, OPERATOR)
        await role.params.change("door", {"greeting": "hi"}, OPERATOR)
        assert role.params.get(DoorGroup).hold_s == 7.0
        assert role.params.shown("door", VIEWER)["greeting"] == "hi"
        with pytest.raises(Forbidden):
            role.params.shown("hidden", OPERATOR)

    play(body)


def test_a_secret_is_masked_and_its_mask_is_not_a_new_secret(play):
    async def body(role: Role) -> None:
        assert role.params.shown("door", ADMIN)["password"] == ""
        assert (await role.params.change("door", {"password": "swordfish"}, ADMIN))["password"] == MASK
        form = role.params.shown("door", ADMIN)
        await role.params.change("door", {**form, "hold_s": 3}, ADMIN)
        assert role.params.get(DoorGroup).password == "swordfish"
        info = next(info for info in role.params.infos("door") if info.name == "password")
        assert (info.secret, info.scope, info.level) == (True, Scope.KEEP, Level.ADMIN)

    play(body)


def test_a_group_is_described_with_the_defaults_of_this_product(play):
    async def body(role: Role) -> None:
        role.params.declare(DoorGroup, DoorGroup(hold_s=4.0, password="factory"))
        infos = {info.name: info for info in role.params.infos("door")}
        assert infos["hold_s"].default == 4.0
        assert infos["password"].default == MASK
        assert infos["readers"].default == ["front"]
        assert infos["greeting"].summary == "Text"
        assert role.params.get(DoorGroup).hold_s == 4.0

    play(body, HiddenGroup)


def test_two_changes_at_once_both_last(play):
    async def body(role: Role) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(role.params.change("door", {"hold_s": 1}, ADMIN))
            group.create_task(role.params.change("door", {"greeting": "hi"}, ADMIN))
        assert (role.params.get(DoorGroup).hold_s, role.params.get(DoorGroup).greeting) == (1.0, "hi")
        saved = await role.store.load("params-door")
        assert json.loads(saved or b"") == role.params.get(DoorGroup).model_dump(mode="json")

    play(body)


def test_what_cannot_be_saved_is_not_so(play, disk):
    async def body(role: Role) -> None:
        disk.room_bytes = 10
        with role.bus.subscribe(ParamsChanged) as seen:
            with pytest.raises(Unavailable, match="storage is full"):
                await role.params.change("door", {"hold_s": 1}, ADMIN)
            assert seen.pending() == 0
        assert role.params.get(DoorGroup).hold_s == 7.0

    play(body)


def test_row_21_a_damaged_group_falls_back_with_an_alarm(play, tmp_path, flip, alarms):
    async def change(role: Role) -> None:
        await role.params.change("door", {"hold_s": 5}, ADMIN)

    async def last_good(role: Role) -> None:
        assert role.params.get(DoorGroup).hold_s == 5.0

    async def default(role: Role) -> None:
        assert role.params.get(DoorGroup) == DoorGroup()

    play(change)
    flip(tmp_path / "params-door", -2)
    play(last_good)
    assert alarms.standing() == {"params-door": StorageProblem.DAMAGED}
    flip(tmp_path / "params-door", -2)
    flip(tmp_path / "params-door.good", -2)
    role = play(default)
    assert len(role.complaints) == 1
    assert "defaults are used" in role.complaints[0]


def test_row_19_values_that_could_not_be_read_at_start_are_not_overwritten_by_a_change(play):
    async def body(role: Role) -> None:
        await role.params.change("door", {"hold_s": 5, "greeting": "hi"}, ADMIN)
        reads = role.store.load

        async def failing(name: str) -> bytes | None:
            raise Unavailable(name, "cannot be read (Input/output error)")

        role.store.load = failing  # type: ignore[method-assign]
        role.params.declare(DoorGroup)
        await role.params.load(DoorGroup)
        with pytest.raises(Unavailable, match="cannot be read now; nothing was changed"):
            await role.params.change("door", {"greeting": "ho"}, ADMIN)
        role.store.load = reads  # type: ignore[method-assign]
        await role.params.change("door", {"greeting": "ho"}, ADMIN)
        saved = json.loads(await role.store.load("params-door") or b"")
        assert (saved["hold_s"], saved["greeting"]) == (5.0, "ho")

    play(body)


def test_an_outdated_value_takes_no_other_with_it(play):
    async def write(role: Role) -> None:
        saved = {"hold_s": 99999, "greeting": "hi", "renamed_since": 1, "readers": ["back"]}
        await role.store.save("params-door", json.dumps(saved).encode())
        await role.store.save("params-hidden", b"[1]")

    async def look(role: Role) -> None:
        assert role.params.get(DoorGroup) == DoorGroup(greeting="hi", readers=("back",))
        assert role.params.get(HiddenGroup).value == 1

    play(write)
    role = play(look)
    assert [line.split(": ")[0] for line in role.complaints] == ["params-door", "params-hidden"]
    assert "not a table" in role.complaints[1]


def test_values_that_do_not_go_together_fall_back_to_the_defaults(play):
    async def write(role: Role) -> None:
        await role.store.save("params-door", json.dumps({"hold_s": 100, "greeting": "short"}).encode())

    async def look(role: Role) -> None:
        assert role.params.get(DoorGroup) == DoorGroup()

    play(write)
    assert "short greeting" in play(look).complaints[0]


def test_a_secret_is_never_in_a_complaint(play):
    async def write(role: Role) -> None:
        await role.store.save("params-door", json.dumps({"password": ["swordfish"]}).encode())

    async def look(role: Role) -> None:
        assert role.params.get(DoorGroup).password == ""

    play(write)
    assert "swordfish" not in str(play(look).complaints)


def test_a_group_is_declared_once_but_a_service_may_start_again(play):
    class Other(Group):
        group: ClassVar[str] = "door"

    async def body(role: Role) -> None:
        await role.params.change("door", {"hold_s": 2}, ADMIN)
        role.params.declare(DoorGroup)
        assert role.params.get(DoorGroup).hold_s == 2.0
        with pytest.raises(ValueError, match="declared twice"):
            role.params.declare(Other)

    play(body)
