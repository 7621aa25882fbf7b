"""Uploads by programs: parts told apart by their type, modes in the words that clients use, refusals with numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from firmware.core.vocabulary.clips import ClipPlayParams, PlayingState
from firmware.core.vocabulary.upgrade import InstallMode, InstallParams, UpgradeStage, UpgradeState
from tests.unit.face.conftest import ADMIN, CLIP, CLIP_FILE, CLIP_ID, CLIP_STATE, Face
from tests.unit.face.test_upgrade_upload import BUNDLE, IDLE, kept

MANAGEMENT = "/axis-cgi/firmwaremanagement.cgi"
BUSY = UpgradeState(stage=UpgradeStage.TRIAL, running="A", slots=(), rollback_ok=False)


def parts(names: tuple[str, str], params: object, **more: object) -> list[tuple[str, Any]]:
    """A form as clients send it."""
    request = json.dumps({"apiVersion": "1.0", "method": "upgrade", "params": params, **more})
    return [
        (names[0], (None, request, "application/json")),
        (names[1], ("fw.bin", BUNDLE, "application/octet-stream")),
    ]


def wishes(face: Face) -> list[InstallParams]:
    return [each.params for each in face.owners.asked if isinstance(each.params, InstallParams)]


@pytest.mark.parametrize(
    ("names", "params", "mode", "window_s"),
    [
        (("json", "file"), {}, InstallMode.STANDARD, 1800),
        (("data", "fileData"), {"autoCommit": "started"}, InstallMode.STANDARD, 1800),
        (("json", "file"), {"factoryDefaultMode": "hard"}, InstallMode.FACTORY_DEFAULT, 1800),
        (("json", "file"), {"autoRollback": "10"}, InstallMode.AUTOMATIC_ROLLBACK, 600),
        (("json", "file"), {"autoCommit": "never"}, InstallMode.AUTOMATIC_ROLLBACK, 1800),
    ],
)
def test_an_upload_is_installed_as_its_words_say_whatever_its_parts_are_called(
    play: Callable[..., None], names: tuple[str, str], params: object, mode: InstallMode, window_s: int
) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(IDLE)
        async with face.client(ADMIN) as client:
            answer = await client.post(MANAGEMENT, files=parts(names, params, context="ours"))
        assert answer.json()["data"] == {"firmwareVersion": "2.0.0"}
        assert answer.json()["context"] == "ours"
        assert [(each.mode, each.confirm_within_s) for each in wishes(face)] == [(mode, window_s)]
        assert kept(face) == []

    play(main)


@pytest.mark.parametrize(
    ("params", "state", "code"),
    [
        ({"factoryDefaultMode": "soft"}, IDLE, 417),
        ({"factoryDefaultMode": "warm"}, IDLE, 400),
        ({"autoRollback": "soon"}, IDLE, 400),
        ({"autoCommit": "perhaps"}, IDLE, 400),
        ([], IDLE, 400),
        ({}, BUSY, 423),
    ],
)
def test_an_upload_that_cannot_be_done_installs_nothing_and_says_so_by_number(
    play: Callable[..., None], params: object, state: UpgradeState, code: int
) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(state)
        async with face.client(ADMIN) as client:
            answer = await client.post(MANAGEMENT, files=parts(("json", "file"), params))
        assert answer.status_code == 200
        assert answer.json()["error"]["code"] == code, answer.text
        assert wishes(face) == []
        assert kept(face) == []

    play(main)


def test_the_older_address_takes_one_file_under_any_name(play: Callable[..., None]) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(IDLE)
        async with face.client(ADMIN) as client:
            path = "/axis-cgi/firmwareupgrade.cgi"
            good = await client.post(f"{path}?type=factorydefault", files={"any": ("fw.bin", BUNDLE)})
            wrong = await client.post(f"{path}?type=quick", files={"any": ("fw.bin", BUNDLE)})
        assert good.text.startswith("OK\n2.0.0")
        assert (wrong.status_code, [each.mode for each in wishes(face)]) == (400, [InstallMode.FACTORY_DEFAULT])

    play(main)


def test_a_call_that_is_no_form_is_bounded_although_uploads_may_be_large(play: Callable[..., None]) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            large = await client.post(MANAGEMENT, content=b" " * 70_000, headers={"content-type": "application/json"})

            async def pieces() -> Any:
                yield b"{}"

            endless = await client.post(MANAGEMENT, content=pieces(), headers={"content-type": "application/json"})
        assert (large.status_code, endless.status_code) == (413, 411)

    play(main)


def test_a_clip_is_uploaded_listed_played_fetched_and_removed_by_its_number(play: Callable[..., None]) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(CLIP_STATE)
        face.bus.publish(PlayingState(active=False))
        number = int(CLIP_ID, 16)
        path = "/axis-cgi/mediaclip.cgi"
        async with face.client(ADMIN) as client:
            sent = await client.post(f"{path}?action=upload&media=audio&name=x", files={"any": ("a.wav", CLIP_FILE)})
            assert sent.text == f"OK\nuploaded={number}\n"
            tree = await client.get("/axis-cgi/param.cgi?action=list&group=MediaClip")
            assert f"root.MediaClip.M{number}.Name={CLIP.name}\n" in tree.text
            assert f"root.MediaClip.M{number}.Location={number}.wav\n" in tree.text
            for words in (f"clip={number}", f"location={number}.wav", f"location=/etc/audioclips/{number}.wav"):
                played = await client.get(f"{path}?action=play&repeat=-1&volume=1000&{words}")
                assert played.text == f"OK\nplaying={number}\n"
            fetched = await client.get(f"{path}?action=download&clip={number}")
            assert fetched.content == CLIP_FILE
            for action, says in (("update&name=y", "updated"), ("remove", "removed")):
                done = await client.get(f"{path}?clip={number}&action={action}")
                assert done.text == f"OK\n{says}={number}\n"
            assert (await client.get("/axis-cgi/stopclip.cgi")).text == "OK\nstopping\n"
        asked = [(each.action, each.params) for each in face.owners.asked if each.action.startswith("clip.")]
        assert [action for action, _ in asked] == [
            "clip.add", "clip.play", "clip.play", "clip.play", "clip.lend", "clip.rename", "clip.delete", "clip.stop",
        ]  # fmt: skip
        assert asked[1][1] == ClipPlayParams(clip=CLIP_ID, repeat=-1, volume=1000)

    play(main)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("action=play&clip=17", 404, "no clip '17'"),
        ("action=play", 400, "say which"),
        ("action=plya&clip=1", 400, "did you mean 'play'?"),
        ("action=play&location=../../etc/passwd", 404, "no clip 'passwd'"),
        (f"action=play&clip={int(CLIP_ID, 16)}&volume=1001", 400, "from 0 to 1000"),
        ("action=upload", 400, "multipart/form-data"),
    ],
)
def test_a_wish_for_a_clip_that_makes_no_sense_plays_nothing(
    play: Callable[..., None], words: str, status: int, says: str
) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(CLIP_STATE)
        async with face.client(ADMIN) as client:
            answer = await client.get(f"/axis-cgi/mediaclip.cgi?{words}")
        assert answer.status_code == status
        assert says in answer.text
        assert not any(each.action.startswith("clip.") for each in face.owners.asked)

    play(main)
