"""How often the tampering detector looks: seldom before a scene that is well, and yet it finds the same."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.stream.pace import Pace
from firmware.core.vocabulary.watch import TamperPhase
from firmware.video.tamper_rules import CALM_LOOKS_HZ, LOOKS_HZ, NOTHING_NEW, Finding, TamperRules, TamperWatch
from tests.effort import examples
from tests.unit.watch.scenes import KINDS, of_kind

PICTURE_NS = round(1e9 / LOOKS_HZ)
CALM_NS = round(1e9 / CALM_LOOKS_HZ)


@dataclass
class Looked:
    """A detector before pictures of which it takes every one, or those that are due."""

    watch: TamperWatch
    every: bool
    looks: list[int] = field(default_factory=list)

    def offer(self, t_ns: int, kind: str) -> Finding:
        if not self.every and not self.watch.is_due(t_ns):
            return NOTHING_NEW
        self.looks.append(t_ns)
        return self.watch.feed(t_ns, of_kind(kind))


def looked(rules: TamperRules | None = None, *, every: bool = False) -> Looked:
    """One that has learned the scene, up to the instant 0."""
    made = Looked(TamperWatch(rules), every)
    for picture in range(-44, 1):
        made.offer(picture * PICTURE_NS, "well")
    assert made.watch.phase is TamperPhase.ARMED
    made.looks.clear()
    return made


def told(looked: Looked, pictures: list[str]) -> list[tuple[int, Finding]]:
    """What was found, and at which picture."""
    found = []
    for place, kind in enumerate(pictures, start=1):
        finding = looked.offer(place * PICTURE_NS, kind)
        if finding != NOTHING_NEW:
            found.append((place, finding))
    return found


# Whatever is before the lens, for as long as a look is apart from the next one, or longer.
stories = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(2, 40)), max_size=20)


@settings(max_examples=examples(100))
@given(stories, st.floats(1, 20), st.booleans())
def test_who_looks_only_when_it_is_due_finds_the_same_at_most_one_slow_period_later(
    story: list[tuple[str, int]], delay_s: float, on_dark: bool
) -> None:
    rules = TamperRules(delay_s=delay_s, on_dark=on_dark)
    pictures = [kind for kind, count in story for _ in range(count)]
    always, due = told(looked(rules, every=True), pictures), told(looked(rules), pictures)
    late = CALM_NS // PICTURE_NS
    for (at, finding), (later, same) in zip(always, due, strict=False):
        if finding.detected is not None and not (at <= later <= at + late and same.detected is not None):
            # What is wrong only just as long as the delay is at the edge: one of them may miss its last picture.
            assert any(kind != pictures[at - 1] for kind in pictures[at : at + late])
            return
        if finding.detected is not None:
            assert finding.detected is same.detected or len(set(pictures[at - 1 : later])) > 1
        else:
            assert (at, finding) == (later, same)
    if len(always) != len(due):  # at the end the slower one may still be a picture behind, and has nothing of its own
        assert len(always) == len(due) + 1
        at, finding = always[-1]
        assert finding.detected is not None
        assert len(set(pictures[at - 1 : at + late])) > 1 or at + late > len(pictures)


@settings(max_examples=examples(60))
@given(stories)
def test_before_anything_but_a_scene_that_is_well_every_picture_is_looked_at(story: list[tuple[str, int]]) -> None:
    watched, looks_well = looked(), True
    t_ns = 0
    for kind, count in story:
        for _ in range(count):
            t_ns += PICTURE_NS
            before = len(watched.looks)
            watched.offer(t_ns, kind)
            taken = len(watched.looks) > before
            assert taken or looks_well
            if taken:
                looks_well = kind == "well" and watched.watch.tampered is None


@pytest.mark.parametrize("fps", [3, 4, 5, 10, 15, 25, 29.97, 30, 60])
def test_a_scene_that_is_well_is_looked_at_about_twice_a_second_whatever_the_camera(fps: float) -> None:
    watched, pace = looked(), Pace(LOOKS_HZ)
    for number in range(1, round(60 * fps)):
        t_ns = round(number * 1e9 / fps)
        if pace.takes(t_ns):
            watched.offer(t_ns, "well")
    gaps_s = [(later - earlier) / 1e9 for earlier, later in zip(watched.looks, watched.looks[1:], strict=False)]
    assert max(gaps_s) <= 1 / CALM_LOOKS_HZ + 1 / fps
    assert len(watched.looks) <= 60 * max(CALM_LOOKS_HZ, min(fps, 3)) + 1


def test_while_it_learns_every_picture_is_looked_at() -> None:
    watched = Looked(TamperWatch(), every=False)
    for picture in range(40):
        watched.offer(picture * PICTURE_NS, "well")
    assert watched.watch.phase is TamperPhase.LEARNING
    assert len(watched.looks) == 40


def test_after_the_signal_was_lost_or_the_scene_forgotten_the_first_picture_is_looked_at() -> None:
    for upset in (TamperWatch.no_signal, TamperWatch.relearn):
        watched = looked()
        watched.offer(2 * PICTURE_NS, "well")
        assert not watched.watch.is_due(3 * PICTURE_NS)
        upset(watched.watch)
        assert watched.watch.is_due(3 * PICTURE_NS)
