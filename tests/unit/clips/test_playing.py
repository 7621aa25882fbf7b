"""What is heard of a clip, sample by sample, and what is said of it: the real service in virtual time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from firmware.audio.clips import player
from firmware.core.errors import Exhausted, Invalid, NotFound, StationError, Unavailable
from firmware.core.vocabulary.clips import ClipFailed, ClipStarted, ClipStopped, PlayingState
from tests.unit.clips.house import House, in_the_house


def test_a_clip_is_heard_whole_and_its_beginning_and_end_are_told_with_their_cause(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        beep = house.clips()["Beep"]
        answer = await house.ask("clip.play", clip=beep.clip, cause="e-7")
        assert [state.active for state in house.of(PlayingState)] == [False, True]
        heard = await house.silence()
        whole = np.trim_zeros(house.pcm(beep.clip))
        assert np.array_equal(heard, whole)
        (started,), (stopped,) = house.of(ClipStarted), house.of(ClipStopped)
        assert (started.playing, started.name, started.by, started.cause) == (answer["playing"], "Beep", "olga", "e-7")
        assert (stopped.why, stopped.cause) == ("ended", "e-7")
        assert stopped.playing == started.playing
        assert [state.active for state in house.of(PlayingState)] == [False, True, False]
        assert (stopped.at - started.at).total_seconds() >= beep.length_s

    in_the_house(tmp_path, test)


def test_row_53_the_volume_of_a_clip_holds_to_its_last_sample(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.ask("clip.play", name="Beep", volume=50)
        heard = await house.silence()
        half = np.trim_zeros(np.rint(house.pcm(house.clips()["Beep"].clip) * 16384) / 32768)
        assert len(heard) == len(half)
        assert np.abs(heard - half).max() <= 1.5 / 32768

    in_the_house(tmp_path, test)


@pytest.mark.parametrize(("repeat", "times"), [(0, 1), (2, 3)])
def test_a_clip_is_repeated_without_a_gap_as_often_as_was_asked(repeat: int, times: int, tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.ask("clip.play", name="Beep", repeat=repeat)
        await house.clock.sleep(2)
        heard = await house.silence()
        one = house.pcm(house.clips()["Beep"].clip)
        assert np.array_equal(heard, np.trim_zeros(np.tile(one, times)))

    in_the_house(tmp_path, test)


def test_a_clip_that_repeats_for_ever_is_stopped_with_a_fade(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.ask("clip.play", name="Beep", repeat=-1)
        await house.clock.sleep(20)
        before = len(house.card.out)
        assert (await house.ask("clip.stop"))["stopped"] == 1
        assert house.of(ClipStopped)[-1].why == "stopped"
        heard = await house.silence()
        assert len(heard) <= before + 0.1 * 48_000
        assert np.abs(np.diff(heard[-480:])).max() < 0.1, "no click at the end"
        assert (await house.ask("clip.stop"))["stopped"] == 0

    in_the_house(tmp_path, test)


def test_two_clips_are_heard_at_once_and_one_is_stopped_alone(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        siren = await house.ask("clip.play", name="Siren", repeat=-1)
        alarm = await house.ask("clip.play", name="Alarm", repeat=-1)
        await house.clock.sleep(0.5)
        assert len(house.of(PlayingState)[-1].clips) == 2
        assert (await house.ask("clip.stop", playing=siren["playing"]))["stopped"] == 1
        assert [each.playing for each in house.of(PlayingState)[-1].clips] == [alarm["playing"]]
        assert (await house.ask("clip.stop", name="Alarm"))["stopped"] == 1

    in_the_house(tmp_path, test)


def test_more_clips_than_can_play_at_once_are_refused_and_the_others_play_on(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        for _ in range(player.MOST_PLAYING):
            await house.ask("clip.play", name="Beep", repeat=-1)
        with pytest.raises(Exhausted, match="8 clips play already"):
            await house.ask("clip.play", name="Beep")
        assert (await house.ask("clip.stop"))["stopped"] == player.MOST_PLAYING

    in_the_house(tmp_path, test)


def test_a_clip_that_is_deleted_while_it_plays_falls_silent_and_its_files_are_gone(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        clip = house.clips()["Siren"].clip
        await house.ask("clip.play", name="Siren", repeat=-1)
        await house.ask("clip.delete", clip=clip)
        assert house.of(ClipStopped)[-1].why == "deleted"
        assert "Siren" not in house.clips()
        assert not [name for name in house.files() if name.startswith(clip)]

    in_the_house(tmp_path, test)


def test_a_clip_whose_sound_is_gone_fails_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        clip = house.clips()["Beep"].clip
        (tmp_path / "media" / "clips" / f"{clip}.pcm").unlink()
        with pytest.raises(Unavailable, match="'Beep' cannot be read"):
            await house.ask("clip.play", name="Beep", cause="e-1")
        (failed,) = house.of(ClipFailed)
        assert (failed.code, failed.name, failed.cause) == ("unavailable", "Beep", "e-1")
        await house.ask("clip.play", name="Alarm")
        assert len(await house.silence())

    in_the_house(tmp_path, test)


def test_without_a_speaker_the_answer_says_so_and_a_card_that_goes_ends_the_clip(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        await house.ask("clip.play", name="Siren", repeat=-1)
        house.card.unplug()
        await house.clock.sleep(0.5)
        assert "the card is gone" in house.of(ClipFailed)[-1].message
        assert not house.of(PlayingState)[-1].active
        with pytest.raises(Unavailable, match="no speaker"):
            await house.ask("clip.play", name="Siren")

    in_the_house(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ({}, Invalid, "either clip (its id) or name"),
        ({"name": "Beeb"}, NotFound, "did you mean 'Beep'"),
        ({"name": "*"}, NotFound, "no clip is called '*'"),
        ({"clip": "000000000000"}, NotFound, "no clip '000000000000'"),
        ({"clip": "../../../etc"}, Invalid, "clip.play.clip"),
        ({"name": "Beep", "volume": 1001}, Invalid, "1000 (got 1001)"),
        ({"name": "Beep", "repeat": -2}, Invalid, "got -2"),
        ({"name": "Beep", "output": "hron"}, NotFound, "did you mean 'horn'"),
    ],
)
def test_a_wish_that_cannot_be_is_one_clear_error(
    words: dict[str, object], kind: type[StationError], message: str, tmp_path: Path
) -> None:
    async def test(house: House) -> None:
        with pytest.raises(kind) as error:
            await house.ask("clip.play", **words)
        assert message in str(error.value)
        assert not len(await house.silence())

    in_the_house(tmp_path, test)
