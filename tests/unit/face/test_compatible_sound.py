"""Sound under the compatible addresses: what is taken, how it is framed, who may, and what is said when nobody can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from firmware.core.actions import Invocation, Nothing
from firmware.core.errors import Busy
from firmware.core.link.channel import Channel, memory_pair
from firmware.core.stream.sound_wire import BEGINS, END, Reader, Way, Wish, block, read_wish, refusal
from firmware.core.vocabulary.speaker_test import (
    Finding,
    SpeakerTask,
    SpeakerTestResult,
    SpeakerTestState,
    Verdict,
)
from firmware.interfaces.faces import host_names
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.http.guard import Guard
from firmware.interfaces.vapix.audio import sound_of
from firmware.interfaces.vapix.face import Vapix
from firmware.interfaces.vapix.speaker import report
from tests.unit.face.conftest import ADMIN, BASE, HERE

Play = Callable[..., None]
RECEIVE, TRANSMIT = "/axis-cgi/audio/receive.cgi", "/axis-cgi/audio/transmit.cgi"
VIEWER = ("vera", "viewer-pass")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Media:
    """The far end of the sound's way, as media speaks there: writes down what is said, and says what it is given."""

    def __init__(self, says: bytes = b"", refuses: bytes = b"") -> None:
        self.wishes: list[Wish] = []
        self.heard = bytearray()
        self.gone = asyncio.Event()
        self._says = says
        self._refuses = refuses
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> Channel:
        ours, theirs = memory_pair()
        self._tasks.append(asyncio.get_running_loop().create_task(self._serve(ours)))
        return theirs

    async def _serve(self, channel: Channel) -> None:
        reader = Reader(channel)
        self.wishes.append(read_wish(await reader.line()))
        await channel.send(self._refuses or BEGINS)
        if self.wishes[-1].way is Way.HEAR:
            for at in range(0, len(self._says), 80):
                await channel.send(block(self._says[at : at + 80]))
        else:
            while codes := await reader.block():
                self.heard += codes
            self.gone.set()
            if codes is not None:
                await channel.send(END)
        channel.close()


