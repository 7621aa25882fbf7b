"""A card with a volume of its own: it does as much of the gain as it can, and the samples are given the rest.

There is no card here: the library's class is stood in for by one that keeps its signatures, with a control in steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import alsaaudio
import numpy as np
import pytest

from hal.assemble_sound import assemble_sound
from hal.board import parse_board
from hal.buses.alsa_mixer import AlsaMixer, card_of
from hal.errors import BoardError, BusError, OutOfRange
from hal.ports import Microphone, Speaker
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.sounds import SoundBlock
from tests.unit.audio.card import Card, Membrane

BOARD = """
[product]
name = "Studio"
model = "STUDIO"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
[nodes.horn]
compatible = "audio-out"
device = "plughw:CARD=codec,DEV=0"
mixer = "Speaker"
gain_min_db = -90
gain_max_db = 6
[nodes.mic]
compatible = "audio-in"
device = "plughw:CARD=codec"
mixer = "Capture"
gain_min_db = -10
gain_max_db = 30
"""
STEP = 1 / 32768


# What the library says of a volume that is muted, in hundredths of a dB (SND_CTL_TLV_DB_GAIN_MUTE).
MUTED = -9999999


class SteppedMixer:
    """A control of 3 dB a step, from -48 to 0 dB for playing and from 0 to 21 dB for recording.

    A volume in dB that it has not got is the nearest, and an event of another program is taken in by a look alone, as
    in the library. With `mutes` its lowest step is silence.
    """

    there: dict[str, SteppedMixer] = {}
    mutes = False
    locked_at: int | None = None

    def __init__(self, control: str = "Master", id: int = 0, cardindex: int = -1, device: str = "default") -> None:
        if control not in ("Speaker", "Capture") or device != "hw:CARD=codec":
            raise alsaaudio.ALSAAudioError(f"Unable to find mixer control {control},0 [{device}]")
        self.capture = control == "Capture"
        self.lowest_db, self.steps = (0, 7) if self.capture else (-48, 16)
        self.step = self.known = 1 if self.locked_at is None else self.locked_at
        self.closed = False
        self.broken = False
        SteppedMixer.there[control] = self

    @property
    def db(self) -> float:
        return self._centibels(self.step) / 100

    def _centibels(self, step: int) -> int:
        return MUTED if self.mutes and not step else (self.lowest_db + 3 * step) * 100

    def getrange(self, pcmtype: int = -1, units: int = -1) -> list[int]:
        assert pcmtype == (alsaaudio.PCM_CAPTURE if self.capture else alsaaudio.PCM_PLAYBACK)
        assert units == alsaaudio.VOLUME_UNITS_DB
        return [self._centibels(0), self._centibels(self.steps)]

    def getvolume(self, pcmtype: int = -1, units: int = -1) -> list[int]:
        assert units in (alsaaudio.VOLUME_UNITS_DB, alsaaudio.VOLUME_UNITS_RAW)
        self.known = self.step
        return [self.step if units == alsaaudio.VOLUME_UNITS_RAW else self._centibels(self.step)] * 2

    def setvolume(self, volume: int, channel: int = -1, pcmtype: int = -1, units: int = -1) -> None:
        assert channel == alsaaudio.MIXER_CHANNEL_ALL
        if self.broken:
            raise alsaaudio.ALSAAudioError("No such device")
        if units == alsaaudio.VOLUME_UNITS_DB:
            low, high = self.getrange(pcmtype, units)
            assert low <= volume <= high
            volume = max(0, round((volume / 100 - self.lowest_db) / 3))
        assert 0 <= volume <= self.steps
        if volume != self.known and self.locked_at is None:
            self.step = self.known = volume

    def close(self) -> None:
        self.closed = True


def test_the_stand_in_has_the_signatures_that_the_library_documents() -> None:
    wanted = {"getrange", "getvolume", "setvolume", "close"}
    assert wanted <= set(dir(alsaaudio.Mixer))
    assert wanted <= {name for name, _ in inspect.getmembers(SteppedMixer, inspect.isfunction)}
    with pytest.raises(alsaaudio.ALSAAudioError):  # the real one takes the same words, and finds no such card here
        alsaaudio.Mixer(control="Speaker", device="hw:CARD=lintel_no_such_card")


class Wires(SimWires):
    """Cards in virtual time, with the mixer of the real wires."""

    def __init__(self, world: World, clock: VirtualClock) -> None:
        super().__init__(world)
        self._time = clock
        self.card: Card
        self.membrane: Membrane

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        self.card = Card(self._time)
        return self.card

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        self.membrane = Membrane()
        return self.membrane

    async def pcm_mixer(self, owner: str, device: str, control: str, *, capture: bool) -> AlsaMixer:
        return AlsaMixer.open(owner, device, control, capture=capture)


def with_cards(
    monkeypatch: pytest.MonkeyPatch, test: Callable[[Wires, Speaker, Microphone], Awaitable[None]], board: str = BOARD
) -> None:
    """Open the board on the stand-in, run a test, close everything."""
    SteppedMixer.there.clear()
    monkeypatch.setattr(alsaaudio, "Mixer", SteppedMixer)
    monkeypatch.setattr(alsaaudio, "mixers", lambda device: ["Speaker", "Capture"])

    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(board, "b.toml"))
        wires = Wires(world, clock)
        opened = await assemble_sound(world.board, wires)
        await test(wires, opened.hardware.speakers["horn"], opened.hardware.microphones["mic"])
        await opened.close()
        await wires.close()
        world.close()

    virtual_run(main)
    assert all(mixer.closed for mixer in SteppedMixer.there.values())


async def played(wires: Wires, speaker: Speaker, value: float = 0.25) -> float:
    """What the samples are at the card when a steady signal is played."""
    await speaker.play(np.full(4800, round(value * 32768), "<i2").tobytes())
    await speaker.drain()
    return float(wires.card.out[-480])


@pytest.mark.parametrize(
    ("gain_db", "card_db"),
    [(0.0, 0.0), (-3.0, -3.0), (-4.0, -3.0), (-5.0, -3.0), (-47.9, -45.0), (6.0, 0.0), (-60.0, -48.0)],
)
def test_card_and_samples_together_make_exactly_the_gain(
    monkeypatch: pytest.MonkeyPatch, gain_db: float, card_db: float
) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        speaker.set_gain(gain_db)
        control = SteppedMixer.there["Speaker"]
        assert control.db == card_db
        in_samples = await played(wires, speaker)
        assert in_samples * 10 ** (card_db / 20) == pytest.approx(0.25 * 10 ** (gain_db / 20), abs=STEP)
        assert speaker.gain_db == gain_db
        await speaker.play(np.full(480, 8192, "<i2").tobytes())
        assert speaker.level.peak_dbfs == pytest.approx(-12.04 + gain_db, abs=0.05)
        await speaker.drain()
        speaker.mute(True)
        assert await played(wires, speaker) == 0.0

    with_cards(monkeypatch, test)


def test_the_loudest_sound_is_not_cut_off_at_a_gain_between_two_steps_of_the_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        for gain_db in (-1.0, -4.0, -5.9, -40.1):
            speaker.set_gain(gain_db)
            assert await played(wires, speaker, 32767 / 32768) <= 1.0
        assert speaker.clipped == 0

    with_cards(monkeypatch, test)


def test_a_volume_that_somebody_else_turned_is_turned_back_by_the_same_gain_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        speaker.set_gain(-6.0)
        SteppedMixer.there["Speaker"].step = 2
        speaker.set_gain(-6.0)
        assert SteppedMixer.there["Speaker"].db == -6.0

    with_cards(monkeypatch, test)


def test_a_gain_below_all_that_a_card_can_do_does_not_mute_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        speaker.set_gain(-60.0)
        assert SteppedMixer.there["Speaker"].db == -45.0
        in_samples = await played(wires, speaker)
        assert in_samples * 10 ** (-45 / 20) == pytest.approx(0.25 * 10 ** (-60 / 20), abs=STEP)
        for gain_db in (-10.0, 2.9):
            microphone.set_gain(gain_db)
            assert SteppedMixer.there["Capture"].db == 3.0

    monkeypatch.setattr(SteppedMixer, "mutes", True)
    with_cards(monkeypatch, test)


def test_a_card_that_stays_silent_is_told_and_the_gain_is_done_in_the_samples(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        speaker.set_gain(-6.0)
        assert await played(wires, speaker) == pytest.approx(0.25 * 10 ** (-6 / 20), abs=STEP)

    monkeypatch.setattr(SteppedMixer, "mutes", True)
    monkeypatch.setattr(SteppedMixer, "locked_at", 0)
    with_cards(monkeypatch, test)
    assert caplog.messages[0] == (
        "horn: the gain is done in software: the mixer control 'Speaker' cannot be turned up: it stays silent"
    )


def test_a_microphone_is_amplified_by_its_card_and_its_level_is_what_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        blocks: list[SoundBlock] = []
        microphone.listen(blocks.append)
        microphone.set_gain(11.0)
        assert SteppedMixer.there["Capture"].db == 9.0
        microphone.set_gain(10.0)
        assert SteppedMixer.there["Capture"].db == 9.0
        for _ in range(3):
            wires.membrane.hear(3277)  # as the card hands it over, amplified by 9 dB already
        assert blocks[-1].level.peak_dbfs == pytest.approx(-20.0 + 1.0, abs=0.05)

    with_cards(monkeypatch, test)


def test_a_control_that_is_not_there_leaves_the_gain_to_the_samples_and_the_log_names_those_that_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        speaker.set_gain(-6.0)
        assert await played(wires, speaker) == pytest.approx(0.25 * 10 ** (-6 / 20), abs=STEP)

    with_cards(monkeypatch, test, BOARD.replace('mixer = "Speaker"', 'mixer = "Lautsprecher"'))
    (line,) = caplog.messages
    assert line.startswith("horn: the gain is done in software: no mixer control 'Lautsprecher' on hw:CARD=codec: ")
    assert line.endswith("there are: Speaker, Capture")


def test_a_control_that_fails_later_is_an_error_and_the_gain_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(wires: Wires, speaker: Speaker, microphone: Microphone) -> None:
        speaker.set_gain(-3.0)
        SteppedMixer.there["Speaker"].broken = True
        with pytest.raises(BusError, match=r"horn: the mixer control 'Speaker' cannot be used: No such device"):
            speaker.set_gain(-9.0)
        assert speaker.gain_db == -3.0
        with pytest.raises(OutOfRange):
            speaker.set_gain(7.0)

    with_cards(monkeypatch, test)


def test_the_card_of_a_device_is_found_in_its_name() -> None:
    assert card_of("plughw:CARD=codec,DEV=0") == "hw:CARD=codec"
    assert card_of("hw:codec") == "hw:CARD=codec"
    assert card_of("plughw:1,0") == "hw:CARD=1"
    assert card_of("default") == "default"


def test_a_control_that_cannot_be_one_is_refused_by_the_board_file() -> None:
    with pytest.raises(BoardError, match=r"nodes.horn.mixer: should be the name of a simple mixer control"):
        parse_board(BOARD.replace('mixer = "Speaker"', 'mixer = "Spea\'ker"'), "b.toml")
