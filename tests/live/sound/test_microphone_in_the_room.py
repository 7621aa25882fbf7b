"""The simulated microphone through libasound and pyalsaaudio: what arrives, its gain, mute, switch and lines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hal.board import parse_board
from hal.clock import SystemClock
from hal.errors import BusError
from hal.sim.sound import level_db, pitch_hz, tone
from hal.sounds import SILENCE_DBFS
from tests.live.sound.studio import BOARD, RATE_HZ, Studio, in_the_studio, signal

pytestmark = pytest.mark.live


async def heard_by(studio: Studio, hz: float, s: float = 0.5) -> tuple[float, float]:
    """Pitch and level of what the microphone hands over while somebody whistles."""
    studio.room.say(tone(RATE_HZ, hz, s + 1.0, db=-20))
    await studio.passes(0.2)
    blocks = await studio.record(s)
    await studio.passes(1.0)
    sound = signal(b"".join(block.samples for block in blocks))
    return pitch_hz(sound, RATE_HZ), level_db(sound, RATE_HZ, hz)


def test_a_whistle_arrives_with_its_pitch_and_level_and_the_gain_counts(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        pitch, plain = await heard_by(studio, 1000)
        assert pitch == pytest.approx(1000, rel=0.0005)
        assert plain == pytest.approx(-20, abs=0.2)
        studio.microphone.set_gain(12.0)
        assert (await heard_by(studio, 1000))[1] == pytest.approx(-8, abs=0.2)

    in_the_studio(tmp_path, test)


def test_blocks_come_in_order_each_of_ten_milliseconds_with_its_level(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        studio.room.say(tone(RATE_HZ, 1000, 2.0, db=-20))
        await studio.passes(0.2)
        blocks = await studio.record(0.5)
        assert {len(block.samples) for block in blocks} == {RATE_HZ // 100 * 2}
        assert [block.t_ns for block in blocks] == sorted(block.t_ns for block in blocks)
        assert not any(block.lost for block in blocks)
        for block in blocks:
            assert block.level.rms_dbfs == pytest.approx(-20, abs=0.3)
            assert block.level.peak_dbfs == pytest.approx(-20, abs=0.3)

    in_the_studio(tmp_path, test)


def test_somebody_who_speaks_is_heard_while_the_speaker_plays(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        studio.room.say(tone(RATE_HZ, 700, 2.0, db=-30))
        heard = await studio.hear(2000)
        assert level_db(heard, RATE_HZ, 700) == pytest.approx(-30, abs=0.3)
        assert level_db(heard, RATE_HZ, 2000) == pytest.approx(-12 + studio.room.response_db(2000), abs=0.2)

    in_the_studio(tmp_path, test)


def test_a_muted_microphone_hands_over_silence_and_goes_on_counting_time(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        await studio.record(0.05)
        studio.microphone.mute(True)
        blocks = await studio.record(0.3)
        assert not any(any(block.samples) for block in blocks[2:])  # the ramp is within the first
        assert studio.microphone.level.rms_dbfs == SILENCE_DBFS
        assert len(blocks) == 30

    in_the_studio(tmp_path, test)


def test_a_silenced_microphone_hands_over_silence_at_once_whatever_mute_says(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        await studio.record(0.05)
        studio.microphone.silence(True)
        studio.microphone.mute(False)
        assert not any(any(block.samples) for block in await studio.record(0.3))
        studio.microphone.silence(False)
        assert (await heard_by(studio, 1000))[1] == pytest.approx(-20, abs=0.2)

    in_the_studio(tmp_path, test)


def test_a_dead_microphone_hands_over_silence(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        studio.world.fault("microphone:mic", "dead")
        await studio.passes(0.2)
        assert not any(any(block.samples) for block in (await studio.record(0.3))[5:])

    in_the_studio(tmp_path, test)


async def opens_real(board: str) -> None:
    """Open a board's sound as on hardware."""
    from hal.assemble_sound import assemble_sound
    from hal.buses.real import RealWires

    clock = SystemClock()
    parsed = parse_board(board, "studio.toml")
    wires = RealWires(parsed.buses, clock)
    await (await assemble_sound(parsed, wires)).close()


def test_a_device_that_does_not_exist_is_one_error_with_node_and_device() -> None:
    board = BOARD.split("[nodes.mic]")[0].replace("plughw:CARD=codec", "no_such_card")
    with pytest.raises(BusError, match=r"^horn: cannot open the audio device 'no_such_card': "):
        asyncio.run(opens_real(board))
