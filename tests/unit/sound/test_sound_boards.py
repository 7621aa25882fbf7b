"""Sound in a board file: what is refused, what is simulated, and that control never opens it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hal.assemble import assemble
from hal.assemble_sound import assemble_sound
from hal.board import AudioInNode, AudioOutNode, board_names, describe_board, load_board, parse_board
from hal.errors import BoardError, BusError, LineInUse
from hal.sim.peers.base import Peer
from hal.sim.sound import SoundRig
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.wires import PcmIn, PcmOut

BOARD = """
[product]
name = "Studio"
model = "STUDIO"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/lintel/gpio" }
i2c1  = { kind = "i2c", device = "/dev/lintel/i2c-1" }
[nodes]
exp0 = { compatible = "mcp23017", bus = "i2c1" }
lamp = { compatible = "led", line = "gpio0:4" }
[nodes.horn]
compatible = "audio-out"
alias = "loud"
device = "plughw:CARD=codec"
rate_hz = 16000
gain_max_db = 6
[nodes.mic]
compatible = "audio-in"
device = "plughw:CARD=codec"
rate_hz = 16000
channels = 2
input_types = ["microphone", "line"]
power_types = ["none", "phantom"]
select = "gpio0:5"
power = "gpio0:6"
disable = "gpio0:7"
disable_active = "high"
disable_pull = "down"
"""

WRONG = {
    "a name that ALSA cannot have": (
        'device = "plughw:CARD=codec"\nrate_hz = 16000\ngain',
        'device = "plug hw"\ngain',
        "nodes.horn.device: should be the name of an ALSA device, such as plughw:CARD=codec (got 'plug hw')",
    ),
    "a rate that no card has": (
        "rate_hz = 16000\ngain",
        "rate_hz = 16001\ngain",
        "nodes.horn.rate_hz: should be 8000, 16000, 32000, 44100 or 48000 (got 16001)",
    ),
    "three channels": ("channels = 2", "channels = 3", "nodes.mic.channels: should be less than or equal to 2 (got 3)"),
    "limits the wrong way round": (
        "gain_max_db = 6",
        "gain_max_db = -70",
        "nodes.horn: gain_min_db -60 is above gain_max_db -70",
    ),
    "an unknown input type": (
        '"microphone", "line"',
        '"microphone", "lime"',
        "nodes.mic.input_types.1: should be 'microphone' or 'line' (got 'lime')",
    ),
    "no input type": (
        '["microphone", "line"]',
        "[]",
        "nodes.mic.input_types: value should have at least 1 item after validation, not 0 (got an array)",
    ),
    "a choice without its line": (
        'select = "gpio0:5"\n',
        "",
        "nodes.mic: select is the line that chooses between two input_types: both, or neither",
    ),
    "a line without a choice": (
        '"none", "phantom"',
        '"phantom"',
        "nodes.mic: power is the line that chooses between two power_types: both, or neither",
    ),
    "the same twice": (
        '"none", "phantom"',
        '"none", "none"',
        "nodes.mic: power_types names 'none' twice",
    ),
    "a line of somebody else": (
        'disable = "gpio0:7"',
        'disable = "gpio0:4"',
        "nodes.mic.disable: line 'gpio0:4' is already nodes.lamp.line",
    ),
    "a line of an expander": (
        'disable = "gpio0:7"',
        'disable = "exp0:7"',
        "nodes.mic.disable: must be a line of a GPIO chip: an expander belongs to the process of the doors, "
        "sound to another (got 'exp0:7')",
    ),
    "a key that it does not have": (
        "gain_max_db = 6",
        "gain_max = 6",
        "nodes.horn.gain_max: unknown key 'gain_max'; did you mean 'gain_max_db'?",
    ),
    "a device twice": (
        "[nodes.mic]",
        '[nodes.siren]\ncompatible = "audio-out"\ndevice = "plughw:CARD=codec"\n[nodes.mic]',
        "nodes.siren.device: 'plughw:CARD=codec' is already nodes.horn",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_about_sound_is_one_line(case: str) -> None:
    old, new, expected = WRONG[case]
    assert old in BOARD
    with pytest.raises(BoardError) as raised:
        parse_board(BOARD.replace(old, new, 1), "b.toml")
    assert str(raised.value) == f"b.toml: {expected}"


def test_a_board_says_its_sound_and_is_the_same_when_it_is_read_again() -> None:
    board = parse_board(BOARD, "b.toml")
    text = describe_board(board)
    assert "  horn (loud): audio-out channels=1 device=plughw:CARD=codec" in text
    assert "capabilities: expander, led, microphone, speaker" in text
    assert isinstance(board.nodes["horn"], AudioOutNode)
    microphone = board.nodes["mic"]
    assert isinstance(microphone, AudioInNode)
    assert type(microphone).model_validate(microphone.model_dump(mode="json")) == microphone


class NoSound(SimWires):
    """Wires on which nothing that sounds may be opened."""

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmOut:
        raise AssertionError(f"control opened {owner}")

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmIn:
        raise AssertionError(f"control opened {owner}")


def test_control_opens_the_lines_around_a_microphone_and_no_card() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(BOARD, "b.toml"))
        wires = NoSound(world)
        assembled = await assemble(world.board, wires, clock)
        assert set(assembled.hardware.leds) == {"lamp"}
        assert set(assembled.hardware.microphone_lines) == {"mic"}
        gpio = await SimWires(world).gpio("gpio0")
        for offset in (5, 6, 7):
            with pytest.raises(LineInUse, match="in use by 'mic'"):
                await gpio.inputs("media", [offset])
        await assembled.close()
        await wires.close()
        world.close()

    virtual_run(main)


def test_control_loads_neither_a_sound_library_nor_arrays() -> None:
    code = (
        "import sys, hal.assemble, hal.buses.real, hal.sim.wires, hal.sim.remote\n"
        "print(sorted({'numpy', 'alsaaudio'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


class HalfSound(SimWires):
    """A playing card works, a recording one does not; what was opened and closed is noted."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.closed: list[str] = []

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmOut:
        return SilentCard(self.closed)

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> PcmIn:
        raise BusError(device, "cannot be opened")


