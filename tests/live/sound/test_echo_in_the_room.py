"""The echo canceller on sound cards: what is left of the far end in the simulated room, and of somebody who speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.live.sound.echo import Desk, at_the_desk, conversation
from tests.live.sound.studio import RATE_HZ, Studio, in_the_studio
from tests.unit.audio.echo_room import speech

pytestmark = pytest.mark.live

NEAR_DBFS = -20.0


def test_the_far_end_grows_quiet_in_the_room_and_somebody_at_the_microphone_does_not(tmp_path: Path) -> None:
    """In its best second: on a busy machine a late block moves the echo, and the canceller has to learn it anew.

    How much it takes away is measured by `make bench`, and in virtual time by `tests/unit/audio/test_speech.py`.
    """

    async def test(desk: Desk) -> None:
        near = speech(2.5, dbfs=NEAR_DBFS, seed=7)
        cleaned = await conversation(desk, 6.5, np.concatenate([np.zeros(4 * RATE_HZ), near]))
        assert max(cleaned.loss_db(start_s, start_s + 1.0) for start_s in (1.0, 2.0, 3.0)) > 5
        assert cleaned.level_db(cleaned.clean, 4.2, 6.5) == pytest.approx(NEAR_DBFS, abs=3)

    async def main(studio: Studio) -> None:
        await at_the_desk(studio, test)

    in_the_studio(tmp_path, main)
