"""What becomes of the clips: uploads, names, quota, full disks, restarts, power cuts, damage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.audio.clips import files, shelf
from firmware.audio.clips.names import checked_name, name_from
from firmware.core.actions import Invocation
from firmware.core.errors import Exhausted, Invalid, NotFound
from firmware.core.vocabulary.clips import ClipAddParams, ClipChanged, ClipLendParams, ClipView
from tests.unit.clips.house import OPERATOR, House, in_the_house
from tests.unit.clips.makers import HZ, clip, pitch_hz

SHIPPED = {"Doorbell", "Attention", "Alarm", "Siren", "Beep"}
HOSTILE = "../../etc/*?[passwd]"


def test_an_upload_is_kept_over_a_restart_and_heard_with_its_pitch_and_length(tmp_path: Path) -> None:
    async def first(house: House) -> None:
        assert set(house.clips()) == SHIPPED
        view = await house.add(clip("opus", 0.5), "C:\\my sounds\\gong.opus")
        assert (view.name, view.format, view.length_s) == ("gong", "opus", 0.5)
        assert house.of(ClipChanged)[-1].change == "added"
        assert os.listdir(house.spool) == []

    async def second(house: House) -> None:
        assert set(house.clips()) == SHIPPED | {"gong"}
        await house.ask("clip.play", name="gong")
        heard = await house.silence()
        assert pitch_hz(heard) == pytest.approx(HZ, abs=1.0)
        assert len(heard) / 48_000 == pytest.approx(0.5, abs=0.02)

    in_the_house(tmp_path, first, second)


def test_row_36_a_file_that_is_no_clip_is_refused_and_nothing_of_it_stays(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        before = house.files()
        with pytest.raises(Invalid, match=r"clip 'bell\.wav': is no sound file"):
            await house.add(b"\x7fELF" + bytes(1000))
        cut = clip("vorbis", 0.3)[:-50]
        with pytest.raises(Invalid, match=r"clip 'cut\.ogg': has a page that ends at byte"):
            await house.add(cut, "cut.ogg")
        wish = Invocation(action="clip.add", params=ClipAddParams(spool="0" * 32), caller=OPERATOR)
        with pytest.raises(NotFound, match="in the spool"):
            await house.core.link.invoke(wish, ClipView)
        assert house.files() == before
        assert set(house.clips()) == SHIPPED

    in_the_house(tmp_path, test)


def test_row_34_a_hostile_name_is_a_name_and_nothing_else(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        beep = house.clips()["Beep"].clip
        before = house.files()
        await house.ask("clip.rename", clip=beep, name=HOSTILE)
        assert house.files() == before
        await house.ask("clip.play", name=HOSTILE)
        assert len(await house.silence())
        await house.ask("clip.delete", clip=beep)
        assert house.files() == {name for name in before if not name.startswith(beep)}

    in_the_house(tmp_path, test)


@given(st.text(max_size=300), st.sets(st.text(min_size=1, max_size=64), max_size=5))
def test_row_34_whatever_a_file_is_called_a_valid_name_comes_of_it(filename: str, taken: set[str]) -> None:
    name = name_from(filename, taken)
    assert checked_name(name, taken, "name") == name


def test_a_name_that_is_taken_empty_long_or_unprintable_is_refused_and_from_a_file_it_is_counted_on(
    tmp_path: Path,
) -> None:
    async def test(house: House) -> None:
        beep = house.clips()["Beep"].clip
        for name, message in (("Alarm", "another clip"), (" x", "begins or ends"), ("a\nb", "cannot be shown")):
            with pytest.raises(Invalid, match=message):
                await house.ask("clip.rename", clip=beep, name=name)
        assert set(house.clips()) == SHIPPED

    in_the_house(tmp_path, test)
    assert name_from("Alarm.wav", {"Alarm"}) == "Alarm 2"


def test_row_33_the_quota_and_the_number_of_clips_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        before = house.files()
        used = sum(state.size * 2 for state in house.clips().values())
        monkeypatch.setattr(shelf, "QUOTA_BYTES", used + 40_000)
        with pytest.raises(Exhausted, match="the space for clips is full"):
            await house.add(clip("wav of 8 bits", 1.0))
        monkeypatch.setattr(shelf, "MOST_CLIPS", len(SHIPPED))
        with pytest.raises(Exhausted, match="there are 5 clips"):
            await house.add(b"")
        assert house.files() == before

    in_the_house(tmp_path, test)


def test_row_18_on_a_full_medium_nothing_is_written_and_what_is_there_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SPARE_BYTES", 1 << 60)

    async def test(house: House) -> None:
        before = house.files()
        with pytest.raises(Exhausted, match="no room on the storage"):
            await house.add(clip("wav of 8 bits", 0.2))
        assert house.files() == before
        await house.ask("clip.play", name="Beep")
        assert len(await house.silence())

    in_the_house(tmp_path, test)


def test_a_deleted_clip_does_not_come_back_and_a_factory_default_brings_the_shipped_ones(tmp_path: Path) -> None:
    async def first(house: House) -> None:
        await house.ask("clip.rename", clip=house.clips()["Beep"].clip, name="Mine")
        await house.ask("clip.delete", clip=house.clips()["Siren"].clip)

    async def second(house: House) -> None:
        assert set(house.clips()) == (SHIPPED | {"Mine"}) - {"Beep", "Siren"}
        shutil.rmtree(tmp_path / "media")

    async def third(house: House) -> None:
        assert set(house.clips()) == SHIPPED

    in_the_house(tmp_path, first, second, third)


def test_row_17_after_a_power_cut_halves_are_swept_and_a_sound_that_is_lost_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "media" / "clips"

    async def first(house: House) -> None:
        await house.add(clip("vorbis", 0.4), "gong.ogg")

    def cut(_: Path) -> None:
        (folder / "0123456789ab.file").write_bytes(b"of an upload that was cut off")
        (folder / "0123456789ab.pcm.new").write_bytes(b"half")
        (gong,) = [path for path in folder.glob("*.file") if path.read_bytes()[:4] == b"OggS"]
        os.truncate(gong.with_suffix(".pcm"), 1000)

    async def second(house: House) -> None:
        while not house.clips()["gong"].ready:
            await house.clock.sleep(0.01)
        assert not [name for name in house.files() if name.startswith("0123456789ab")]
        assert len(house.pcm(house.clips()["gong"].clip)) == round(0.4 * 48_000)

    in_the_house(tmp_path, first, second, between=cut)


def test_row_17_a_damaged_list_loses_names_and_no_sound(tmp_path: Path) -> None:
    async def first(house: House) -> None:
        for name in SHIPPED - {"Beep"}:
            await house.ask("clip.delete", clip=house.clips()[name].clip)

    def damage(root: Path) -> None:
        for path in (root / "media").glob("clip-list*"):
            path.write_bytes(b"\0" * 64)

    async def second(house: House) -> None:
        while not house.clips()["Recovered 1"].ready:
            await house.clock.sleep(0.01)
        assert house.clips()["Recovered 1"].length_s == 0.3

    in_the_house(tmp_path, first, second, between=damage)


def test_what_is_lent_is_the_uploaded_file_and_stays_when_the_clip_is_deleted(tmp_path: Path) -> None:
    async def test(house: House) -> None:
        beep = house.clips()["Beep"].clip
        kept = (tmp_path / "media" / "clips" / f"{beep}.file").read_bytes()
        wish = Invocation(action="clip.lend", params=ClipLendParams(clip=beep, spool="a" * 32), caller=OPERATOR)
        await house.core.link.invoke(wish, ClipView)
        await house.ask("clip.delete", clip=beep)
        assert (house.spool / ("a" * 32)).read_bytes() == kept

    in_the_house(tmp_path, test)


def test_the_shipped_clips_are_the_same_every_time_and_leave_room_above() -> None:
    from firmware.audio.clips.shipped import samples_of, shipped

    first, second = shipped(), shipped()
    assert first == second
    for sound in samples_of(first.values()):
        assert 0.4 < np.abs(np.frombuffer(sound, "<i2") / 32768).max() <= 0.5
