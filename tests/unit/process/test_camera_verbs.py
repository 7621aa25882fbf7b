"""The verbs of `lintel bench` on cameras, as a person writes them, seen in what the camera looks at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from firmware.board_process.verbs import Verbs
from firmware.core.errors import Invalid, NotFound
from hal.board import load_board
from hal.errors import DeviceError
from hal.sim.scene.peer import CameraPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import World

Say = Callable[..., Awaitable[Any]]
HEADER, FRAME = b"YUV4MPEG2 W64 H48 F25:1 C420\n", b"FRAME\n" + bytes(64 * 48 * 3 // 2)


def at_the_bench(test: Callable[[CameraPeer, Say], Awaitable[None]], board: str = "plate_camera") -> None:
    """Run a test with the verbs of a product and its camera."""

    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board(board))
        verbs = Verbs(world, cast(Any, None), cast(Any, None), clock)  # no roles run, and no verb here asks for them

        async def say(*words: str) -> Any:
            return [answer async for answer in verbs.run(list(words))][-1]

        cameras = [peer for peer in world.peers.values() if isinstance(peer, CameraPeer)]
        await test(cameras[0] if cameras else cast(Any, None), say)
        world.close()

    virtual_run(main)


def test_what_people_do_to_a_camera_adds_up_and_uncover_puts_it_right_but_for_the_light() -> None:
    async def test(camera: CameraPeer, say: Say) -> None:
        for verb, fault in (("cover", "covered"), ("blur", "blurred"), ("turn", "turned")):
            await say(verb, "road")
            assert fault in camera.scene().faults
        await say("light", "off", "camera:road")
        assert camera.scene().faults == {"covered", "blurred", "turned", "dark"}
        await say("uncover", "camera1")
        assert camera.scene().faults == {"dark"}
        await say("light", "on", "road")
        assert camera.scene().faults == set()

    at_the_bench(test)


def test_a_film_is_shown_and_the_scene_again(tmp_path: Path) -> None:
    film = tmp_path / "film.y4m"
    film.write_bytes(HEADER + FRAME)

    async def test(camera: CameraPeer, say: Say) -> None:
        await say("show", str(film))
        assert camera.scene().film == film
        await say("show", "scene", "road")
        assert camera.scene().film is None

    at_the_bench(test)


def test_a_camera_is_unplugged_by_the_verb_for_all_peers() -> None:
    async def test(camera: CameraPeer, say: Say) -> None:
        await say("unplug", "camera:road")
        assert not camera.scene().present
        await say("plug", "camera:road")
        assert camera.scene().present

    at_the_bench(test)


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (["cover", "raod"], NotFound, "did you mean 'road'"),
        (["cover", "road", "tightly"], Invalid, "write: cover [CAMERA]"),
        (["blur"], Invalid, "write: blur CAMERA"),
        (["light", "of", "road"], Invalid, "did you mean 'off'"),
        (["light", "road", "on"], Invalid, "unknown state 'road'"),
        (["show", "scene", "road", "now"], Invalid, "write: show scene|FILE"),
        (["show", "/nowhere/film.y4m"], DeviceError, "film.y4m: cannot be shown: No such file or directory"),
        (["covr", "road"], Invalid, "did you mean 'cover'"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one_and_changes_nothing(
    words: list[str], error: type[Exception], says: str
) -> None:
    async def test(camera: CameraPeer, say: Say) -> None:
        before = camera.scene()
        with pytest.raises(error) as caught:
            await say(*words)
        assert says in str(caught.value)
        assert camera.scene() == before

    at_the_bench(test)


def test_a_board_without_a_camera_says_so() -> None:
    async def test(camera: CameraPeer, say: Say) -> None:
        with pytest.raises(Invalid, match="this board has no camera"):
            await say("show", "scene")
        with pytest.raises(NotFound, match="no camera 'road'"):
            await say("turn", "road")

    at_the_bench(test, "horn_speaker")
