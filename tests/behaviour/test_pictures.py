"""What cameras show, and what they say when they cannot, in exact virtual time."""

from __future__ import annotations

import re

import pytest

from tests.bench.sim import SimBench

NO_SIGNAL = "no_signal"


async def test_a_camera_runs_by_itself_and_a_snapshot_is_what_it_sees(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    state = await camera.shows("running")
    assert (state.width, state.height, state.fps) == (1280, 720, 30)
    picture = await camera.snapshot()
    assert (picture.format, picture.size) == ("JPEG", (1280, 720))
    # the third of the bars, below the clock: cyan
    red, green, blue = picture.getpixel((400, 200))
    assert green > red + 40
    assert blue > red + 40


async def test_a_snapshot_is_named_after_the_local_time(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    answer = await camera.ask()
    name = re.fullmatch(r'inline; filename="(.*)"', answer.headers["content-disposition"])
    assert name is not None
    local = bench.clock.utc().astimezone()
    assert name[1] == local.strftime("snapshot_%Y_%m_%d_%H_%M_%S.jpg")


async def test_resolution_and_compression_of_a_snapshot_are_as_asked_for(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    assert (await camera.snapshot(resolution="320x180")).size == (320, 180)
    fine, coarse = [len((await camera.ask(compression=each)).content) for each in (0, 100)]
    assert fine > 2 * coarse


@pytest.mark.parametrize(
    ("query", "where", "says"),
    [
        ({"resolution": "1281x720"}, "query.resolution", "did you mean '1280x720'?"),
        ({"resolution": "big"}, "query.resolution", "valid: 1280x720, 960x540"),
        ({"compression": 101}, "query.compression", "less than or equal to 100 (got 101)"),
        ({"compresion": 10}, "query.compresion", "did you mean 'compression'?"),
    ],
)
async def test_a_wrong_wish_for_a_snapshot_is_named_with_what_would_be_right(
    bench: SimBench, query: dict[str, object], where: str, says: str
) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    answer = await camera.ask(**query)
    assert answer.status_code == 400
    assert answer.json()["error"]["where"] == where
    assert says in answer.json()["error"]["message"]


async def test_an_unplugged_camera_has_no_signal_and_a_replugged_one_comes_back_by_itself(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    camera.unplug()
    state = await camera.shows(NO_SIGNAL)
    assert "unplugged" in state.reason
    answer = await camera.ask()
    assert answer.status_code == 503
    assert answer.json()["error"]["message"].startswith("no signal: ")
    camera.plug()
    await camera.shows("running")
    assert (await camera.snapshot()).size == (1280, 720)


async def test_a_camera_that_hangs_has_no_signal_until_it_sends_again(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    camera.hang()
    assert (await camera.shows(NO_SIGNAL)).reason == "no picture for 1 s"
    camera.hang(False)
    await camera.shows("running")


async def test_the_size_and_rate_of_a_camera_are_parameters_within_what_the_board_can(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    answer = await bench.params("video", camera1={"resolution": "1920x1080", "fps": 5})
    assert answer.status_code == 200, answer.text
    await bench.until(lambda: camera.state.width == 1920 and camera.state.phase == "running")
    assert camera.state.fps == 5
    assert (await camera.snapshot()).size == (1920, 1080)
    for wish, says in (
        ({"fps": 31}, "1 to 30 (got 31)"),
        ({"fps": 0.5}, "1 to 30 (got 0.5)"),
        ({"resolution": "3840x2160"}, "valid: 1920x1080"),
        ({"compression": -1}, "greater than or equal to 0 (got -1)"),
        ({"colour": 1}, "unknown setting 'colour'"),
    ):
        answer = await bench.params("video", camera1=wish)
        assert answer.status_code == 400
        assert says in answer.json()["error"]["message"]
    assert (await bench.param("video"))["camera1"] == {"resolution": "1920x1080", "fps": 5, "compression": 30}


async def test_a_camera_mounted_on_its_side_is_turned_and_a_mirrored_one_swaps_left_and_right(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    answer = await bench.params("image", camera1={"rotate": 90})
    assert answer.status_code == 200, answer.text
    await bench.until(lambda: (camera.state.width, camera.state.height) == (720, 1280))
    turned = await camera.snapshot()
    assert turned.size == (720, 1280)
    assert (await camera.snapshot(resolution="180x320")).size == (180, 320)
    await bench.params("image", camera1={"rotate": 0, "mirror": True})
    mirrored = await camera.snapshot()
    await bench.params("image", camera1={"mirror": False})
    plain = await camera.snapshot()
    # the white bar is the left one, the black one the right one; turned clockwise, left is up
    for picture, white, black in (
        (plain, (40, 300), (1240, 300)),
        (mirrored, (1240, 300), (40, 300)),
        (turned, (420, 40), (420, 1240)),
    ):
        assert min(picture.getpixel(white)) > 150
        assert max(picture.getpixel(black)) < 60


async def test_brightness_shows_without_a_break_of_the_pictures(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")
    before = (await camera.snapshot()).convert("L").getpixel((1240, 300))
    await bench.params("image", camera1={"brightness": 80})
    await bench.settle()
    after = (await camera.snapshot()).convert("L").getpixel((1240, 300))
    assert after > before + 50
    assert [state.phase for state in bench.events("video/source")].count(NO_SIGNAL) == 1  # at the start


async def test_settings_of_a_camera_survive_a_restart_of_the_firmware(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await bench.params("video", camera1={"resolution": "640x360"})
    await bench.restart()
    camera = await bench.camera("entrance")
    assert (await camera.shows("running")).width == 640


async def test_without_the_media_role_a_snapshot_says_that_it_is_away(bench: SimBench) -> None:
    answer = await bench.api("GET", "/video/entrance/snapshot")
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "no signal: the media role is away"
    answer = await bench.api("GET", "/video/entrence/snapshot")
    assert answer.status_code == 404
    assert "did you mean 'entrance'?" in answer.json()["error"]["message"]


async def test_a_covered_camera_is_dark_and_a_dark_scene_too_until_it_is_put_right(bench: SimBench) -> None:
    camera = await bench.camera("entrance")
    await camera.shows("running")

    async def mean() -> float:
        await bench.settle()
        grey = (await camera.snapshot(resolution="160x90")).convert("L")
        return sum(grey.tobytes()) / (160 * 90)

    usual = await mean()
    camera.cover()
    covered = await mean()
    camera.uncover()
    free = await mean()
    camera.light(False)
    dark = await mean()
    camera.light(True)
    assert covered < 40
    assert dark < usual / 2
    assert abs(free - usual) < 5
    assert abs(await mean() - usual) < 5
