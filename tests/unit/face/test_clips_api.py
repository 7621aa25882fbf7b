"""Audio clips over HTTP: files come and go through the spool and leave nothing there; names and links are inert."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from firmware.core.vocabulary.clips import ClipAddParams, ClipPlayParams, ClipRenameParams, PlayingState
from tests.unit.face.conftest import ADMIN, CLIP, CLIP_FILE, CLIP_ID, CLIP_STATE, Face

Play = Callable[..., None]
CLIPS = "/api/v1/clips"
ONE = f"{CLIPS}/{CLIP_ID}"


def session(main: Callable[[Face, httpx.AsyncClient], Awaitable[None]]) -> Callable[[Face], Awaitable[None]]:
    """A face that is set up, with one clip, and a client of the administrator."""

    async def run(face: Face) -> None:
        await face.set_up()
        face.bus.publish(PlayingState(active=False))
        face.bus.publish(CLIP_STATE)
        async with face.client(ADMIN) as client:
            await main(face, client)
        await face.core.shared.run(lambda: None)  # what was posted is done
        assert kept(face) == []
        assert held(face) == []

    return run


def kept(face: Face) -> list[str]:
    folder = face.clip_spool.folder
    return os.listdir(folder) if folder.exists() else []


def held(face: Face) -> list[str]:
    """The files of the spool that this process has open."""
    with contextlib.suppress(FileNotFoundError):
        places = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists() or path.is_symlink()]
        return [place for place in places if place.startswith(f"{face.clip_spool.folder.resolve()}/")]
    return []


def asked(face: Face, kind: type[Any]) -> Any:
    return next(one.params for one in reversed(face.owners.asked) if isinstance(one.params, kind))


def test_an_upload_is_handed_to_media_by_its_name_in_the_spool_with_what_the_sender_calls_it(play: Play) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        files = {"file": ("C:\\sounds\\bell.wav", CLIP_FILE, "audio/wav")}
        answer = await client.post(CLIPS, files=files, data={"name": "Bell"})
        assert (answer.status_code, answer.json()["clip"]) == (201, CLIP_ID)
        params = asked(face, ClipAddParams)
        assert (params.name, params.filename) == ("Bell", "bell.wav")
        assert len(params.spool) == 32

    play(session(main))


@pytest.mark.parametrize(
    ("form", "status", "message"),
    [
        ({"files": {"fil": b"x"}}, 400, "did you mean 'file'"),
        ({"files": [("file", b"x"), ("file", b"y")]}, 400, "twice"),
        ({"data": {"name": "x" * 257}, "files": {"file": b"x"}}, 400, "longer than 256"),
        ({"data": {"volume": "9"}, "files": {"file": b"x"}}, 400, "unknown field 'volume'"),
        ({"json": {}}, 400, "multipart"),
        ({"content": b"RIFF", "headers": {"content-type": "audio/wav"}}, 415, "content-type"),
    ],
)
def test_row_33_a_form_that_is_wrong_is_one_clear_error_and_nothing_stays(
    play: Play, form: dict[str, Any], status: int, message: str
) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        answer = await client.post(CLIPS, **form)
        assert answer.status_code == status, answer.text
        assert message in answer.text.replace('\\"', '"')

    play(session(main))


def test_a_download_gives_the_file_under_a_name_that_is_no_path(play: Play) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        answer = await client.get(ONE)
        assert (answer.status_code, answer.content) == (200, CLIP_FILE)
        assert answer.headers["content-type"] == "audio/wav"
        assert answer.headers["content-length"] == str(len(CLIP_FILE))
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''D%C3%B6rr_%20a_b.wav"

    play(session(main))


def test_a_download_that_is_given_up_leaves_no_file_open(play: Play) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(client.get(ONE))
            while not kept(face) and not held(face):
                await face.clock.sleep(0)
            task.cancel()

    play(session(main))


def test_a_link_plays_with_the_volume_and_the_number_of_times_it_was_made_for(play: Play) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        made = await client.get(f"{ONE}/link", params={"volume": 40, "repeat": 2})
        url = made.json()["url"]
        assert url.startswith("http://127.0.0.1:8080/")
        words = parse_qs(urlsplit(url).query)
        assert len(words.pop("key")[0]) == 24
        assert words == {"volume": ["40"], "repeat": ["2"]}
        answer = await client.get(url)
        assert (answer.status_code, answer.json()["playing"]) == (200, "p1")
        assert asked(face, ClipPlayParams) == ClipPlayParams(clip=CLIP_ID, volume=40, repeat=2)

    play(session(main))


def test_row_39_a_link_does_not_play_because_another_site_says_so(play: Play) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        url = (await client.get(f"{ONE}/link")).json()["url"]
        assert (await client.get(url, headers=headers)).status_code == 403
        # Over plain HTTP a browser does not say that another site made it ask: it does not know the key.
        assert (await client.get(f"{ONE}/play")).status_code == 400
        for other in (f"{ONE}/play?key=", url.replace("volume=100", "volume=1000"), url[:-2], f"{url}A"):
            answer = await client.get(other)
            assert (answer.status_code, answer.json()["error"]["where"]) == (403, "query.key"), other
        assert not [one for one in face.owners.asked if isinstance(one.params, ClipPlayParams)]
        assert (await client.get(url)).status_code == 200

    play(session(main))


def test_a_link_is_good_after_a_restart(play: Play) -> None:
    made: list[str] = []

    async def before(face: Face, client: httpx.AsyncClient) -> None:
        made.append((await client.get(f"{ONE}/link")).json()["url"])

    async def after(face: Face, client: httpx.AsyncClient) -> None:
        assert (await client.get(made[0])).status_code == 200
        assert (await client.get(f"{ONE}/link")).json()["url"] == made[0]

    play(session(before), session(after))


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("play?key=x&volume=1001", "query.volume"),
        ("play?key=x&repeat=-2", "query.repeat"),
        ("play?key=x&volum=5", "did you mean 'volume'"),
        ("play", '"query.key","message":"is missing"'),
        ("play?volume=5&volume=6", "is there twice"),
        ("link?volume=loud", "query.volume"),
    ],
)
def test_a_link_with_wrong_words_is_one_clear_error(play: Play, path: str, where: str) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        answer = await client.get(f"{ONE}/{path}")
        assert answer.status_code == 400, answer.text
        assert where in answer.text

    play(session(main))


@pytest.mark.parametrize(
    "id", ["*", "?", "[0-9a-f]*", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "0123456789a", "x" * 5000]
)
def test_row_34_what_is_no_id_of_a_clip_is_not_found_whatever_it_looks_like(play: Play, id: str) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        before = len(face.owners.asked)
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/play"), ("POST", "/stop"), ("GET", "/play")):
            body = {"json": {}} if method == "POST" else {}
            answer = await client.request(method, f"{CLIPS}/{id}{path}", **body)
            assert answer.status_code in (404, 405), (method, path, answer.status_code)
        assert len(face.owners.asked) == before

    play(session(main))


def test_the_list_is_what_media_says_and_a_clip_is_renamed_stopped_and_deleted_by_its_id(play: Play) -> None:
    async def main(face: Face, client: httpx.AsyncClient) -> None:
        listed = (await client.get(CLIPS)).json()["clips"]
        assert [(each["clip"], each["name"], each["length_s"]) for each in listed] == [(CLIP_ID, CLIP.name, 1.5)]
        assert (await client.patch(ONE, json={"name": "../*"})).status_code == 200
        assert asked(face, ClipRenameParams) == ClipRenameParams(clip=CLIP_ID, name="../*")
        assert (await client.post(f"{ONE}/stop", json={})).json() == {"stopped": 1}
        assert (await client.delete(ONE)).status_code == 204

    play(session(main))


def test_without_media_the_answer_is_that_it_is_away_and_without_a_speaker_that_there_is_none(play: Play) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            answer = await client.post(CLIPS, files={"file": b"x"})
            assert (answer.status_code, "try again" in answer.text) == (503, True)

    play(main)