def with_media(play: Play, media: Media, test: Callable[[Any, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account(*VIEWER, "viewer")
        face.guard = Guard(
            (face.api.face(), Vapix(face.core, face.views, voices=media.connect).face()), face.core, host_names
        )
        async with face.client(httpx.BasicAuth(*ADMIN)) as client:
            await test(face, client)

    play(main)


def wave(rate_hz: int, codes: bytes, code: int = 7, channels: int = 1) -> bytes:
    """A WAV file with something before its sound."""
    form = b"".join(n.to_bytes(size, "little") for n, size in (
        (code, 2), (channels, 2), (rate_hz, 4), (rate_hz, 4), (channels, 2), (8, 2)))  # fmt: skip
    chunks = b"fmt " + len(form).to_bytes(4, "little") + form + b"LIST\x03\0\0\0abc\0"
    body = b"WAVE" + chunks + b"data" + len(codes).to_bytes(4, "little") + codes
    return b"RIFF" + len(body).to_bytes(4, "little") + body


SOUND = bytes(range(256)) * 30


@pytest.mark.parametrize(
    ("kind", "sent", "rate_hz"),
    [
        ("audio/basic", SOUND, 8000),
        ("Audio/Basic; x=y", SOUND, 8000),
        ("audio/axis-mulaw-128", SOUND, 16000),
        ("audio/axis-mulaw-128", wave(16000, SOUND), 16000),
        ("audio/basic", wave(16000, SOUND), 16000),
        ("audio/basic", b"", 8000),
    ],
)
def test_what_is_sent_is_handed_on_whole_and_answered_when_it_was_played(
    play: Play, kind: str, sent: bytes, rate_hz: int
) -> None:
    media = Media()

    async def test(face: Any, client: httpx.AsyncClient) -> None:
        answer = await client.post(TRANSMIT, content=sent, headers={"content-type": kind})
        assert (answer.status_code, answer.text) == (200, "")
        assert bytes(media.heard) == (SOUND if sent else b"")
        assert media.wishes == [Wish(way=Way.TALK, rate_hz=rate_hz)]

    with_media(play, media, test)


def test_sound_is_handed_on_no_more_than_a_second_before_it_is_heard(play: Play) -> None:
    media = Media()

    async def test(face: Any, client: httpx.AsyncClient) -> None:
        began = face.clock.now_ns()
        await client.post(TRANSMIT, content=bytes(80_000), headers={"content-type": "audio/basic"})
        assert (face.clock.now_ns() - began) / 1e9 == pytest.approx(9.0, abs=0.2)

    with_media(play, media, test)


def test_whoever_loses_the_account_is_not_heard_any_more(play: Play) -> None:
    media = Media()

    async def test(face: Any, client: httpx.AsyncClient) -> None:
        await face.account("otto", "operator-pass", "operator")
        async with face.client(httpx.BasicAuth("otto", "operator-pass")) as talker:
            sound = {"content": bytes(800_000), "headers": {"content-type": "audio/basic"}}
            talking = asyncio.ensure_future(talker.post(TRANSMIT, **sound))
            await face.clock.sleep(3)
            assert not media.gone.is_set()
            await client.post("/api/v1/actions/accounts.remove", json={"name": "otto"})
            await asyncio.wait_for(media.gone.wait(), 1)
            await talking
            assert len(media.heard) < 80_000

    with_media(play, media, test)


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("audio/aac", SOUND),
        ("", SOUND),
        ("audio/basic", wave(8000, SOUND, code=1)),
        ("audio/basic", wave(8000, SOUND, channels=2)),
        ("audio/basic", wave(44100, SOUND)),
        ("audio/basic", wave(8000, SOUND)[:40]),
    ],
)
def test_sound_of_another_kind_is_refused_and_never_played(play: Play, kind: str, sent: bytes) -> None:
    media = Media()

    async def test(face: Any, client: httpx.AsyncClient) -> None:
        answer = await client.post(TRANSMIT, content=sent, headers={"content-type": kind})
        assert answer.status_code == 415
        assert "audio/basic or audio/axis-mulaw-128" in answer.text
        assert media.wishes == []

    with_media(play, media, test)


def test_a_second_talker_is_told_that_somebody_talks_and_a_viewer_may_not(play: Play) -> None:
    media = Media(refuses=refusal(Busy("sound", "somebody else talks already")))

    async def test(face: Any, client: httpx.AsyncClient) -> None:
        how: dict[str, Any] = {"content": SOUND, "headers": {"content-type": "audio/basic"}}
        answer = await client.post(TRANSMIT, **how)
        assert (answer.status_code, answer.text) == (503, "Error: somebody else talks already\n")
        async with face.client(httpx.BasicAuth(*VIEWER)) as viewer:
            assert (await viewer.post(TRANSMIT, **how)).status_code == 403

    with_media(play, media, test)


def test_a_viewer_hears_the_microphone_as_it_is_and_in_parts(play: Play) -> None:
    media = Media(says=SOUND)

    async def test(face: Any, client: httpx.AsyncClient) -> None:
        async with face.client(httpx.BasicAuth(*VIEWER)) as viewer:
            whole = await viewer.get(RECEIVE)
            assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, "audio/basic", SOUND)
            parts = await viewer.get(RECEIVE, params={"httptype": "multipart"})
            assert parts.headers["content-type"] == "multipart/x-mixed-replace; boundary=myboundary"
            head = b"--myboundary\r\nContent-Type: audio/basic\r\nContent-Length: 512\r\n\r\n"
            assert parts.content == b"".join(head + SOUND[at : at + 512] + b"\r\n" for at in range(0, len(SOUND), 512))
            wrong = await viewer.get(RECEIVE, params={"httptype": "threepart"})
            assert (wrong.status_code, "singlepart, multipart" in wrong.text) == (400, True)

    with_media(play, media, test)


