"""Row 36: changed sound files by the thousand; the decoder neither crashes nor takes more time or memory than it may.

`make fuzz` makes it a million inputs, or ten minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from firmware.sound_files.child import MEMORY
from tests.effort import EFFORT, examples
from tests.fuzz.clips import corpus, one

ROOT = Path(__file__).resolve().parents[3]
INPUTS = 5_000
LONGEST_S = 600.0


def test_row_36_changed_clips_do_not_crash_the_decoder_or_take_more_than_it_may() -> None:
    seed = 1 if EFFORT == 1 else EFFORT
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.clips", str(seed), str(examples(INPUTS)), str(LONGEST_S)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"ended with {ended.returncode}: {ended.stderr[-2000:]}"
    said = json.loads(ended.stdout)
    print(said)
    # The inputs are of use only when they get as far as the decoder, and some past it.
    assert said["results"]["decoded"] > said["inputs"] / 20
    assert said["results"]["refused by the decoder"] > said["inputs"] / 200
    assert said["peak_mib"] < MEMORY // 1024 // 1024 + 64


def test_an_input_is_made_again_from_its_seed_and_number() -> None:
    good = corpus()
    assert [one(3, number, good) for number in range(20)] == [one(3, number, good) for number in range(20)]
