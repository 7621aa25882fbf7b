"""Sound over the network's own way: heard as it was, played as it came, one talker, and nobody waits for the slow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.audio.mulaw import decode, encode
from firmware.audio.streams import MOST_LISTENERS, SoundStreamsService
from firmware.core.errors import Busy, Exhausted, Invalid, NotFound, StationError
from firmware.core.link.channel import Channel, memory_pair
from firmware.core.stream.sound_wire import END, Reader, Way, Wish, check_answer, pieces, read_wish
from tests.effort import examples
from tests.unit.audio.chamber import Chamber, in_the_chamber

HZ = 1000.0


def tone(rate_hz: int, s: float, hz: float = HZ) -> np.ndarray[Any, np.dtype[np.int16]]:
    return (np.sin(2 * np.pi * hz * np.arange(round(rate_hz * s)) / rate_hz) * 8000).astype(np.int16)


def pitch(sound: np.ndarray[Any, Any], rate_hz: int) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * rate_hz / len(sound))


def test_every_code_and_every_sample_is_that_of_another_program(tmp_path: Path) -> None:
    every = np.arange(-(1 << 15), 1 << 15).astype(np.int16)
    path = tmp_path / "all"
    how: dict[str, Any] = {"samplerate": 8000, "channels": 1, "subtype": "ULAW", "format": "RAW"}
    with soundfile.SoundFile(path, "w", **how) as file:
        file.write(every)
    theirs = np.frombuffer(path.read_bytes(), np.uint8)
    ours = np.frombuffer(encode(every), np.uint8)
    # At the border of two steps either is right: what comes back is never further away than theirs.
    off = np.abs(decode(ours.tobytes()).astype(int) - every), np.abs(decode(theirs.tobytes()).astype(int) - every)
    assert np.all(off[0] <= off[1])
    path.write_bytes(bytes(range(256)))
    with soundfile.SoundFile(path, "r", **how) as file:
        assert np.array_equal(file.read(dtype="int16"), decode(bytes(range(256))))


@given(st.binary(max_size=400))
@settings(max_examples=examples(50))
def test_codes_come_back_as_they_were(codes: bytes) -> None:
    # There are two codes for nothing; one of them is made.
    assert encode(decode(codes)) == codes.replace(b"\x7f", b"\xff")


@given(st.binary(max_size=200))
@settings(max_examples=examples(100))
def test_a_wish_is_read_or_refused(line: bytes) -> None:
    try:
        wish = read_wish(line)
    except Invalid:
        return
    assert read_wish(wish.packed().strip()) == wish


class Far:
    """The network's end of one connection."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.reader = Reader(channel)

    @classmethod
    async def begin(cls, service: SoundStreamsService, way: Way, rate_hz: int = 8000, port: str | None = None) -> Far:
        far = cls(await service.join())
        await far.channel.send(Wish(way=way, rate_hz=rate_hz, port=port).packed())
        check_answer(await far.reader.line())
        return far

    async def hear(self, length: int) -> np.ndarray[Any, np.dtype[np.int16]]:
        codes = b""
        while len(codes) < length:
            more = await self.reader.block()
            assert more
            codes += more
        return decode(codes)

    async def say(self, codes: bytes) -> None:
        for piece in pieces(codes):
            await self.channel.send(piece)


