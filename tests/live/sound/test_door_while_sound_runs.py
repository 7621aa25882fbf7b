"""The door comes first: cards decide as before while the same device plays and is talked to, and when media dies."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import pytest

from tests.live.decisions import CARD, decision_ms
from tests.live.device import Device, running, until

BLOCKS, DECISIONS = 2, 8
# Generous: the machine is shared. `bench/sound_bench.py` tells the figures.
MOST_TIMES = 3.0


@pytest.fixture
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """A door station with one card."""
    with running(tmp_path_factory.mktemp("station") / "state", "door_station", "--no-web") as found:
        found.set_up()
        found.enrol(CARD)
        yield found


def test_cards_open_the_door_as_fast_while_sound_runs_and_when_media_is_killed(
    station: Device,
) -> None:
    still: list[float] = []
    loud: list[float] = []
    for _ in range(BLOCKS):
        still += [decision_ms(station) for _ in range(DECISIONS)]
        assert station.api.post("/actions/device.locate", json={"duration_s": 600}).status_code == 200
        station.ask("hear", "speech:60:-20")
        since = f"{station.ask('state')['now_s']:.3f}"
        until("sound", lambda since=since: station.ask("heard", "--since", since)["sounds"])  # type: ignore[misc]
        loud += [decision_ms(station) for _ in range(DECISIONS)]
        assert station.api.post("/actions/device.locate_stop", json={}).status_code == 200
        station.ask("hear", "quiet")
    station.kill("media")
    loud += [decision_ms(station) for _ in range(4)]
    assert median(loud) <= MOST_TIMES * median(still), (sorted(still), sorted(loud))
    assert station.ask("state")["roles"]["control"]["restarts"] == 0
