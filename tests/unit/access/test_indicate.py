"""The light at the door: as long as asked, without flicker, and back to what stood before."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.core.actions import Invocation
from firmware.core.errors import Invalid, NotFound, Unsupported
from firmware.core.vocabulary.access import BaseParams, BeepParams
from hal.types import Colour, Pattern, Step


def shown(station: Any) -> list[tuple[float, str]]:
    """What the light of reader1 showed, from its start."""
    return [(round(t_s, 6), pattern) for t_s, pattern in station.leds["reader1.led"].trace]


def test_a_colour_is_shown_for_exactly_its_time(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("reader.indicate", reader="reader1", colour="green", for_s=7.0)
            await station.wait(10)
            assert shown(station) == [(0.0, "green"), (7.0, "off")]

    on_station(body)


@pytest.mark.parametrize("hold_s", [0.5, 3.25, 20.0])
def test_green_lasts_as_long_as_the_door_is_released(on_station: Any, hold_s: float) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=hold_s)
            await station.act("reader.indicate", reader="reader1", colour="green", door="door")
            await station.wait(hold_s + 10)
            assert shown(station) == [(0.0, "green"), (hold_s, "off")]

    on_station(body)


def test_green_follows_a_release_that_is_extended_and_ends_with_one_that_is_cut_short(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=4)
            await station.act("reader.indicate", reader="reader1", colour="green", door="door")
            await station.wait(2)
            await station.act("door.release", door="door", hold_s=4)
            await station.act("reader.indicate", reader="reader1", colour="green", door="door")
            await station.wait(3)
            await station.act("door.lock", door="door")
            await station.act("door.release", door="door", hold_s=1)
            await station.act("reader.indicate", reader="reader1", colour="green", door="door")
            await station.wait(10)
            assert shown(station) == [(0.0, "green"), (6.0, "off")], "the lock and the next release are one moment"

    on_station(body)


def test_green_of_one_door_does_not_end_with_another_nor_with_a_colour_that_has_a_time(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=6)
            await station.act("reader.indicate", reader="reader1", colour="green", door="door")
            await station.act("reader.indicate", reader="reader1", colour="green", for_s=9)
            await station.act("door.release", door="gate", hold_s=2)
            await station.wait(3)
            await station.act("reader.indicate", reader="reader1", colour="red", for_s=1)
            await station.wait(20)
            assert shown(station) == [(0.0, "green"), (3.0, "red"), (4.0, "green"), (9.0, "off")]

    on_station(body)


def test_a_light_for_a_door_that_is_locked_is_not_lit_and_one_for_no_door_is_told_the_nearest(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("reader.indicate", reader="reader1", colour="green", door="door")
            with pytest.raises(NotFound, match=r"no door 'dor'; did you mean 'door'\?"):
                await station.act("reader.indicate", reader="reader1", colour="green", door="dor")
            for wrong in ({}, {"for_s": 1, "door": "door"}):
                with pytest.raises(Invalid, match="either for_s or door"):
                    await station.act("reader.indicate", reader="reader1", colour="green", **wrong)
            await station.wait(1)
            assert shown(station) == []

    on_station(body)


def test_the_same_again_lasts_longer_without_a_flicker(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("reader.indicate", reader="front", colour="green", for_s=7.0)
            await station.wait(2)
            await station.act("reader.indicate", reader="front", colour="green", for_s=1.0)
            await station.wait(1)
            await station.act("reader.indicate", reader="front", colour="green", for_s=7.0)
            await station.wait(20)
            assert shown(station) == [(0.0, "green"), (10.0, "off")]

    on_station(body)


def test_red_over_green_gives_way_to_green_again(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("reader.indicate", reader="reader1", colour="green", for_s=7.0)
            await station.wait(1)
            await station.act("reader.indicate", reader="reader1", colour="red", for_s=2.0)
            await station.wait(20)
            assert shown(station) == [(0.0, "green"), (1.0, "red"), (3.0, "green"), (7.0, "off")]

    on_station(body)


def test_green_over_red_stays_until_its_own_end(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("reader.indicate", reader="reader1", colour="red", for_s=2.0)
            await station.wait(1)
            await station.act("reader.indicate", reader="reader1", colour="green", for_s=7.0)
            await station.wait(20)
            assert shown(station) == [(0.0, "red"), (1.0, "green"), (8.0, "off")]

    on_station(body)


def test_a_flash_is_a_pattern(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("reader.indicate", reader="reader1", colour="red", for_s=2.0, flash=True)
            await station.wait(3)
            assert shown(station) == [(0.0, "red 250 ms off 250 ms"), (2.0, "off")]

    on_station(body)


def test_the_idle_colour_stands_between(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", idle_colour="red")
            await station.act("reader.indicate", reader="reader1", colour="green", for_s=1.0)
            await station.wait(2)
            assert [pattern for _, pattern in shown(station)] == ["red", "green", "red"]
        assert shown(station)[-1][1] == "off"

    on_station(body)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"reader": "reeder1", "colour": "green", "for_s": 1}, NotFound, "did you mean 'reader1'"),
        ({"reader": "reader2", "colour": "green", "for_s": 1}, Unsupported, "has no light"),
        ({"reader": "reader1", "colour": "blue", "for_s": 1}, Unsupported, "it has green, off, red"),
        ({"reader": "reader1", "colour": "grene", "for_s": 1}, Invalid, "green"),
        ({"reader": "reader1", "colour": "green", "for_s": -1}, Invalid, "for_s"),
    ],
)
def test_a_wrong_indication_names_its_fault(
    on_station: Any, data: dict[str, Any], error: type[Exception], words: str
) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            with pytest.raises(error, match=words):
                await station.act("reader.indicate", **data)
            assert shown(station) == []

    on_station(body)


def base(reader: str, *steps: Step) -> Invocation:
    """What a door controller wants shown between indications; without steps nothing."""
    params = BaseParams(reader=reader, pattern=Pattern(steps) if steps else None)
    return Invocation(action="reader.base", params=params)


def test_what_a_controller_wants_stands_between_indications(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            invoke = station.core.actions.invoke
            await invoke(base("front", Step(Colour.RED, 0)))
            await station.act("reader.indicate", reader="reader1", colour="green", for_s=2.0)
            await station.wait(5)
            await invoke(base("front", Step(Colour.RED, 0)))
            await invoke(base("front"))
            assert shown(station) == [(0.0, "red"), (0.0, "green"), (2.0, "red"), (5.0, "off")]

    on_station(body)


def test_a_pattern_with_a_colour_that_the_light_lacks_is_dark_there(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.core.actions.invoke(base("reader1", Step(Colour.BLUE, 300), Step(Colour.RED, 200)))
            assert shown(station) == [(0.0, "off 300 ms red 200 ms")]

    on_station(body)


def test_a_base_for_a_reader_that_is_not_there_names_the_nearest(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            with pytest.raises(NotFound, match="did you mean 'front'"):
                await station.core.actions.invoke(base("frunt", Step(Colour.RED, 0)))

    on_station(body)


def test_a_reader_without_a_beeper_says_so(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            beep = Invocation(action="reader.beep", params=BeepParams(reader="reader1", on=True))
            with pytest.raises(Unsupported, match="has no beeper"):
                await station.core.actions.invoke(beep)

    on_station(body)


def test_no_client_may_set_a_base(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            listed = [action.name for action in await station.core.link.actions()]
            assert "reader.indicate" in listed
            assert "reader.base" not in listed
            assert "reader.beep" not in listed

    on_station(body)
