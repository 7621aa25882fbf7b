"""The path over LTS versions, as the manual writes it (manual 001, Upgrade)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.upgrade.gate import Refusal
from firmware.upgrade.manifest import Version, track, version
from firmware.upgrade.policy import missing_lts
from tests.effort import examples

LTS = tuple(track(text) for text in ("9.80", "10.12", "11.11"))
CHECKS = 100


@pytest.mark.parametrize(
    ("current", "target", "first"),
    [
        ("11.2", "12.6", "11.11"),
        ("11.11.45", "12.6", None),
        ("10.12", "12.6.1", "11.11"),
        ("9.80", "13.0", "10.12"),
        ("11.2", "12.5", None),
        ("12.5", "12.6", None),
        ("9.10", "12.6", "9.80"),
        ("11.11", "11.11.1", None),
        ("12.6", "11.2", None),
        ("0.1.0", "0.2.0", None),
    ],
)
def test_the_table_of_the_specification(current: str, target: str, first: str | None) -> None:
    found = missing_lts(version(current), version(target), LTS)
    assert (found and found.text) == first


def any_version(chance: random.Random) -> Version:
    """A version near the interesting tracks."""
    numbers = [chance.randrange(8, 15), chance.randrange(14), chance.randrange(3)]
    return version(".".join(map(str, numbers[: chance.choice((2, 3))])))


@settings(max_examples=examples(200))
@given(st.integers(0, 2**63))
def test_twenty_thousand_random_paths_touch_every_lts_on_the_way(seed: int) -> None:
    """Whoever follows the advice arrives, after the fewest steps, and over every LTS track between."""
    chance = random.Random(seed)
    for _ in range(CHECKS):
        lts = tuple({one.track: one for one in (track_of(chance) for _ in range(chance.randrange(6)))}.values())
        here, target = any_version(chance), any_version(chance)
        steps = []
        at = here
        while (first := missing_lts(at, target, lts)) is not None:
            assert at.track < first.track < target.track
            steps.append(first.track)
            at = first
        between = sorted(one.track for one in lts if here.track < one.track < target.track)
        assert steps == (between if target.track >= (12, 6) and target > here else [])


def track_of(chance: random.Random) -> Version:
    """A track that may be an LTS."""
    return track(f"{chance.randrange(8, 15)}.{chance.randrange(14)}")


@given(st.text(max_size=20) | st.from_regex(r"[0-9.]{1,20}", fullmatch=True))
def test_a_version_is_two_to_four_plain_numbers_or_refused(text: str) -> None:
    parts = text.split(".")
    plain = all(part.isascii() and part.isdecimal() and str(int(part)) == part and len(part) <= 6 for part in parts)
    if plain and 2 <= len(parts) <= 4:
        read = version(text)
        assert read.numbers == tuple([*map(int, parts), 0, 0][:4])
    else:
        with pytest.raises(Refusal):
            version(text)
