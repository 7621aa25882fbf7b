"""Echo cancellation: how much of the far end is taken away, what is left of the near one, and what a frame costs.

Echo loss is the level of what the microphone hears over that of what is handed on, while the far end alone speaks (as
ITU-T G.168 has it, with the residual suppressor at work); the door's own loudness is measured while both speak. Once in
a room that is computed, in which nothing is late, and once through the sound cards of the simulated room. A frame is
20 ms at 16 kHz. The floor of its cost is the library alone; on top of it come two low-pass filters and bookkeeping.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from bench.table import Row, percentile, show
from firmware.audio.cleaning import FRAME, RATE_HZ, TAIL_MS, Cleaner, Wishes
from hal.buses.speexdsp import SpeexVoice
from tests.live.sound import studio
from tests.live.sound.echo import Desk, at_the_desk, conversation
from tests.unit.audio.echo_room import BLOCK, CARD_HZ, Cleaned, Signal, echo_of, int16, speech, through

ALL = Wishes(echo_cancellation=True, noise_cancellation=True, automatic_gain=True)
ECHO = Wishes(echo_cancellation=True)
LENGTH_S = 12.0
WINDOWS_S = ((0, 2), (2, 4), (4, 8), (8, 12))


def new(wishes: Wishes) -> Cleaner:
    """A cleaner that has learned nothing."""
    cleaner = Cleaner(SpeexVoice(RATE_HZ, FRAME, TAIL_MS))
    cleaner.set(wishes)
    return cleaner


def losses(cleaned: Cleaned, where: str, until_s: float = LENGTH_S) -> list[Row]:
    """The echo loss, window by window."""
    return [
        Row(f"{where}: echo loss, {start} to {end} s", cleaned.loss_db(start, end), "dB", None, "")
        for start, end in WINDOWS_S
        if end <= until_s
    ]


def computed() -> list[Row]:
    """In the room that is computed: the far end alone, then both."""
    far = speech(LENGTH_S, dbfs=-20, seed=1)
    noise = np.random.default_rng(9).standard_normal(len(far)) * 10 ** (-70 / 20)
    rows = losses(through(new(ECHO), echo_of(far) + noise, far), "computed room")
    near: Signal = speech(LENGTH_S, dbfs=-26, seed=7)
    near[: 8 * CARD_HZ] = 0
    both = through(new(ECHO), echo_of(far) + noise + near, far)
    alone = through(Cleaner(), near, far)
    kept = both.level_db(both.clean, 8, 12) - alone.level_db(alone.clean, 8, 12)
    return [*rows, Row("computed room: near end while both speak", kept, "dB", None, "change of its level; 0 is kept")]


def on_cards() -> list[Row]:
    """Through the cards of the simulated room, in real time."""
    found: list[Cleaned] = []

    async def test(desk: Desk) -> None:
        found.append(await conversation(desk, 8.0))

    async def main(place: studio.Studio) -> None:
        await at_the_desk(place, test)

    with tempfile.TemporaryDirectory() as folder:
        studio.in_the_studio(Path(folder), main)
    return losses(found[0], "simulated cards", 8.0)


def costs() -> list[Row]:
    """Microseconds for a frame; blocks alternate, so that a drifting machine favours nobody."""
    far = int16(speech(LENGTH_S, dbfs=-20, seed=1))
    near = int16(echo_of(speech(LENGTH_S, dbfs=-20, seed=1)))
    whole, plain, library = new(ALL), Cleaner(), SpeexVoice(RATE_HZ, FRAME, TAIL_MS)
    library.set(echo=True, noise=True, gain=True)
    times: dict[str, list[float]] = {"library": [], "whole": [], "plain": []}

    def timed(name: str, work: object, *parts: tuple[object, object]) -> None:
        began_ns = time.perf_counter_ns()
        for part in parts:
            work(*part)  # type: ignore[operator]
        times[name].append((time.perf_counter_ns() - began_ns) / 1e3)

    for at in range(0, len(far) - 2 * BLOCK + 1, 2 * BLOCK):
        blocks = [(near[start : start + BLOCK], far[start : start + BLOCK]) for start in (at, at + BLOCK)]
        low = near[at : at + 3 * FRAME : 3].tobytes(), far[at : at + 3 * FRAME : 3].tobytes()
        timed("library", library.process, low)
        timed("whole", whole.put, *blocks)
        timed("plain", plain.put, *blocks)
    floor = percentile(times["library"], 0.5)
    return [
        Row(
            "echo, noise and gain, a frame of 20 ms", percentile(times["whole"], 0.5), "us", floor, "the library alone"
        ),
        Row("  p99", percentile(times["whole"], 0.99), "us", percentile(times["library"], 0.99), "the library, p99"),
        Row("  of it: 48 to 16 kHz, both ends", percentile(times["plain"], 0.5), "us", floor, "the library alone"),
    ]


def main() -> None:
    """Print the table."""
    show("echo", [*computed(), *on_cards(), *costs()])


if __name__ == "__main__":
    main()
