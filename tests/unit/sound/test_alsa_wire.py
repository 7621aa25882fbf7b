"""The ALSA wire above a library that fails, runs dry, runs over or hangs: what the loop gets to know.

The library stands in here only for what no simulated card can do; tests/live/sound plays through the real one.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import alsaaudio
import pytest

from hal.buses import alsa
from hal.buses.alsa import MOST_BEHIND, AlsaIn, AlsaOut
from hal.clock import SystemClock
from hal.errors import BusError
from hal.sounds import PcmBlock
from tests.unit.ending import while_ending

PERIOD = 80


class Card:
    """alsaaudio.PCM at 8 kHz mono: a semaphore is the card's clock, `answers` what a call does next."""

    def __init__(self) -> None:
        self.ticks = threading.Semaphore(0)
        self.played = b""
        self.answers: list[int | Exception] = []
        self.calls: list[str] = []
        self.closed = threading.Event()
        self.asked = 0

    def info(self) -> dict[str, Any]:
        return {"rate": 8000, "channels": 1, "period_size": PERIOD}

    def _next(self, otherwise: int) -> int:
        self.asked += 1
        self.ticks.acquire()
        answer = self.answers.pop(0) if self.answers else otherwise
        if isinstance(answer, Exception):
            raise answer
        return answer

    def read(self) -> tuple[int, bytes]:
        frames = self._next(PERIOD)
        return frames, bytes(2 * max(0, frames))

    def write(self, data: bytes) -> int:
        frames = self._next(len(data) // 2)
        self.played += data[: 2 * max(0, frames)]
        return frames

    def drain(self) -> None:
        self.calls.append("drain")

    def close(self) -> None:
        self.closed.set()

    def tick(self, count: int = 1) -> None:
        self.ticks.release(count)


def with_card(test: Callable[[Card], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> Card:
    """Run a test whose device is the card."""
    card = Card()
    monkeypatch.setattr(alsa, "open_pcm", lambda *_, **__: card)
    asyncio.run(asyncio.wait_for(test(card), 60))
    return card


async def speaker() -> AlsaOut:
    return await AlsaOut.open("horn", "hw:0", SystemClock(), rate_hz=8000, channels=1)


async def microphone() -> AlsaIn:
    return await AlsaIn.open("mic", "hw:0", SystemClock(), rate_hz=8000, channels=1)


def test_everything_is_played_in_order_and_drain_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = bytes(range(256)) * 3

    async def test(card: Card) -> None:
        out = await speaker()
        card.tick(100)
        await out.write(sound)
        await out.drain()
        assert card.played == sound
        assert card.calls == ["drain"]
        await out.close()

    assert with_card(test, monkeypatch).closed.is_set()


def test_a_card_that_takes_nothing_holds_whoever_plays_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(card: Card) -> None:
        out = await speaker()
        playing = asyncio.ensure_future(out.write(bytes(2 * PERIOD * 10)))
        for _ in range(50):
            await SystemClock().sleep(0)  # the loop goes on
        assert not playing.done()
        card.tick(10)
        await playing
        card.tick(10)
        await out.close()

    with_card(test, monkeypatch)


def test_a_period_that_met_a_dry_card_is_played_again_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(card: Card) -> None:
        out = await speaker()
        card.answers = [PERIOD, -errno.EPIPE, PERIOD // 2]
        card.tick(100)
        sound = bytes(range(240)) * 2
        await out.write(sound)
        await out.drain()
        assert card.played == sound
        assert out.underruns == 1
        await out.close()

    with_card(test, monkeypatch)


def test_a_speaker_whose_card_goes_fails_with_its_name_and_the_librarys_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(card: Card) -> None:
        out = await speaker()
        card.answers = [alsaaudio.ALSAAudioError("No such device [hw:0]")]
        card.tick(100)
        message = r"^horn: the audio device 'hw:0' is gone: No such device \[hw:0\]$"
        with pytest.raises(BusError, match=message):
            await out.write(bytes(2 * PERIOD * 10))
        with pytest.raises(BusError, match=message):
            await out.drain()
        await out.close()
        await out.close()

    with caplog.at_level(logging.WARNING):
        assert with_card(test, monkeypatch).closed.is_set()
    assert caplog.text.count("is gone") == 1


def test_a_microphone_whose_card_goes_tells_it_once_also_to_whoever_asks_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(card: Card) -> None:
        ear = await microphone()
        first: asyncio.Future[BusError] = asyncio.get_running_loop().create_future()
        ear.on_lost(first.set_result)  # a second call would raise
        card.answers = [PERIOD, alsaaudio.ALSAAudioError("No such device [hw:0]")]
        card.tick(3)
        assert "No such device" in str(await first)
        late: list[BusError] = []
        ear.on_lost(late.append)
        assert late == [first.result()]
        await ear.close()

    with_card(test, monkeypatch)


def test_a_card_that_gives_no_more_sound_is_gone_and_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(card: Card) -> None:
        ear = await microphone()
        lost: asyncio.Future[BusError] = asyncio.get_running_loop().create_future()
        ear.on_lost(lost.set_result)
        card.answers = [0]
        card.tick()
        assert str(await lost) == "mic: the audio device 'hw:0' is gone: it gives no more sound"
        await ear.close()

    with_card(test, monkeypatch)


def test_an_overrun_is_told_with_the_next_block(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(card: Card) -> None:
        ear, blocks = await microphone(), asyncio.Queue[PcmBlock]()
        ear.receive(blocks.put_nowait)
        card.answers = [PERIOD, -errno.EPIPE, -errno.EPIPE, PERIOD, PERIOD]
        card.tick(5)
        assert [(await blocks.get()).lost for _ in range(3)] == [0, 2, 0]
        card.tick()
        await ear.close()

    with_card(test, monkeypatch)


def test_a_loop_that_stands_still_gets_the_oldest_blocks_and_the_number_it_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(card: Card) -> None:
        ear, blocks = await microphone(), asyncio.Queue[PcmBlock]()
        ear.receive(blocks.put_nowait)
        card.tick(MOST_BEHIND + 7)
        while card.asked < MOST_BEHIND + 8:  # the loop stands still here until the card has given everything
            threading.Event().wait(0.001)
        kept = [await blocks.get() for _ in range(MOST_BEHIND)]
        assert not any(block.lost for block in kept)
        card.tick()
        assert (await blocks.get()).lost == 7
        card.tick()
        await ear.close()

    with_card(test, monkeypatch)


@pytest.mark.parametrize("by_signal", [False, True])
def test_a_card_that_hangs_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by_signal: bool
) -> None:
    monkeypatch.setattr(alsa, "LONGEST_CLOSE_S", 0.05)

    async def test(card: Card) -> None:
        ear = await microphone()
        await (while_ending(ear.close()) if by_signal else ear.close())

    with caplog.at_level(logging.ERROR):
        card = with_card(test, monkeypatch)
    assert "does not let itself be closed" in caplog.text
    card.tick()
    assert card.closed.wait(60)  # its thread ends by itself, also when the loop is gone


def test_half_a_frame_is_refused_before_anything_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(card: Card) -> None:
        out = await speaker()
        with pytest.raises(BusError, match="3 bytes are not whole frames of 2"):
            await out.write(b"abc")
        assert card.played == b""
        await out.close()

    with_card(test, monkeypatch)
