"""Row 24: the network is lost, flaps, changes its address, a thousand clients come and go; the door knows nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.live.device import PATIENCE_S
from tests.live.roaming import ATTEMPTS, CONNECTIONS, FLAPS
from tests.live.two_ends import on_a_stage


def test_row_24_whatever_the_network_does_cards_open_and_all_is_found_again_without_a_restart(tmp_path: Path) -> None:
    told = on_a_stage("tests.live.roaming", tmp_path / "state", PATIENCE_S * 4)
    assert told["swiped"] == told["opened"] == 1 + FLAPS + 2 + 1 + 10
    assert told["questions"] == 1
    assert len(told["devices"]) == 1
    assert told["clients"] == CONNECTIONS
    assert told["same_processes"]
    # Waits of 1, 2 and 4 s, each shortened by up to a half: a busy machine makes them longer, and none shorter.
    waits = [after - before for before, after in pairwise(told["attempts"][:ATTEMPTS])]
    least = [0.5 * (1 << number) for number in range(ATTEMPTS - 1)]
    assert all(waited > 0.8 * shortest for waited, shortest in zip(waits, least, strict=True)), waits
