"""Uploads of firmware: a form with one file goes to the spool and to control, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.core.vocabulary.upgrade import InstallParams, UpgradeStage, UpgradeState
from firmware.interfaces.api.upload import FIELD_BYTES, _Reader
from tests.unit.face.conftest import ADMIN, Face

BUNDLE = bytes(range(256)) * 9000  # more than two pieces of the spool
IDLE = UpgradeState(stage=UpgradeStage.IDLE, running="A", slots=(), rollback_ok=False)


async def upload(face: Face, *, auth: Any = ADMIN, **form: Any) -> httpx.Response:
    async with face.client(auth) as client:
        return await client.post("/api/v1/upgrade", **form)


def kept(face: Face) -> list[str]:
    return sorted(path.name for path in face.spool.folder.glob("*")) if face.spool.folder.exists() else []


def held(face: Face) -> list[str]:
    """The files of the spool that this process has open."""
    places = [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]
    return [place for place in places if place.startswith(f"{face.spool.folder.resolve()}/")]


def test_a_bundle_reaches_control_whole_and_is_gone_from_the_spool_afterwards(play: Callable[..., None]) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(IDLE)
        seen: list[bytes] = []
        spooled = face.owners.asked.append

        def look(invocation: Any) -> None:
            if isinstance(invocation.params, InstallParams):
                seen.append((face.spool.folder / invocation.params.spool).read_bytes())
            spooled(invocation)

        face.owners.asked = _Looking(look)
        form = {"mode": "automatic_rollback", "confirm_within_s": "60"}
        answer = await upload(face, data=form, files={"bundle": BUNDLE})
        assert (answer.status_code, answer.json()["version"]) == (202, "2.0.0")
        assert seen == [BUNDLE]
        assert kept(face) == []

    play(main)


class _Looking(list[Any]):
    def __init__(self, look: Callable[[Any], None]) -> None:
        self._look = look

    def append(self, item: Any) -> None:
        self._look(item)


@pytest.mark.parametrize(
    ("form", "status", "where"),
    [
        ({"data": {"mode": "standard"}, "files": {"bundel": b"x"}}, 400, "did you mean 'bundle'"),
        ({"data": {"mode": "quick"}, "files": {"bundle": b"x"}}, 400, "mode"),
        ({"data": {"confirm_within_s": "soon"}, "files": {"bundle": b"x"}}, 400, "confirm_within_s"),
        ({"data": {"confirm_within_s": "1"}, "files": {"bundle": b"x"}}, 400, "confirm_within_s"),
        ({"data": {"mode": "x" * (FIELD_BYTES + 1)}, "files": {"bundle": b"x"}}, 400, "longer than"),
        ({"files": [("bundle", b"x"), ("bundle", b"y")]}, 400, "twice"),
        ({"files": {"mode": (None, "standard")}}, 400, "bundle"),
        ({"content": b"no form", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "body"),
        ({"content": b"--b\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "ends before"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "boundary"),
        ({"content": b"x", "headers": {"content-type": "application/octet-stream"}}, 415, "content-type"),
    ],
)
def test_a_form_that_is_wrong_is_one_clear_error_and_nothing_stays(
    play: Callable[..., None], form: dict[str, Any], status: int, where: str
) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(IDLE)
        answer = await upload(face, **form)
        assert answer.status_code == status, answer.text
        assert where in answer.text.replace('\\"', '"')
        assert kept(face) == []
        assert (await upload(face, files={"bundle": b"x"})).status_code == 202, "the spool is free again"

    play(main)


def test_row_28_nobody_uploads_without_being_an_administrator_or_while_an_upgrade_is_under_way(
    play: Callable[..., None],
) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        assert (await upload(face, files={"bundle": b"x"})).status_code == 501
        face.bus.publish(IDLE)
        await face.account("olga", "choose-two", "operator")
        assert (await upload(face, auth=None, files={"bundle": b"x"})).status_code == 401
        assert (await upload(face, auth=("olga", "choose-two"), files={"bundle": b"x"})).status_code == 403
        face.bus.publish(UpgradeState(stage=UpgradeStage.TRIAL, running="B", slots=(), rollback_ok=False))
        assert (await upload(face, files={"bundle": b"x"})).status_code == 409
        assert kept(face) == []

    play(main)


def test_row_28_a_second_upload_is_refused_while_the_first_one_comes_in(play: Callable[..., None]) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(IDLE)
        second: list[httpx.Response] = []

        async def body() -> AsyncIterator[bytes]:
            yield b'--b\r\ncontent-disposition: form-data; name="bundle"; filename="f"\r\n\r\n' + b"x" * 1000
            second.append(await upload(face, files={"bundle": b"y"}))
            yield b"\r\n--b--\r\n"

        kind = {"content-type": "multipart/form-data; boundary=b"}
        first = await upload(face, content=body(), headers=kind)
        assert (first.status_code, second[0].status_code) == (202, 409)
        assert kept(face) == []

    play(main)


def test_row_18_an_upload_that_does_not_say_its_size_leaves_the_room_that_the_door_needs(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(IDLE)
        face.spool.folder.mkdir()
        monkeypatch.setattr(face.spool, "_room", lambda: 1000)

        async def body() -> AsyncIterator[bytes]:
            yield b'--b\r\ncontent-disposition: form-data; name="bundle"; filename="f"\r\n\r\n' + BUNDLE
            yield b"\r\n--b--\r\n"

        answer = await upload(face, content=body(), headers={"content-type": "multipart/form-data; boundary=b"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "exhausted")
        assert kept(face) == []

    play(main)


def test_an_upload_that_is_given_up_while_a_piece_is_written_closes_its_file_after_that(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed before, its number might be another file's by then, and the piece would go into that."""

    async def main(face: Face) -> None:
        await face.set_up()
        face.bus.publish(IDLE)
        writing, go_on = threading.Event(), threading.Event()
        open_still: list[bool] = []

        def slowly(sink: int, data: bytes) -> None:
            writing.set()
            assert go_on.wait(60)
            place = Path(f"/proc/self/fd/{sink}")
            open_still.append(place.is_symlink() and place.resolve().parent == face.spool.folder.resolve())

        monkeypatch.setattr("firmware.interfaces.api.upload._write_all", slowly)
        sending = asyncio.ensure_future(upload(face, files={"bundle": BUNDLE}))
        while not writing.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0)  # noqa: TID251 - a real thread
        sending.cancel()
        for _ in range(20):
            await asyncio.sleep(0)  # noqa: TID251 - a real thread
        go_on.set()
        await asyncio.wait((sending,))
        await face.core.shared.run(lambda: None)
        assert open_still == [True]
        assert kept(face) == []
        assert held(face) == []

    play(main)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_whatever_is_sent_as_a_form_is_read_or_refused(data: bytes, size: int) -> None:
    reader = _Reader(b"b", "bundle", ("mode",))
    with contextlib.suppress(Invalid):
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
        reader.end()


@given(st.binary(max_size=3000), st.integers(1, 500))
def test_a_file_comes_out_as_it_was_sent_however_it_is_cut(content: bytes, size: int) -> None:
    if b"\r\n--edge" in content:
        return
    whole = (
        b'--edge\r\nContent-Disposition: form-data; name="bundle"; filename="f"\r\n\r\n' + content + b"\r\n--edge--\r\n"
    )
    reader, found = _Reader(b"edge", "bundle", ()), b""
    for at in range(0, len(whole), size):
        reader.feed(whole[at : at + size])
        found += reader.take()
    assert reader.end() == {}
    assert found == content