def test_without_media_there_is_a_refusal_and_without_a_microphone_no_address(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(httpx.BasicAuth(*ADMIN)) as client:
            assert (await client.get(RECEIVE)).status_code == 503
            talk = await client.post(TRANSMIT, content=SOUND, headers={"content-type": "audio/basic"})
            assert (talk.status_code, "media role does not answer" in talk.text) == (503, True)
        deaf = Guard((Vapix(face.core, face.views).face(),), face.core, host_names)
        transport = httpx.ASGITransport(app=deaf, client=(HERE, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=BASE, auth=ADMIN) as client:
            assert (await client.get(RECEIVE)).status_code == 404

    play(main)


def test_a_head_that_never_ends_is_refused() -> None:
    with pytest.raises(HttpRefusal):
        sound_of(b"RIFF\0\0\0\0WAVE" + b"LIST\xff\xff\xff\x7f" + bytes(5000), 8000)


def result(verdict: Verdict, *findings: Finding) -> SpeakerTestResult:
    return SpeakerTestResult(verdict=verdict, findings=findings, tones=(), ended_at=AT)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (SpeakerTestState(), "Uncalibrated"),
        (SpeakerTestState(calibrated_at=AT), "Calibrated"),
        (SpeakerTestState(running=SpeakerTask.TEST, calibrated_at=AT), "Pending"),
        (SpeakerTestState(calibrated_at=AT, result=result(Verdict.PASSED)), "OK"),
        (SpeakerTestState(calibrated_at=AT, result=result(Verdict.FAILED, Finding.SILENT)), "Failed"),
        (SpeakerTestState(result=result(Verdict.INCONCLUSIVE, Finding.MICROPHONE_DISABLED)), "DisabledInHardware"),
        (SpeakerTestState(result=result(Verdict.INCONCLUSIVE, Finding.NOISE)), "InternalError"),
        (SpeakerTestState(result=result(Verdict.INCONCLUSIVE, Finding.NOT_CALIBRATED)), "Uncalibrated"),
    ],
)
def test_the_speaker_test_has_one_word_for_how_things_are(state: SpeakerTestState, word: str) -> None:
    told = report(state)
    assert told["SpeakerTestStatus"] == word
    assert told.get("CalibrationTimestamp", "") == ("2026-01-02T03:04:05.000000Z" if state.calibrated_at else "")


@pytest.mark.parametrize(
    ("findings", "subcode"),
    [
        ((Finding.NOT_CALIBRATED,), "axast:DeviceNotCalibrated"),
        ((Finding.MICROPHONE_DISABLED,), "axast:DisabledInHardware"),
        ((Finding.NOISE,), ""),
        ((), ""),
    ],
)
def test_a_speaker_that_was_not_tested_is_a_fault_that_says_why(
    play: Play, findings: tuple[Finding, ...], subcode: str
) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        verdict = Verdict.INCONCLUSIVE if findings else Verdict.PASSED

        async def tested(_: Invocation) -> SpeakerTestResult:
            return result(verdict, *findings)

        face.core.actions.register("speaker_test.run", Nothing, tested, summary="Test", answer=SpeakerTestResult)
        face.bus.publish(SpeakerTestState())
        async with face.client(ADMIN) as client:
            report = (await client.post("/vapix/axast", json={"axast:GetSpeakerTestReport": {}})).json()
            assert report["SpeakerTestReport"] == {
                "SpeakerTestStatus": "Uncalibrated", "TestTimestamp": "", "CalibrationTimestamp": "",
            }  # fmt: skip
            told = await client.post("/vapix/axast", json={"axast:PerformSpeakerTest": {}})
            if not subcode:
                assert (told.status_code, told.json()) == (200, {})
                return
            body = told.json()
            assert (told.status_code, body["Fault"], body["FaultCode"]) == (400, "env:Receiver", "ter:Action")
            assert body["FaultSubCode"] == subcode

    play(main)


def test_speaker_test_commands_are_named_and_need_their_level(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account(*VIEWER, "viewer")
        async with face.client(httpx.BasicAuth(*VIEWER)) as viewer:
            path, ask = "/vapix/axast", {"axast:GetSpeakerTestReport": {}}
            assert (await viewer.post(path, json=ask)).status_code == 404  # this device cannot test its speaker
            face.bus.publish(SpeakerTestState(calibrated_at=AT))
            told = await viewer.post(path, json=ask)
            assert told.json()["SpeakerTestReport"]["SpeakerTestStatus"] == "Calibrated"
            for command in ("CalibrateSpeakerTest", "PerformSpeakerTest"):
                assert (await viewer.post(path, json={f"axast:{command}": {}})).status_code == 403
            for body in (b"{", b"[]", b'{"axast:GetSpeakerTestRaport":{}}', b'{"a":1,"b":2}', b'"x"'):
                fault = await viewer.post(path, content=body)
                assert (fault.status_code, fault.json()["Fault"]) == (400, "env:Sender")
            assert (
                "did you mean 'GetSpeakerTestReport'"
                in (await viewer.post(path, json={"axast:GetSpeakerTestRaport": {}})).text
            )

    play(main)
