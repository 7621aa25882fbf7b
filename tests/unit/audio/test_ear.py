"""The ear: several listeners of one microphone, each at its own pace, and what they are told of what they missed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from firmware.audio import Ear, EarBlock
from firmware.core.errors import Busy, Invalid, Unavailable
from hal.drivers.audio_in import AudioIn
from hal.drivers.sound import Gain
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.audio.card import PERIOD_NS, Membrane


class Booth:
    """An ear on the real driver of a microphone."""

    def __init__(self, clock: VirtualClock, channels: int) -> None:
        self.clock = clock
        self.ear = Ear("mic1")
        self.membrane = Membrane(channels)
        self.microphone = AudioIn(
            "mic1",
            self.membrane,
            rate_hz=48_000,
            channels=channels,
            gain=Gain("mic1", 48_000, (-20.0, 30.0)),
        )
        self.ear.open(self.microphone)


def in_the_booth(test: Callable[[Booth], Awaitable[None]], channels: int = 1) -> None:
    """Run a test in virtual time."""

    async def main(clock: VirtualClock) -> None:
        await test(Booth(clock, channels))

    virtual_run(main)


async def some(blocks: object, count: int) -> list[EarBlock]:
    """The next blocks of a listener."""
    return [await anext(blocks) for _ in range(count)]  # type: ignore[call-overload]


def test_every_listener_hears_every_block_with_its_time() -> None:
    async def test(booth: Booth) -> None:
        with booth.ear.listen() as one, booth.ear.listen() as other:
            for value in range(1, 6):
                booth.membrane.hear(value)
            for blocks in (one, other):
                heard = await some(blocks, 5)
                assert [block.samples[7] for block in heard] == [1, 2, 3, 4, 5]
                assert [block.t_ns // PERIOD_NS for block in heard] == [1, 2, 3, 4, 5]
                assert blocks.lost == 0

    in_the_booth(test)


def test_a_slow_listener_loses_its_oldest_blocks_is_told_how_many_and_holds_up_nobody() -> None:
    async def test(booth: Booth) -> None:
        with booth.ear.listen(depth=3) as slow, booth.ear.listen() as quick:
            for value in range(1, 11):
                booth.membrane.hear(value, lost=2 if value == 4 else 0)
            heard = await some(slow, 3)
            assert [block.samples[0] for block in heard] == [8, 9, 10]
            assert [block.lost for block in heard] == [7 + 2, 0, 0]
            assert slow.lost == 9
            assert [block.lost for block in await some(quick, 10)] == [0, 0, 0, 2, 0, 0, 0, 0, 0, 0]
            assert quick.lost == 2

    in_the_booth(test)


def test_of_a_stereo_signal_the_left_channel_is_heard() -> None:
    async def test(booth: Booth) -> None:
        with booth.ear.listen() as blocks:
            booth.membrane.hear(100, -7)
            block = await anext(blocks)
            assert set(block.samples.tolist()) == {100}
            assert len(block.samples) == 480

    in_the_booth(test, channels=2)


def test_an_input_that_is_off_or_muted_goes_on_in_time_and_is_silent() -> None:
    async def test(booth: Booth) -> None:
        with booth.ear.listen() as blocks:
            for enabled, muted in ((False, False), (True, True)):
                booth.ear.set(enabled, 0.0, muted)
                assert not booth.ear.hears
                booth.membrane.hear(1000)  # the ramp
                booth.membrane.hear(1000)
                assert not (await some(blocks, 2))[1].samples.any()
            booth.ear.set(True, 0.0, False)
            assert booth.ear.hears
            booth.membrane.hear(1000)
            booth.membrane.hear(1000)
            assert (await some(blocks, 2))[1].samples[0] == 1000

    in_the_booth(test)


def test_a_test_hears_with_its_own_gain_although_the_input_is_off_and_the_settings_come_back() -> None:
    async def test(booth: Booth) -> None:
        booth.ear.set(False, 12.0, False)
        with booth.ear.listen() as blocks:
            with booth.ear.override(0.0):
                with pytest.raises(Busy), booth.ear.override(3.0):
                    pass
                booth.ear.set(False, 6.0, False)  # kept for afterwards
                for _ in range(3):
                    booth.membrane.hear(1000)
                assert (await some(blocks, 3))[2].samples[0] == 1000
            assert booth.microphone.gain_db == 6.0
            assert booth.microphone.muted
        with pytest.raises(Invalid, match=r"^mic1.gain_db: gain 31 dB is not between -20 and 30 dB$"):
            with booth.ear.override(31.0):
                pass
        assert booth.microphone.gain_db == 6.0

    in_the_booth(test)


def test_when_the_microphone_goes_a_listener_is_told_after_what_it_has_and_hears_the_next_one() -> None:
    async def test(booth: Booth) -> None:
        with booth.ear.listen() as blocks:
            waiting = booth.clock.loop.create_task(some(blocks, 2))
            await booth.clock.sleep(0)
            booth.membrane.hear(1)
            booth.ear.close()
            with pytest.raises(Unavailable, match=r"^mic1: there is no microphone now$"):
                await waiting
            assert not booth.ear.hears
            booth.ear.open(booth.microphone)
            booth.membrane.hear(2)
            assert (await anext(blocks)).samples[0] == 2

    in_the_booth(test)
