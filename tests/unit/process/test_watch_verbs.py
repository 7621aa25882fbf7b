"""The verbs of `lintel bench` around cameras, housing and light, as a person writes them."""

from __future__ import annotations

import pytest

from firmware.board_process.watch_verbs import VERBS
from firmware.core.errors import Invalid, NotFound
from hal.board import load_board
from hal.errors import OutOfRange
from hal.sim.chips import Lis3dh
from hal.sim.scene.peer import CameraPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import World


def say(world: World, line: str) -> None:
    verb, *words = line.split()
    VERBS[verb](world, words)


def world_of(board: str) -> World:
    worlds: list[World] = []

    async def main(clock: VirtualClock) -> None:
        worlds.append(World(clock, load_board(board)))

    virtual_run(main)
    return worlds[0]


@pytest.mark.parametrize("line", ["cover", "cover road", "cover camera:road covered", "cover camera1 covered"])
def test_a_camera_is_covered_and_uncovered(line: str) -> None:
    world = world_of("plate_camera")
    camera = world.find("camera:road")
    assert isinstance(camera, CameraPeer)
    say(world, line)
    assert camera.faults == {"covered"}
    camera.fault("people")
    say(world, "uncover road")
    assert camera.faults == {"people"}
    world.close()


@pytest.mark.parametrize("how", ["sprayed", "blurred", "turned"])
def test_there_are_other_ways_to_blind_a_camera(how: str) -> None:
    world = world_of("door_station")
    say(world, f"cover {how}")
    assert how in world.find("camera:entrance").faults
    world.close()


def test_a_housing_is_hit_and_the_light_changes() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("ptz_dome"))
        sensor = world.find("accelerometer:housing")
        assert isinstance(sensor, Lis3dh)
        for line in ("bump", "bump 2.5", "bump housing", "bump shock1 9"):
            say(world, line)
            assert sensor.trace.value is True
            await clock.sleep(1)
            assert sensor.trace.value is False
        say(world, "light 0.5")
        assert world.daylight.lux == 0.5
        world.close()

    virtual_run(main)


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        ("cover rode", NotFound, "did you mean 'road'"),
        ("cover road blured", Invalid, "did you mean 'blurred'"),
        ("cover road covered twice", Invalid, r"write: cover \[CAMERA\]"),
        ("uncover road now", Invalid, "write: uncover"),
        ("bump hard", NotFound, "no accelerometer 'hard'"),
        ("bump 5 6", Invalid, "got '6'"),
        ("bump 0", OutOfRange, "above 0 and at most 16 g"),
        ("bump 17", OutOfRange, "got 17"),
        ("light", Invalid, "write: light LUX"),
        ("light bright", Invalid, "write: light LUX"),
        ("light -1", OutOfRange, "0 to 120000 lx"),
        ("light nan", OutOfRange, "got nan"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(line: str, error: type[Exception], says: str) -> None:
    world = world_of("plate_camera")
    with pytest.raises(error, match=says):
        say(world, line)
    assert world.find("camera:road").faults == set()
    assert world.daylight.lux == 500
    world.close()


def test_a_board_without_eyes_says_so() -> None:
    world = world_of("horn_speaker")
    with pytest.raises(NotFound, match="the board has no camera"):
        say(world, "cover")
    with pytest.raises(NotFound, match="the board has no accelerometer"):
        say(world, "bump")
    world.close()