class SilentCard:
    """Takes everything at once."""

    period_frames = 160
    underruns = 0

    def __init__(self, closed: list[str]) -> None:
        self._closed = closed

    async def write(self, samples: bytes) -> None: ...

    async def drain(self) -> None: ...

    async def close(self) -> None:
        self._closed.append("card")


def test_when_one_card_cannot_be_opened_nothing_stays_open() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(BOARD, "b.toml"))
        wires = HalfSound(world)
        with pytest.raises(BusError, match=r"^mic: plughw:CARD=codec: cannot be opened$"):
            await assemble_sound(world.board, wires)
        assert wires.closed == ["card"]
        (await (await SimWires(world).gpio("gpio0")).inputs("heir", [5, 6, 7])).close()
        await wires.close()
        world.close()

    virtual_run(main)


def test_a_board_without_sound_opens_none() -> None:
    async def main(clock: VirtualClock) -> None:
        silent = [name for name in board_names() if not load_board(name).capabilities & {"speaker", "microphone"}]
        assert silent
        for name in silent:
            world = World(clock, load_board(name))
            opened = await assemble_sound(world.board, NoSound(world))
            assert not opened.hardware.speakers
            assert not opened.hardware.microphones
            await opened.close()
            world.close()

    virtual_run(main)


def test_the_bench_finds_speaker_and_microphone_by_name_and_alias() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(BOARD, "b.toml"))
        peer: Peer = world.find("speaker:loud")
        assert peer.state() == {"faults": [], "loss_db": 0.0, "drift_ppm": 0.0}
        world.fault("loud", "muffled")
        assert peer.faults == {"muffled"}
        assert set(world.find("microphone:mic").parts) == {"disable", "select", "power"}
        assert world.find("mic.power").state() is False
        world.close()

    virtual_run(main)


def test_cards_of_two_rates_are_one_error_that_says_so(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        board = BOARD.replace("rate_hz = 16000", "rate_hz = 8000", 1)
        world = World(clock, parse_board(board, "b.toml"))
        with pytest.raises(BoardError, match=r"sound cards of one rate \(got \[8000, 16000\]\)"):
            SoundRig(world, tmp_path)
        world.close()

    virtual_run(main)
    assert not list(tmp_path.iterdir())
