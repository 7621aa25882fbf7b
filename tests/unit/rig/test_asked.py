"""Which behaviour tests a rig cannot run is read from their code: their texts, their helpers', their module's."""

from __future__ import annotations

from typing import Any

from hal.board import load_board
from tests.bench.rig.asked import asked_in_vain

BOARD = load_board("tests/bench/rig/boards/rig_door.toml")
PLACE = "reader:external"


async def opens_the_door(bench: Any) -> None:
    await bench.reader("front").swipe("H10301:1:2")
    assert bench.relay("door").edges() == 2, "the controller heard of it"


async def has_an_external_reader(bench: Any) -> None:
    async def later() -> None:
        await bench.reader("external").swipe("H10301:1:2")

    await later()


async def takes_its_name_from_the_module(bench: Any) -> None:
    bench.needs(PLACE)


async def goes_through_a_helper(bench: Any) -> None:
    await has_an_external_reader(bench)


async def asks_by_its_path(bench: Any) -> None:
    await bench.api("GET", "/params/controller")


def test_a_test_of_what_the_rig_has_runs() -> None:
    assert asked_in_vain(opens_the_door, BOARD) is None


def test_a_test_that_names_what_the_rig_lacks_does_not_whichever_way_it_names_it() -> None:
    for test in (has_an_external_reader, takes_its_name_from_the_module, goes_through_a_helper):
        assert asked_in_vain(test, BOARD) == "external"
    assert asked_in_vain(asks_by_its_path, BOARD) == "controller"


def test_on_the_usual_product_every_test_runs() -> None:
    usual = load_board("door_station")
    for test in (opens_the_door, has_an_external_reader, asks_by_its_path):
        assert asked_in_vain(test, usual) is None
