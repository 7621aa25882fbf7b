"""Sound on a real kernel's card (snd-aloop), by the names in a board file: what is played is heard at the other end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from hal.errors import BusError, LineInUse
from hal.ports import SoundHardware
from hal.sim.sound.witness import Heard, sounds_in
from tests.guest.sound_card import RATE_HZ, Ear, pcm, with_sound

CARD = Path("/proc/asound/lintel")
NODES = """
[nodes.horn]
compatible = "audio-out"
device = "hw:CARD=lintel,DEV=0,SUBDEV=0"
gain_min_db = -40
[nodes.mic]
compatible = "audio-in"
device = "hw:CARD=lintel,DEV=1,SUBDEV=0"
"""
FLOOR_DB = -80.0

pytestmark = pytest.mark.skipif(not CARD.exists(), reason=f"this kernel has no looped sound card ({CARD})")


async def played(hardware: SoundHardware, ear: Ear, hz: float, s: float, db: float) -> list[Heard]:
    """Play a tone; the sounds that the microphone heard of it."""
    speaker = hardware.speakers["horn"]
    ear.take()
    await speaker.play(pcm(hz, s, db))
    await speaker.drain()
    await ear.hears(0.2)  # what has left the speaker's buffer is in the microphone's
    return sounds_in(ear.take(), RATE_HZ, FLOOR_DB)


@pytest.mark.parametrize("plug", ["hw", "plughw"])
def test_a_tone_out_of_the_speaker_is_heard_by_the_microphone_with_its_pitch_level_and_length(
    tmp_path: Path, plug: str
) -> None:
    async def test(hardware: SoundHardware) -> None:
        ear = Ear()
        hardware.microphones["mic"].listen(ear)
        for hz, db in ((440.0, -3.0), (1000.0, -20.0), (5000.0, -40.0)):
            (sound,) = await played(hardware, ear, hz, 1.0, db)
            assert sound.pitch_hz == pytest.approx(hz, abs=0.5)
            assert sound.rms_dbfs == pytest.approx(db, abs=0.1)
            assert sound.length_s == pytest.approx(1.0, abs=0.005)
        assert hardware.speakers["horn"].underruns == 0

    with_sound(tmp_path, NODES.replace('"hw:', f'"{plug}:'), test)


def test_what_is_heard_is_the_gain_of_both_ends_and_nothing_while_one_of_them_is_muted(tmp_path: Path) -> None:
    async def test(hardware: SoundHardware) -> None:
        ear, speaker, microphone = Ear(), hardware.speakers["horn"], hardware.microphones["mic"]
        microphone.listen(ear)
        for out_db, in_db in ((0.0, 0.0), (-12.5, 0.0), (-30.0, 20.0), (0.0, -6.0)):
            speaker.set_gain(out_db)
            microphone.set_gain(in_db)
            await ear.hears(0.1)  # the ramp of the microphone's gain is over
            (sound,) = await played(hardware, ear, 1000.0, 0.5, -20.0)
            assert sound.rms_dbfs == pytest.approx(-20.0 + out_db + in_db, abs=0.1)
            assert sound.pitch_hz == pytest.approx(1000.0, abs=0.5)
        for end in (speaker, microphone):
            end.mute(True)
            await ear.hears(0.1)
            assert await played(hardware, ear, 1000.0, 0.5, -20.0) == []
            end.mute(False)
            await ear.hears(0.1)
            (sound,) = await played(hardware, ear, 1000.0, 0.5, -20.0)
            assert sound.rms_dbfs == pytest.approx(-26.0, abs=0.1)

    with_sound(tmp_path, NODES, test)


def test_two_channels_come_through_in_their_order(tmp_path: Path) -> None:
    async def test(hardware: SoundHardware) -> None:
        ear, speaker = Ear(), hardware.speakers["horn"]
        hardware.microphones["mic"].listen(ear)
        left, right = (np.frombuffer(pcm(hz, 0.5, -20.0), "<i2") for hz in (500.0, 2000.0))
        await speaker.play(np.column_stack([left, right]).tobytes())
        await speaker.drain()
        await ear.hears(0.2)
        both = ear.take().reshape(-1, 2)
        for heard, hz in zip(both.T, (500.0, 2000.0), strict=True):
            (sound,) = sounds_in(heard, RATE_HZ, FLOOR_DB)
            assert sound.pitch_hz == pytest.approx(hz, abs=0.5)
            assert sound.rms_dbfs == pytest.approx(-20.0, abs=0.1)

    with_sound(tmp_path, NODES.replace("\ndevice", "\nchannels = 2\ndevice"), test)


async def never(_: SoundHardware) -> None:
    """What comes after an opening that must fail."""
    raise AssertionError("it was opened")


def test_a_card_that_is_not_there_is_named_with_the_node_that_wants_it(tmp_path: Path) -> None:
    with pytest.raises(BusError, match=r"^horn: cannot open the audio device 'hw:CARD=nobody,DEV=0': ") as caught:
        with_sound(tmp_path, NODES.replace("CARD=lintel,DEV=0,SUBDEV=0", "CARD=nobody,DEV=0"), never)
    assert not isinstance(caught.value, LineInUse)


def test_a_device_that_somebody_has_is_in_use_and_what_was_opened_before_it_is_given_back(tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    speaker, microphone = NODES.split("[nodes.mic]")
    microphone_first = "[nodes.mic]" + microphone + speaker

    async def beside(_: SoundHardware) -> None:
        message = r"^horn: the audio device 'hw:CARD=lintel,DEV=0,SUBDEV=0' is in use by another program$"
        with pytest.raises(LineInUse, match=message):
            await asyncio.to_thread(with_sound, second, microphone_first, never)

    with_sound(tmp_path, speaker, beside)

    async def again(hardware: SoundHardware) -> None:
        ear = Ear()
        hardware.microphones["mic"].listen(ear)
        (sound,) = await played(hardware, ear, 1000.0, 0.5, -20.0)
        assert sound.rms_dbfs == pytest.approx(-20.0, abs=0.1)

    with_sound(tmp_path, microphone_first, again)
