"""The mixer on a real driver and a card in virtual time: what came out of the card, sample by sample."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.audio import Priority, Voice
from firmware.core.errors import Busy, Exhausted, Invalid, Refused, Unavailable
from hal.errors import BusError
from tests.unit.audio.desk import RATE_HZ, Desk, at_the_desk, steady

STEP = 1 / 32768


def test_a_voice_comes_out_as_it_went_in_and_is_finished_when_its_last_sample_is_out() -> None:
    ramp = np.linspace(-0.9, 0.9, 12_345, dtype=np.float32)

    async def test(desk: Desk) -> None:
        async with desk.mixer.voice(Priority.CLIP, name="ramp") as voice:
            await voice.play(ramp)
            await voice.finished()
            assert np.abs(desk.card.out[: len(ramp)] - ramp).max() <= STEP
        assert not np.any(desk.card.out[len(ramp) :])
        assert desk.card.underruns == 0

    at_the_desk(test)


def test_the_end_of_the_context_waits_for_the_last_sample_too() -> None:
    async def test(desk: Desk) -> None:
        async with desk.mixer.voice(Priority.CLIP) as voice:
            await voice.play(steady(0.5, 0.5))
        assert np.count_nonzero(desk.card.out) == RATE_HZ // 2
        assert desk.mixer.playing == ()

    at_the_desk(test)


def test_sixteen_bit_samples_and_a_gain_are_taken_as_they_are() -> None:
    async def test(desk: Desk) -> None:
        async with desk.mixer.voice(Priority.CLIP, gain_db=-20) as voice:
            await voice.play(np.full(4800, 16384, np.int16))
        assert desk.card.out[100] == pytest.approx(0.05, abs=STEP)

    at_the_desk(test)


def test_a_source_is_paced_by_the_card_and_hands_over_little_ahead() -> None:
    async def test(desk: Desk) -> None:
        async with desk.mixer.voice(Priority.STREAM, depth_s=0.1) as voice:
            await voice.play(steady(0.1, 2.0))
            assert desk.clock.now_ns() / 1e9 - (desk.card.out_s or 0) > 1.8

    at_the_desk(test)


def test_an_important_voice_lowers_the_others_while_it_sounds_and_not_itself() -> None:
    async def music(desk: Desk) -> None:
        async with desk.mixer.voice(Priority.STREAM, name="music") as voice:
            await voice.play(steady(0.2, 3.0))

    async def test(desk: Desk) -> None:
        playing = desk.begin(music(desk))
        await desk.clock.sleep(1.0)
        async with desk.mixer.voice(Priority.CALL, name="call", duck_db=20) as voice:
            await voice.play(steady(0.4, 1.0))
            assert desk.mixer.playing == ("call", "music")
        await playing
        out = desk.card.out
        assert out[RATE_HZ // 2] == pytest.approx(0.2, abs=STEP)
        both = np.flatnonzero(out > 0.4)  # the call and what is left of the music
        assert out[both[len(both) // 2]] == pytest.approx(0.42, abs=2 * STEP)
        assert out[-RATE_HZ // 4] == pytest.approx(0.2, abs=STEP)
        assert np.abs(np.diff(out[both[0] + 5 : both[-1] - 5])).max() < 0.001  # it gives way without a click

    at_the_desk(test)


def test_infinite_ducking_silences_and_an_equal_priority_does_not_give_way() -> None:
    async def hum(desk: Desk, priority: int, level: float) -> None:
        async with desk.mixer.voice(priority, name="hum", duck_db=math.inf) as voice:
            await voice.play(steady(level, 1.5))

    async def test(desk: Desk) -> None:
        humming = [desk.begin(hum(desk, p, v)) for p, v in ((10, 0.4), (90, 0.05), (90, 0.1))]
        await asyncio.wait(humming)
        out = desk.card.out
        assert out[RATE_HZ] == pytest.approx(0.15, abs=2 * STEP)

    at_the_desk(test)


def test_a_cancelled_voice_fades_within_ten_milliseconds_and_the_others_go_on() -> None:
    async def sing(desk: Desk, voices: list[Voice], level: float) -> None:
        async with desk.mixer.voice(Priority.CLIP) as voice:
            voices.append(voice)
            await voice.play(steady(level, 2.0))

    async def test(desk: Desk) -> None:
        voices: list[Voice] = []
        first, second = (desk.begin(sing(desk, voices, level)) for level in (0.5, 0.25))
        await desk.clock.sleep(0.5)
        first.cancel()
        began_ns = desk.clock.now_ns()
        await asyncio.wait((first,))
        assert desk.clock.now_ns() == began_ns  # nobody waits for the fade
        await second
        out = desk.card.out
        falling = np.flatnonzero((out < 0.749) & (out > 0.251))
        assert 0 < len(falling) <= RATE_HZ // 100
        assert np.abs(np.diff(out[falling])).max() < 0.002
        assert out[falling[-1] + RATE_HZ // 10] == pytest.approx(0.25, abs=STEP)

    at_the_desk(test)


def test_a_voice_that_was_cancelled_takes_nothing_more_and_says_so() -> None:
    async def test(desk: Desk) -> None:
        async with desk.mixer.voice(Priority.CLIP, name="bell") as voice:
            await voice.play(steady(0.5, 0.1))
            voice.cancel()
            voice.cancel()
            with pytest.raises(Refused, match=r"^bell: this voice has ended$"):
                await voice.play(steady(0.5, 0.1))
        assert not np.any(desk.card.out[2 * RATE_HZ // 10 :])

    at_the_desk(test)


def test_a_source_that_is_late_is_heard_as_silence_and_the_card_goes_on() -> None:
    async def test(desk: Desk) -> None:
        async with desk.mixer.voice(Priority.CALL) as voice:
            await voice.play(steady(0.5, 0.1))
            await desk.clock.sleep(1.0)
            await voice.play(steady(0.5, 0.1))
        out = desk.card.out
        loud = np.flatnonzero(out)
        assert len(loud) == RATE_HZ // 5
        assert loud[-1] - loud[0] >= RATE_HZ  # the second part came where it was handed over
        assert voice.starved > 50

    at_the_desk(test)


def test_row_53_a_volume_of_its_own_ends_only_when_the_last_sample_is_out() -> None:
    async def test(desk: Desk) -> None:
        desk.mixer.set(-20.0, False)
        async with desk.mixer.override(-6.0), desk.mixer.voice(Priority.TEST) as voice:
            await voice.play(steady(0.5, 0.5))
        loud = desk.card.out[np.abs(desk.card.out) > STEP]
        assert loud.min() == pytest.approx(0.5 * 10 ** (-6 / 20), abs=2 * STEP)
        assert desk.speaker.gain_db == -20.0

    at_the_desk(test)


def test_row_53_a_cancelled_test_leaves_the_volume_as_people_set_it_meanwhile() -> None:
    async def loud(desk: Desk) -> None:
        async with desk.mixer.override(0.0), desk.mixer.voice(Priority.TEST) as voice:
            await voice.play(steady(0.5, 5.0))

    async def test(desk: Desk) -> None:
        task = desk.begin(loud(desk))
        await desk.clock.sleep(0.5)
        with pytest.raises(Busy):
            async with desk.mixer.override(-3.0):
                pass
        desk.mixer.set(-12.0, True)
        assert desk.speaker.gain_db == 0.0
        assert not desk.speaker.muted
        task.cancel()
        await asyncio.wait((task,))
        assert desk.speaker.gain_db == -12.0
        assert desk.speaker.muted
        loud_now = desk.card.out[np.abs(desk.card.out) > STEP]
        assert loud_now[:-480].min() == pytest.approx(0.5, abs=STEP)  # but for the fade

    at_the_desk(test)


def test_when_the_card_goes_everybody_is_told_and_the_next_card_plays() -> None:
    async def test(desk: Desk) -> None:
        async def play() -> None:
            async with desk.mixer.voice(Priority.CLIP, name="bell") as voice:
                await voice.play(steady(0.5, 60.0))

        async def over() -> None:
            async with desk.mixer.override(-3.0):
                await asyncio.Event().wait()

        playing, overriding = desk.begin(play()), desk.begin(over())
        await desk.clock.sleep(0.5)
        desk.card.unplug()
        with pytest.raises(Unavailable, match="the card is gone"):
            await playing
        overriding.cancel()
        await asyncio.wait((overriding,))
        with pytest.raises(Unavailable, match="there is no speaker now"):
            async with desk.mixer.voice(Priority.CLIP):
                pass
        await desk.ends()
        desk.plug()
        await desk.clock.sleep(0)
        async with desk.mixer.voice(Priority.CLIP) as voice:
            await voice.play(steady(0.5, 0.2))
        assert np.count_nonzero(desk.card.out) == RATE_HZ // 5
        assert desk.speaker.gain_db == 0.0

    at_the_desk(test)


def test_what_a_voice_cannot_be_is_one_clear_error() -> None:
    async def test(desk: Desk) -> None:
        with pytest.raises(Invalid, match=r"^bell.gain_db: 30 dB is above 20 dB$"):
            async with desk.mixer.voice(Priority.CLIP, gain_db=30, name="bell"):
                pass
        with pytest.raises(Invalid, match=r"^bell.duck_db: -1 dB is below 0$"):
            async with desk.mixer.voice(Priority.CLIP, name="bell", duck_db=-1):
                pass
        with pytest.raises(Invalid, match=r"gain 20 dB is not between -40 and 12 dB"):
            async with desk.mixer.override(20.0):
                pass
        async with desk.mixer.voice(Priority.CLIP) as voice:
            with pytest.raises(Invalid, match=r"^sound: 4x2 samples of float64 are not one channel"):
                await voice.play(np.zeros((4, 2)))
        assert desk.mixer.playing == ()

    at_the_desk(test)


def test_more_voices_than_a_mixer_has_are_refused_and_places_come_free() -> None:
    async def test(desk: Desk) -> None:
        async def hold(up: asyncio.Event) -> None:
            async with desk.mixer.voice(Priority.CLIP) as voice:
                await voice.play(steady(0.01, 0.05))
                await up.wait()

        up = asyncio.Event()
        holding = [desk.begin(hold(up)) for _ in range(16)]
        await desk.clock.sleep(0.1)
        with pytest.raises(Exhausted):
            async with desk.mixer.voice(Priority.CLIP):
                pass
        up.set()
        await asyncio.wait(holding)
        async with desk.mixer.voice(Priority.CLIP) as voice:
            await voice.play(steady(0.01, 0.05))

    at_the_desk(test)


def test_a_tap_gives_what_the_speaker_plays_after_its_gain_in_the_time_of_who_takes_it() -> None:
    async def test(desk: Desk) -> None:
        desk.mixer.set(-6.0, False)
        taken: list[np.ndarray] = []
        with desk.mixer.tap() as far:
            assert not far.take().any()
            async with desk.mixer.voice(Priority.CALL) as voice:
                playing = desk.begin(voice.play(steady(0.5, 1.0)))
                for _ in range(110):
                    await desk.clock.sleep(0.01)
                    taken.append(far.take())
                await playing
        assert far.lost == 0
        whole = np.concatenate(taken) / 32768
        assert np.count_nonzero(whole) == RATE_HZ
        assert whole[RATE_HZ // 2] == pytest.approx(0.5 * 10 ** (-6 / 20), abs=2 * STEP)

    at_the_desk(test)


Part = st.tuples(st.integers(0, 3000), st.floats(-0.2, 0.2), st.integers(1, 700))


@given(st.lists(Part, min_size=1, max_size=4))
def test_voices_in_parts_of_any_size_sum_up_to_what_was_handed_over(parts: list[tuple[int, float, int]]) -> None:
    async def test(desk: Desk) -> None:
        async def sing(length: int, level: float, step: int) -> None:
            async with desk.mixer.voice(Priority.CLIP, depth_s=1.0) as voice:
                for start in range(0, length, step):
                    await voice.play(np.full(min(step, length - start), level, np.float32))

        await asyncio.gather(*(sing(*part) for part in parts))
        wanted = np.zeros(4000)
        for length, level, _ in parts:
            wanted[:length] += level
        out = np.pad(desk.card.out, (0, 4000))[:4000]
        assert np.abs(out - wanted).max() <= STEP

    at_the_desk(test)


class StuckVolume:
    """The volume of a card that works until it is broken; wire `PcmMixer`."""

    range_db = (-40.0, 12.0)

    def __init__(self) -> None:
        self.broken = False

    def set(self, db: float) -> float:
        if self.broken:
            raise BusError("speaker1", "its volume cannot be set")
        return db

    def close(self) -> None: ...


def test_a_card_whose_volume_fails_is_a_card_that_has_gone_and_nobody_waits_for_it() -> None:
    async def test(desk: Desk) -> None:
        volume = StuckVolume()
        await desk.ends()
        desk.plug(volume)
        await desk.clock.sleep(0)
        over = desk.mixer.override(-6.0)
        await over.__aenter__()
        volume.broken = True
        await over.__aexit__(None, None, None)  # it cannot be restored, and nobody waits for ever
        await desk.clock.sleep(0)
        assert not desk.mixer.present
        await desk.ends()
        desk.plug(volume := StuckVolume())
        await desk.clock.sleep(0)
        volume.broken = True
        with pytest.raises(Unavailable, match="its volume cannot be set"):
            async with desk.mixer.override(-6.0):
                pass
        volume.broken = False
        async with desk.mixer.override(-3.0):
            assert desk.speaker.gain_db == -3.0

    at_the_desk(test)
