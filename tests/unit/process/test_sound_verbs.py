"""The bench's verbs of sound on a room that a test moves by hand: what is said, what was heard, and every mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from firmware.board_process.verbs import Verbs
from firmware.cli.bench import with_whole_paths
from firmware.core.errors import StationError
from hal.board import load_board
from hal.clock import SystemClock
from hal.errors import HalError
from hal.sim.sound import SoundRig, tone
from hal.sim.world import World

RATE_HZ = 48_000


class Bench:
    """The verbs, and the room they act on."""

    def __init__(self, verbs: Verbs, rig: SoundRig) -> None:
        self._verbs = verbs
        self.room = rig.room

    async def ask(self, *words: str) -> Any:
        """One verb's answer."""
        (answer,) = [answer async for answer in self._verbs.run(list(words))]
        return answer

    async def refused(self, *words: str) -> str:
        """The one line with which a verb is refused."""
        with pytest.raises((StationError, HalError)) as raised:
            await self.ask(*words)
        return str(raised.value)

    def plays(self, sound: np.ndarray) -> None:
        """The speakers give this, 10 ms at a time."""
        for start in range(0, len(sound), RATE_HZ // 100):
            self.room.carry(sound[start : start + RATE_HZ // 100])


def on_the_bench(folder: Path, test: Callable[[Bench], Awaitable[None]], board: str = "horn_speaker") -> None:
    """Run a test on the verbs of a board; the room stands still but for what the test does."""

    async def main() -> None:
        clock = SystemClock()
        world = World(clock, load_board(board))
        rig = SoundRig(world, folder)
        try:
            # No roles run, and no verb here asks for them.
            await test(Bench(Verbs(world, cast(Any, None), cast(Any, None), clock, rig), rig))
        finally:
            rig.close()
            world.close()

    asyncio.run(main())


def test_what_the_speakers_gave_is_told_sound_by_sound(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        pause = np.zeros(RATE_HZ // 4)
        parts = [pause, tone(RATE_HZ, 1000, 0.5, db=-12), pause, tone(RATE_HZ, 250, 0.25, db=-30), pause]
        bench.plays(np.concatenate(parts))
        heard = await bench.ask("heard", "--out", str(tmp_path / "heard.wav"))
        assert heard["length_s"] == 1.5
        assert [round(sound["pitch_hz"]) for sound in heard["sounds"]] == [1000, 250]
        assert [sound["at_s"] for sound in heard["sounds"]] == pytest.approx([0.25, 1.0], abs=0.001)
        assert [sound["length_s"] for sound in heard["sounds"]] == pytest.approx([0.5, 0.25], abs=0.001)
        assert [sound["rms_dbfs"] for sound in heard["sounds"]] == pytest.approx([-12, -30], abs=0.1)
        said = await bench.ask("hear", str(tmp_path / "heard.wav"))
        assert said == {"s": 1.5, "waits_s": 1.5}

    on_the_bench(tmp_path, test)


def test_what_is_said_comes_to_the_microphones_over_the_noise_and_not_out_of_the_speakers(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.ask("hear", "tone:440:0.5:-20") == {"s": 0.5, "waits_s": 0.5}
        assert await bench.ask("hear", "speech:2") == {"s": 2.0, "waits_s": 2.5}
        assert await bench.ask("noise", "-70") == {"noise_dbfs": -70.0}
        bench.plays(np.zeros(RATE_HZ // 2))
        (sound,) = (await bench.ask("heard", "microphone"))["sounds"]
        assert sound["pitch_hz"] == pytest.approx(440, abs=1)
        assert (await bench.ask("heard"))["sounds"] == []
        await bench.ask("hear", "quiet")
        bench.plays(np.zeros(RATE_HZ))
        assert len((await bench.ask("heard", "mic1"))["sounds"]) == 1

    on_the_bench(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("hear", "hear: write: hear tone:HZ[:S[:DBFS]]|noise[:S[:DBFS]]|speech[:S[:DBFS]]|FILE.wav|quiet"),
        ("hear tune:440", "hear: 'tune' is neither a sound nor a .wav file; did you mean 'tone'?"),
        ("hear tone:high", "hear tone: 'high' is not a number from 10 to 24000 Hz"),
        ("hear tone:440:90", "hear tone: '90' is not a number from 0.01 to 60 s"),
        ("hear speech:1:3", "hear speech: '3' is not a number from -120 to 0 dBFS"),
        ("noise loud", "noise: 'loud' is not a number from -120 to 0 dBFS"),
        ("heard mic2", "heard: no microphone 'mic2'; did you mean 'mic1'?"),
        ("heard --since now", "heard --since: 'now' is not a number of seconds"),
        ("heard --out", "--out: needs a value"),
        ("heard --out /no/such/folder/x.wav", "heard --out: /no/such/folder/x.wav: No such file or directory"),
        ("haer quiet", "bench: unknown verb 'haer'; did you mean 'hear'?"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_said(tmp_path: Path, words: str, line: str) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.refused(*words.split()) == line
        assert bench.room.still_said_s == 0

    on_the_bench(tmp_path, test)


def test_a_board_without_sound_says_so() -> None:
    async def main() -> None:
        clock = SystemClock()
        world = World(clock, load_board("ptz_dome"))
        verbs = Verbs(world, cast(Any, None), cast(Any, None), clock)
        with pytest.raises(StationError, match=r"^hear: this board has no speaker and no microphone$"):
            _ = [answer async for answer in verbs.run(["hear", "noise"])]
        world.close()

    asyncio.run(main())


def test_files_are_those_of_whoever_asks_wherever_the_board_process_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_whole_paths(["hear", "said.wav"]) == ["hear", str(tmp_path / "said.wav")]
    assert with_whole_paths(["heard", "--out", "x.wav", "mic1"]) == ["heard", "--out", str(tmp_path / "x.wav"), "mic1"]
    assert with_whole_paths(["hear", "tone:440"]) == ["hear", "tone:440"]
    assert with_whole_paths(["heard", "--out"]) == ["heard", "--out"]
    assert with_whole_paths(["show", "film.y4m", "road"]) == ["show", str(tmp_path / "film.y4m"), "road"]
    assert with_whole_paths(["show", "scene", "road"]) == ["show", "scene", "road"]