def chamber(tmp_path: Path, test: Callable[[Chamber, SoundStreamsService], Awaitable[None]]) -> None:
    services: list[SoundStreamsService] = []

    def make(room: Chamber) -> list[Any]:
        services.append(SoundStreamsService(room.sound))
        return services

    async def main(room: Chamber) -> None:
        await test(room, services[0])

    in_the_chamber(tmp_path, make, main)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_what_somebody_says_is_played_and_heard_and_answered_when_it_is_out(tmp_path: Path, rate_hz: int) -> None:
    async def test(room: Chamber, service: SoundStreamsService) -> None:
        listener = await Far.begin(service, Way.HEAR, rate_hz)
        talker = await Far.begin(service, Way.TALK, rate_hz)
        began = len(room.air.given)
        await talker.say(encode(tone(rate_hz, 0.5)))
        await talker.channel.send(END)
        assert await talker.reader.block() == b""
        played = np.concatenate(room.air.given[began:])
        assert pitch(played, 48_000) == pytest.approx(HZ, abs=5)
        sounding = np.count_nonzero(np.abs(played) > 0.01) / 48_000
        assert sounding == pytest.approx(0.5, abs=0.1)
        heard = await listener.hear(rate_hz // 2)
        assert pitch(heard, rate_hz) == pytest.approx(HZ, abs=5)

    chamber(tmp_path, test)


def test_a_microphone_that_is_disabled_gives_silence(tmp_path: Path) -> None:
    async def test(room: Chamber, service: SoundStreamsService) -> None:
        room.switch(off=True)
        await room.clock.sleep(0.2)
        listener = await Far.begin(service, Way.HEAR)
        talker = await Far.begin(service, Way.TALK)
        await talker.say(encode(tone(8000, 0.3)))
        assert np.max(np.abs(await listener.hear(2400))) <= 8  # what was said is a thousand times as loud

    chamber(tmp_path, test)


def test_one_talks_at_a_time_and_whoever_goes_makes_room(tmp_path: Path) -> None:
    async def test(room: Chamber, service: SoundStreamsService) -> None:
        first = await Far.begin(service, Way.TALK)
        await first.say(encode(tone(8000, 0.5)))
        with pytest.raises(Busy):
            await Far.begin(service, Way.TALK)
        assert room.mixer.playing == ("talk",)
        first.channel.close()
        await room.clock.sleep(1.0)
        assert room.mixer.playing == ()
        await Far.begin(service, Way.TALK)

    chamber(tmp_path, test)


def test_a_listener_that_takes_nothing_costs_nobody_anything_and_hears_the_present_later(tmp_path: Path) -> None:
    async def test(room: Chamber, service: SoundStreamsService) -> None:
        ours, theirs = memory_pair(limit=400)
        service._arriving.put_nowait(ours)
        slow, quick = Far(theirs), await Far.begin(service, Way.HEAR)
        await slow.channel.send(Wish(way=Way.HEAR, rate_hz=8000).packed())
        for _ in range(100):
            assert len(await quick.hear(800)) >= 800  # ten seconds, as they pass
        ear = room.ear
        assert all(len(each._blocks) <= 50 for each in ear.listeners)
        check_answer(await slow.reader.line())
        assert len(await slow.hear(400)) >= 400

    chamber(tmp_path, test)


def test_listeners_are_few_and_names_are_checked(tmp_path: Path) -> None:
    async def test(room: Chamber, service: SoundStreamsService) -> None:
        with pytest.raises(NotFound, match="no audio input 'mc'; did you mean 'mic'"):
            await Far.begin(service, Way.HEAR, port="mc")
        listeners = [await Far.begin(service, Way.HEAR, port="mic") for _ in range(MOST_LISTENERS)]
        with pytest.raises(Exhausted):
            await Far.begin(service, Way.HEAR)
        listeners[0].channel.close()
        await room.clock.sleep(0.1)
        await Far.begin(service, Way.HEAR)

    chamber(tmp_path, test)


@pytest.mark.parametrize("line", [b"{}\n", b"x" * 5000, b"[]\n", b'{"way":"hear","rate_hz":1,"port":null}\n'])
def test_nonsense_is_refused_and_others_go_on(tmp_path: Path, line: bytes) -> None:
    async def test(room: Chamber, service: SoundStreamsService) -> None:
        far = Far(await service.join())
        await far.channel.send(line)
        with pytest.raises(StationError):
            check_answer(await far.reader.line())
        await Far.begin(service, Way.HEAR)
        await asyncio.wait_for(far.channel.receive(), 1)

    chamber(tmp_path, test)


def test_a_card_that_goes_ends_both_ways(tmp_path: Path) -> None:
    async def test(room: Chamber, service: SoundStreamsService) -> None:
        listener, talker = await Far.begin(service, Way.HEAR), await Far.begin(service, Way.TALK)
        await talker.say(encode(tone(8000, 0.2)))
        room.air.unplug()
        while await listener.reader.block() is not None:
            pass
        await talker.say(encode(tone(8000, 0.2)))
        assert await talker.reader.block() is None

    chamber(tmp_path, test)
