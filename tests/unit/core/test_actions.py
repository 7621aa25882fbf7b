"""The action table and the link of a single role."""

from __future__ import annotations

import asyncio

import pytest

from firmware.core.actions import NOTHING, SYSTEM, ActionTable, Caller, Invocation, Level, Nothing
from firmware.core.bus import Bus
from firmware.core.errors import Forbidden, Invalid, NotFound
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.vocabulary.access import LockParams, ReleaseParams
from firmware.core.vocabulary.security import SetupCode
from hal.clock import SystemClock

VIEWER = Caller("vera", Level.VIEWER, "api")
OPERATOR = Caller("otto", Level.OPERATOR, "api")


class Doors:
    """An owner that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Invocation] = []

    async def release(self, invocation: Invocation) -> None:
        self.told.append(invocation)

    async def lock(self, invocation: Invocation) -> None:
        self.told.append(invocation)

    async def code(self, invocation: Invocation) -> SetupCode:
        return SetupCode(code="1234")


def table(doors: Doors) -> ActionTable:
    actions = ActionTable()
    actions.register("door.release", ReleaseParams, doors.release, summary="Release a door")
    actions.register("door.lock", LockParams, doors.lock, summary="Lock a door", level=Level.ADMIN)
    actions.register(
        "setup.code", Nothing, doors.code, summary="The code", answer=SetupCode, level=Level.SYSTEM, private=True
    )
    return actions


def link(doors: Doors) -> LocalLink:
    class NoKeeper:
        async def load(self, name: str) -> bytes | None:
            return None

        async def save(self, name: str, data: bytes) -> None:
            raise AssertionError

    return LocalLink(table(doors), Params(NoKeeper(), Bus(SystemClock(), role="r", boot="b"), print))


def test_a_command_reaches_its_owner_with_caller_and_cause():
    doors = Doors()
    asyncio.run(link(doors).command("door.release", {"door": "door", "hold_s": 7}, OPERATOR, cause="b-1"))
    assert doors.told == [
        Invocation(action="door.release", params=ReleaseParams(door="door", hold_s=7.0), caller=OPERATOR, cause="b-1")
    ]


def test_an_action_below_its_level_is_refused_before_its_parameters_are_read():
    doors = Doors()
    with pytest.raises(Forbidden, match=r"door\.lock: needs admin, 'otto' is not"):
        asyncio.run(link(doors).command("door.lock", {"rubbish": 1}, OPERATOR))
    with pytest.raises(Forbidden):
        asyncio.run(
            table(doors).invoke(Invocation(action="door.release", params=ReleaseParams(door="d"), caller=VIEWER))
        )
    assert doors.told == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"dor": "door"}, r"door\.release\.dor: unknown name 'dor'; did you mean 'door'\?"),
        ({"door": "door", "hold_s": -1}, r"door\.release\.hold_s: .*greater than 0 \(got -1\)"),
        ({"door": "door", "hold_s": float("nan")}, r"door\.release\.hold_s: .*got nan"),
        ({}, r"door\.release\.door: is missing"),
        ([], r"door\.release: .*got \[\]"),
        (None, r"door\.release: .*got None"),
    ],
)
def test_wrong_parameters_get_one_line_with_place_and_nearest_name(data, words):
    doors = Doors()
    with pytest.raises(Invalid, match=words) as caught:
        asyncio.run(link(doors).command("door.release", data, OPERATOR))
    assert "\n" not in str(caught.value)
    assert doors.told == []


def test_an_unknown_action_gets_the_nearest_one_but_never_a_private_one():
    doors = Doors()
    with pytest.raises(NotFound, match=r"did you mean 'door\.release'"):
        table(doors).find("door.relese")
    with pytest.raises(NotFound) as caught:
        table(doors).find("setup.cod")
    assert "setup.code" not in str(caught.value)


def test_a_private_action_is_for_code_only():
    doors = Doors()
    local = link(doors)
    assert asyncio.run(local.invoke(Invocation(action="setup.code"), SetupCode)).code == "1234"
    with pytest.raises(NotFound):
        asyncio.run(local.command("setup.code", {}, SYSTEM))
    assert [info.name for info in asyncio.run(local.actions())] == ["door.lock", "door.release"]


def test_an_owner_that_returns_nothing_answers_nothing():
    doors = Doors()
    local = link(doors)
    assert (
        asyncio.run(local.invoke(Invocation(action="door.release", params=ReleaseParams(door="d")), Nothing)) is NOTHING
    )
    assert asyncio.run(local.command("door.release", {"door": "d"}, OPERATOR)) == {}


def test_parameters_of_another_type_are_a_mistake_of_the_caller():
    with pytest.raises(Invalid, match="LockParams, not ReleaseParams"):
        asyncio.run(table(Doors()).invoke(Invocation(action="door.release", params=LockParams(door="d"))))
    with pytest.raises(TypeError, match="answers SetupCode, not Nothing"):
        asyncio.run(link(Doors()).invoke(Invocation(action="setup.code"), Nothing))


def test_a_name_is_taken_once_but_a_service_may_start_again():
    doors = Doors()
    actions = table(doors)
    actions.register("door.release", ReleaseParams, doors.release, summary="Release a door")
    with pytest.raises(ValueError, match="registered twice"):
        actions.register("door.release", ReleaseParams, doors.lock, summary="Another one")


def test_a_watcher_hears_of_every_action_once():
    actions = table(Doors())
    heard: list[str] = []
    actions.watch(lambda action: heard.append(action.name))
    actions.register("door.open", LockParams, Doors().release, summary="More")
    assert heard == ["door.release", "door.lock", "setup.code", "door.open"]
