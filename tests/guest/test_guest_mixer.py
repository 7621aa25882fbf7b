"""A card's own mixer on a real kernel's card (snd-dummy), through the real library. What it stands at is read from the
kernel by its own control calls, and changed from outside by them.

Its volumes go from -50 to 100 in steps of 0.3 dB, from -45 to 0 dB.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hal.buses.alsa_mixer import AlsaMixer
from hal.errors import BusError
from hal.ports import SoundHardware
from tests.guest.sound_card import pcm, with_sound

CARD = Path("/proc/asound/desk")
NODES = """
[nodes.horn]
compatible = "audio-out"
device = "plughw:CARD=desk,DEV=0"
mixer = "Master"
gain_min_db = -90
gain_max_db = 6
[nodes.mic]
compatible = "audio-in"
device = "plughw:CARD=desk,DEV=0"
mixer = "Mic"
gain_min_db = -20
gain_max_db = 30
"""
CONTROLS = {"Master", "Synth", "Line", "CD", "Mic", "External I/O Box"}
# struct snd_ctl_elem_value of the kernel on a 64-bit machine: its name, then up to 128 values.
ELEMENT = struct.Struct("@IiII44sI I4x 128q 128x")
# struct snd_ctl_elem_info, and a scale in dB behind struct snd_ctl_tlv.
DESCRIPTION = struct.Struct("@IiII44sI iIIi 3q 104x 64x")
SCALE = struct.Struct("@II IIiI")
NAME_BYTES = 64
READ, WRITE = 0xC4C85512, 0xC4C85513
ADD, REMOVE, UNLOCK, WRITE_SCALE = 0xC1105517, 0xC0405519, 0x40405515, 0xC008551B
INTERFACE_MIXER, INTEGER, READABLE, WRITABLE, SCALED = 2, 2, 1, 2, 0x30
LOWEST_IS_SILENCE = 0x10000

pytestmark = pytest.mark.skipif(not CARD.exists(), reason=f"this kernel has no sound card with a mixer ({CARD})")


def number() -> int:
    """The number of the card."""
    return int(os.readlink(CARD).removeprefix("card"))


def element(request: int, name: str, *values: int) -> tuple[int, int]:
    """Read or write both channels of an element of the card."""
    fd = os.open(f"/dev/snd/controlC{number()}", os.O_RDWR)
    try:
        asked = ELEMENT.pack(0, INTERFACE_MIXER, 0, 0, name.encode(), 0, 0, *values, *([0] * (128 - len(values))))
        told = bytearray(asked)
        fcntl.ioctl(fd, request, told)
    finally:
        os.close(fd)
    left, right = ELEMENT.unpack(told)[7:9]
    return left, right


def volume_db(control: str) -> tuple[float, float]:
    """What the kernel says of a volume: left and right."""
    left, right = element(READ, f"{control} Volume")
    return round((left + 50) * 0.3 - 45, 2), round((right + 50) * 0.3 - 45, 2)


def turned(control: str, left: int, right: int) -> None:
    """Somebody else turns a volume."""
    element(WRITE, f"{control} Volume", left, right)


@contextmanager
def added(name: str, steps: int, lowest_db: int, *, locked: bool = False) -> Iterator[None]:
    """A volume more on the card, of 3 dB a step above a lowest one that is silence; where it begins."""
    fd = os.open(f"/dev/snd/controlC{number()}", os.O_RDWR)
    try:
        access = READABLE | WRITABLE | SCALED
        told = bytearray(
            DESCRIPTION.pack(0, INTERFACE_MIXER, 0, 0, name.encode(), 0, INTEGER, access, 2, 0, 0, steps, 1)
        )
        fcntl.ioctl(fd, ADD, told)
        element_number = DESCRIPTION.unpack(told)[0]
        fcntl.ioctl(fd, WRITE_SCALE, SCALE.pack(element_number, 16, 1, 8, lowest_db * 100, 300 | LOWEST_IS_SILENCE))
        if not locked:  # who adds one has it locked
            fcntl.ioctl(fd, UNLOCK, bytes(told[:NAME_BYTES]))
        try:
            yield
        finally:
            fcntl.ioctl(fd, REMOVE, bytes(told[:NAME_BYTES]))
    finally:
        os.close(fd)


def both(db: float) -> tuple[float, float]:
    return (db, db)


def test_the_loop_stays_the_first_card_and_the_one_with_a_mixer_is_the_second() -> None:
    assert os.readlink("/proc/asound/lintel") == "card0"
    assert os.readlink(CARD) == "card1"


def test_the_gain_of_a_speaker_is_the_volume_that_the_kernel_has_and_the_rest_is_in_the_samples(tmp_path: Path) -> None:
    async def test(hardware: SoundHardware) -> None:
        speaker = hardware.speakers["horn"]
        assert volume_db("Master") == both(0.0)
        # A speaker's card is never below the gain: the samples would be made louder, and cut off.
        for gain_db, card_db in ((-6.0, -6.0), (-6.1, -6.0), (-6.2, -6.0), (-6.29, -6.0), (-44.9, -44.7), (-0.1, 0.0)):
            speaker.set_gain(gain_db)
            assert volume_db("Master") == both(card_db), gain_db
            await speaker.play(pcm(1000.0, 0.05, 0.0))
            assert speaker.level.peak_dbfs == pytest.approx(gain_db, abs=0.05)
            await speaker.drain()
        assert speaker.clipped == 0
        for gain_db, card_db in ((-90.0, -45.0), (-45.0, -45.0), (6.0, 0.0)):  # beyond what it can
            speaker.set_gain(gain_db)
            assert volume_db("Master") == both(card_db), gain_db
        assert {control: volume_db(control) for control in others} == others

    others = {control: volume_db(control) for control in ("Synth", "Line", "Mic", "CD")}
    turned("Master", -50, 20)
    with_sound(tmp_path, NODES.split("[nodes.mic]")[0], test)
    assert volume_db("Master") == both(0.0)  # as it was left


def test_the_gain_of_a_microphone_is_the_volume_of_its_own_control(tmp_path: Path) -> None:
    async def test(hardware: SoundHardware) -> None:
        speaker, microphone = hardware.speakers["horn"], hardware.microphones["mic"]
        speaker.set_gain(-9.0)
        # A microphone's card is never above it: it would cut off what the samples are then made quieter.
        for gain_db, card_db in ((-12.0, -12.0), (-11.9, -12.0), (-11.71, -12.0), (-20.0, -20.1), (30.0, 0.0)):
            microphone.set_gain(gain_db)
            assert volume_db("Mic") == both(card_db), gain_db
            assert volume_db("Master") == both(-9.0)

    with_sound(tmp_path, NODES, test)


def test_a_mute_is_in_the_samples_and_leaves_volume_and_switch_of_the_card_as_they_are(tmp_path: Path) -> None:
    switch = "Mic Capture Switch"

    async def test(hardware: SoundHardware) -> None:
        speaker, microphone = hardware.speakers["horn"], hardware.microphones["mic"]
        for end, control in ((speaker, "Master"), (microphone, "Mic")):
            end.set_gain(-9.0)
            for muted in (True, False, True):
                end.mute(muted)
                assert end.muted is muted
                assert volume_db(control) == both(-9.0)
                assert element(READ, switch) == (1, 1)
            end.set_gain(-3.0)  # muted, and turned for later
            assert volume_db(control) == both(-3.0)
        await speaker.play(pcm(1000.0, 0.05, -6.0))
        assert speaker.level.peak_dbfs < -90.0
        await speaker.drain()
        speaker.mute(False)
        await speaker.play(pcm(1000.0, 0.05, -6.0))
        assert speaker.level.peak_dbfs == pytest.approx(-9.0, abs=0.05)

    element(WRITE, switch, 1, 1)
    with_sound(tmp_path, NODES, test)


def test_a_volume_that_somebody_else_turned_is_turned_back_by_the_next_gain_also_by_the_same_one(
    tmp_path: Path,
) -> None:
    async def test(hardware: SoundHardware) -> None:
        speaker = hardware.speakers["horn"]
        speaker.set_gain(-6.0)
        for left, right in ((0, 0), (100, -50), (130 - 50, 0)):
            turned("Master", left, right)
            speaker.set_gain(-6.0)
            assert volume_db("Master") == both(-6.0)

    with_sound(tmp_path, NODES, test)


def test_a_gain_below_all_that_the_card_can_do_does_not_choose_a_lowest_step_that_is_silence(tmp_path: Path) -> None:
    async def test(hardware: SoundHardware) -> None:
        speaker, microphone = hardware.speakers["horn"], hardware.microphones["mic"]
        assert element(READ, "Ear Capture Volume") == (1, 1)  # begun at 0 dB, which is below it
        for gain_db, step in ((-60.0, 1), (-48.0, 1), (-44.0, 2), (-5.0, 15), (0.0, 16)):
            speaker.set_gain(gain_db)
            assert element(READ, "Horn Playback Volume") == (step, step), gain_db
            await speaker.play(pcm(1000.0, 0.05, 0.0))
            assert speaker.level.peak_dbfs == pytest.approx(gain_db, abs=0.1)
            await speaker.drain()
        for gain_db, step in ((-10.0, 1), (2.9, 1), (3.0, 1), (11.0, 3), (30.0, 7)):
            microphone.set_gain(gain_db)
            assert element(READ, "Ear Capture Volume") == (step, step), gain_db

    with added("Horn Playback Volume", 16, -48), added("Ear Capture Volume", 7, 0):
        with_sound(tmp_path, NODES.replace('"Master"', '"Horn"').replace('"Mic"', '"Ear"'), test)


def test_a_silent_volume_that_another_program_has_locked_is_told_and_the_gain_is_done_in_the_samples(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(hardware: SoundHardware) -> None:
        speaker = hardware.speakers["horn"]
        speaker.set_gain(-12.0)
        await speaker.play(pcm(1000.0, 0.05, 0.0))
        assert speaker.level.peak_dbfs == pytest.approx(-12.0, abs=0.05)

    with added("Horn Playback Volume", 16, -48, locked=True):
        with_sound(tmp_path, NODES.replace('"Master"', '"Horn"'), test)
    (line,) = (record.getMessage() for record in caplog.records if record.name == "hal.assemble")
    why = "the mixer control 'Horn' cannot be turned up: it stays silent"
    assert line == f"horn: the gain is done in software: {why}"


def test_a_control_that_is_not_there_is_told_with_those_that_are_and_the_gain_is_done_in_the_samples(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(hardware: SoundHardware) -> None:
        speaker = hardware.speakers["horn"]
        speaker.set_gain(-12.0)
        await speaker.play(pcm(1000.0, 0.05, 0.0))
        assert speaker.level.peak_dbfs == pytest.approx(-12.0, abs=0.05)
        assert volume_db("Master") == untouched

    turned("Master", 3, 4)
    untouched = volume_db("Master")
    with_sound(tmp_path, NODES.replace('"Master"', '"Mastre"'), test)
    (line,) = (record.getMessage() for record in caplog.records if record.name == "hal.assemble")
    assert line.startswith("horn: the gain is done in software: no mixer control 'Mastre' on hw:CARD=desk: ")
    assert set(line.partition("; there are: ")[2].split(", ")) == CONTROLS


def test_a_card_without_a_volume_and_one_that_is_not_there_are_told_too() -> None:
    loop = "plughw:CARD=lintel,DEV=0"
    with pytest.raises(BusError, match=r"no mixer control 'Master' on hw:CARD=lintel: .*; there are: none$"):
        AlsaMixer.open("horn", loop, "Master", capture=False)
    with pytest.raises(BusError, match=r"no mixer control 'Master' on hw:CARD=nobody: .*; there are: none$"):
        AlsaMixer.open("horn", "hw:CARD=nobody", "Master", capture=False)


def test_a_control_that_was_given_back_says_so_and_its_volume_stays() -> None:
    mixer = AlsaMixer.open("horn", "plughw:CARD=desk", "Line", capture=False)
    assert mixer.range_db == (-45.0, 0.0)
    assert mixer.set(-30.0) == -30.0
    mixer.close()
    mixer.close()
    with pytest.raises(BusError, match="horn: the mixer control 'Line' cannot be used: it was closed"):
        mixer.set(-3.0)
    assert volume_db("Line") == both(-30.0)
