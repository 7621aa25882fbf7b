"""What is said near a simulated device has the level, pitch and length that was asked for, and a witness finds them."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.board import parse_board
from hal.errors import OutOfRange
from hal.sim.sound.measure import level_db, tone
from hal.sim.sound.voices import hiss, hum, recording, speech
from hal.sim.sound.witness import rms_db, sounds_in, write_down
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import World

RATE_HZ = 48_000
BOARD = """
[product]
name = "Horn"
model = "HORN"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
[nodes]
horn = { compatible = "audio-out", device = "plughw:CARD=codec" }
"""


@given(
    hz=st.floats(200, 8000),
    s=st.floats(0.2, 1.5),
    db=st.floats(-50, 0),
    before_s=st.floats(0, 0.5),
    again=st.booleans(),
)
def test_a_witness_tells_when_a_tone_began_how_long_how_loud_and_how_high_it_was(
    hz: float, s: float, db: float, before_s: float, again: bool
) -> None:
    part = [np.zeros(round(before_s * RATE_HZ)), tone(RATE_HZ, hz, s, db=db), np.zeros(RATE_HZ // 5)]
    found = sounds_in(np.concatenate(part * 2 if again else part), RATE_HZ, -80.0)
    assert len(found) == (2 if again else 1)
    assert found[0].at_s == pytest.approx(before_s, abs=0.0005)
    for each in found:
        assert each.length_s == pytest.approx(s, abs=0.005)
        assert each.rms_dbfs == pytest.approx(db, abs=0.15)
        assert each.pitch_hz == pytest.approx(hz, abs=0.5 / s)


def test_silence_is_no_sound() -> None:
    assert sounds_in(np.zeros(RATE_HZ), RATE_HZ, -80.0) == []
    assert sounds_in(np.zeros(0), RATE_HZ, -80.0) == []


@pytest.mark.parametrize("db", [-6.0, -40.0])
def test_noise_and_speech_are_as_loud_as_was_asked_for_and_a_tone_too(db: float) -> None:
    for sound in (hiss(RATE_HZ, 1.0, db), speech(RATE_HZ, 3.0, db)):
        assert rms_db(sound) == pytest.approx(db, abs=0.01)
    assert level_db(hum(RATE_HZ, 1000, 1.0, db), RATE_HZ, 1000) == pytest.approx(db, abs=0.2)


def test_speech_has_pauses_and_more_low_than_high_sound() -> None:
    said = speech(RATE_HZ, 6.0, -20.0)
    assert len(sounds_in(said, RATE_HZ, -60.0)) >= 2
    power = np.abs(np.fft.rfft(said)) ** 2
    hz = np.fft.rfftfreq(len(said), 1 / RATE_HZ)
    assert power[(hz > 100) & (hz < 3000)].sum() > 0.95 * power.sum()


@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 1), (8_000, 2), (44_100, 1)])
def test_a_recording_is_said_at_its_own_pitch_whatever_its_rate(tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = tmp_path / "said.wav"
    whole = np.rint(tone(rate_hz, 440, 0.5, db=-12) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(whole, channels).tobytes())
    (found,) = sounds_in(recording(path, RATE_HZ), RATE_HZ, -60.0)
    assert found.pitch_hz == pytest.approx(440, abs=0.5)
    assert found.length_s == pytest.approx(0.5, abs=0.005)
    assert found.rms_dbfs == pytest.approx(-12, abs=0.3)


def test_what_was_heard_is_written_down_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    write_down(tone(RATE_HZ, 1000, 0.3, db=-6), RATE_HZ, path)
    (found,) = sounds_in(recording(path, RATE_HZ), RATE_HZ, -60.0)
    assert found.rms_dbfs == pytest.approx(-6, abs=0.1)


def test_a_file_that_is_no_recording_is_one_clear_error(tmp_path: Path) -> None:
    text, wide, long = tmp_path / "text.wav", tmp_path / "wide.wav", tmp_path / "long.wav"
    text.write_text("no sound")
    for path, width, seconds in ((wide, 3, 1), (long, 2, 61)):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(width)
            file.setframerate(8000)
            file.writeframes(b"\0" * width * 8000 * seconds)
    for path, why in ((text, "is not a WAV file"), (wide, "has samples of 24 bits"), (long, "lasts 61 s")):
        with pytest.raises(OutOfRange, match=why):
            recording(path, RATE_HZ)


def test_a_loss_and_a_drift_are_faults_of_a_speaker_and_end_with_the_others() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(BOARD, "b.toml"))
        for kind in ("loss:3dB", "drift:-100ppm", "dead"):
            world.fault("horn", kind)
        horn = world.find("speaker:horn")
        assert horn.state() == {"faults": ["dead"], "loss_db": 3.0, "drift_ppm": -100.0}
        for wrong, why in (
            ("loss:much", "loss 'much' is not a number from -60 to 60 dB"),
            ("drift:nan", "drift 'nan' is not a number from -1000 to 1000 ppm"),
            ("muffle", "cannot have the fault 'muffle'; did you mean 'muffled'?"),
        ):
            with pytest.raises(OutOfRange) as raised:
                world.fault("horn", wrong)
            assert raised.value.message == why
        world.fault("horn", "none")
        assert horn.state() == {"faults": [], "loss_db": 0.0, "drift_ppm": 0.0}
        world.close()

    virtual_run(main)
