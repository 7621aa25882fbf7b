"""What a look at a rig makes of the levels it saw: the copper is a model, and whatever is broken in it is named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hal.board.ways import Way
from hal.types import LineRef
from tests.bench.rig.check import Walk, diagnose
from tests.bench.rig.wiring import Wire

COUNT = 6
WIRES = [Wire(f"wire {at}", LineRef("gpio0", at), LineRef("pi", at + 10), Way.IN) for at in range(COUNT)]


class Copper:
    """A rig whose ends reach the probe lines of `reaches`, or none; `stuck` ends have a level of their own."""

    def __init__(self, reaches: dict[int, int | None], stuck: dict[int, bool], closes_only: frozenset[int]) -> None:
        self.reaches, self.stuck, self.closes_only = reaches, stuck, closes_only

    def end(self, end: int, high: int | None, pull_up: bool) -> bool:
        if end in self.stuck:
            return self.stuck[end]
        probe = self.reaches[end]
        if probe is None:
            return pull_up
        if probe in self.closes_only and probe == high:
            return pull_up  # an open contact holds nothing
        return probe == high

    def walk(self, pull_up: bool) -> Walk:
        seen = [tuple(self.end(end, high, pull_up) for end in range(COUNT)) for high in (None, *range(COUNT))]
        return Walk(seen[0], tuple(seen[1:]))

    def found(self) -> list[str]:
        pushes = [at not in self.closes_only for at in range(COUNT)]
        return diagnose(WIRES, self.walk(False), self.walk(True), pushes)


kinds = st.frozensets(st.integers(0, COUNT - 1))


@given(kinds, kinds, st.dictionaries(st.integers(0, COUNT - 1), st.booleans()))
def test_exactly_the_broken_wires_are_named_with_what_is_wrong(
    closes_only: frozenset[int], cut: frozenset[int], stuck: dict[int, bool]
) -> None:
    reaches = {end: None if end in cut else end for end in range(COUNT)}
    wrong = {end: "no contact" for end in cut} | {
        end: f"stuck {'high' if level else 'low'}" for end, level in stuck.items()
    }
    expected = [f"{WIRES[end].title}: {wrong[end]}" for end in sorted(wrong)]
    assert Copper(reaches, stuck, closes_only).found() == expected


@given(st.permutations(range(COUNT)))
def test_wires_in_the_wrong_places_are_named_with_the_places_that_they_reach(order: list[int]) -> None:
    found = Copper(dict(enumerate(order)), {}, frozenset()).found()
    moved = [end for end, probe in enumerate(order) if end != probe]
    assert found == [
        f"{WIRES[end].title}: swapped: it follows the probe line of {WIRES[order[end]].end}" for end in moved
    ]


def test_a_bridge_is_told_from_a_swap() -> None:
    seen = [[False] * COUNT for _ in range(COUNT + 1)]
    for at in range(COUNT):
        seen[at + 1][at] = True
    seen[2][2] = seen[3][1] = True  # ends 1 and 2 follow either probe line
    walk = Walk(tuple(seen[0]), tuple(tuple(row) for row in seen[1:]))
    assert diagnose(WIRES, walk, walk, [True] * COUNT) == [
        f"{WIRES[1].title}: joined to wire 2 GPIO2",
        f"{WIRES[2].title}: joined to wire 1 GPIO1",
    ]
