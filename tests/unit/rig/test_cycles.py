"""A relay's contact is measured right: a simulated relay whose bounce is known, in virtual time, and edges by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.assemble import assemble
from hal.board import load_board
from hal.drivers.readback import SETTLE_S
from hal.sim.peers.switch import BOUNCES_S, DROP_OUT_S, PULL_IN_S, StrikePeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from tests.bench.rig.cycles import figures, measure, troubles
from tests.bench.rig.endurance import Endurance, Plan, endure, write_report

BOARD = "tests/bench/rig/boards/rig_door.toml"
MS = 1_000_000


def endured(plan: Plan, before: Callable[[StrikePeer], None], ended: Callable[[], bool] = lambda: False) -> Endurance:
    """A run of the rig's board on a simulated relay."""

    async def scene(clock: VirtualClock) -> Endurance:
        world = World(clock, load_board(BOARD))
        wires = SimWires(world)
        strike = world.find("relay:door")
        assert isinstance(strike, StrikePeer)
        before(strike)
        try:
            assembled = await assemble(world.board, wires, clock)
            try:
                relay = assembled.hardware.relays["relay1"]
                run = await endure(relay, strike.contact, clock, plan, names=("relay1", "the contact"), ended=ended)
                assert not relay.is_on()
                return run
            finally:
                await assembled.close()
        finally:
            await wires.close()
            world.close()

    return virtual_run(scene)


def test_the_known_bounce_of_a_simulated_relay_is_found_in_every_cycle() -> None:
    run = endured(Plan(cycles=200, on_s=0.5, off_s=0.5), lambda strike: strike.fault("bounce"))
    assert run.troubles == ()
    known = {
        "pull_in_s": PULL_IN_S,
        "bounce_s": BOUNCES_S[-1],
        "width_s": 0.5 + DROP_OUT_S - PULL_IN_S - BOUNCES_S[-1],
        "drop_out_s": DROP_OUT_S,
        "release_bounce_s": 0.0,
    }
    for figure in run.figures:
        assert figure.count == 200
        for value in (figure.least, figure.median, figure.most):
            assert value == pytest.approx(known[figure.name], abs=1e-6), figure
    assert {cycle.partings for cycle in run.cycles} == {len(BOUNCES_S) // 2}


def test_a_relay_without_bounce_has_none() -> None:
    run = endured(Plan(cycles=20, on_s=0.2, off_s=0.2), lambda strike: None)
    assert {(cycle.bounce_s, cycle.partings) for cycle in run.cycles} == {(0.0, 0)}


@pytest.mark.parametrize(("fault", "trouble"), [("dead", "did not close"), ("welded", "did not close")])
def test_a_broken_contact_is_trouble_in_every_cycle_and_one_line(fault: str, trouble: str) -> None:
    run = endured(Plan(cycles=5, on_s=0.2, off_s=0.2), lambda strike: strike.fault(fault))
    assert run.troubles == (f"cycles 1 to 5: {trouble}",)


def test_a_relay_that_dies_on_the_way_is_told_with_its_cycle_and_drawn(tmp_path: Path) -> None:
    seen = {"asked": 0}
    struck: list[StrikePeer] = []

    def ended() -> bool:
        seen["asked"] += 1
        if seen["asked"] == 4:
            struck[0].fault("dead")
        return False

    run = endured(Plan(cycles=5, on_s=0.2, off_s=0.2), struck.append, ended)
    assert run.troubles == ("cycles 4 to 5: did not close",)
    assert [drawn.number for drawn in run.drawn] == [1, 4, 5]
    write_report(run, tmp_path)
    told = json.loads((tmp_path / "endurance.json").read_text())
    assert told["troubles"] == ["cycles 4 to 5: did not close"]
    assert len(told["cycles"]) == 5
    text = (tmp_path / "endurance.html").read_text()
    assert "2 with trouble" in text
    drawings = [part.partition("</svg>")[0] + "</svg>" for part in text.split("<svg")[1:]]
    for drawing in drawings:
        ElementTree.fromstring("<svg" + drawing)
    assert len(drawings) == 4  # the first cycle with its first move, and the two without any
    assert "src=" not in text
    assert "href=" not in text


def test_a_run_that_is_ended_early_tells_of_the_cycles_until_then() -> None:
    left = iter([False, False, True])
    run = endured(Plan(cycles=10_000, on_s=0.2, off_s=0.2), lambda strike: None, lambda: next(left))
    assert len(run.cycles) == 2


def test_a_contact_that_moves_later_than_the_firmware_waits_is_late() -> None:
    late_ns = round(SETTLE_S * 1e9) + 5 * MS
    cycle = measure(1, 0, 500 * MS, [(late_ns, True), (504 * MS, False)])
    assert cycle.trouble == "closed late, after 105.0 ms"


def test_a_contact_that_opens_by_itself_is_trouble_and_gives_no_width() -> None:
    cycle = measure(1, 0, 500 * MS, [(8 * MS, True), (300 * MS, False)])
    assert (cycle.trouble, cycle.width_s) == ("did not stay closed", None)


def test_what_only_the_readback_saw_is_trouble_too() -> None:
    edges = [(8 * MS, True), (504 * MS, False)]
    assert measure(1, 0, 500 * MS, edges, stuck=True).trouble == "the firmware's readback reported it"


bounce = st.lists(st.integers(1, 5 * MS), max_size=8)


@given(st.integers(1, 50 * MS), bounce, st.integers(1, 50 * MS), bounce)
def test_whatever_the_contact_did_the_times_add_up(pull_ns: int, on: list[int], drop_ns: int, off: list[int]) -> None:
    off_ns, edges = 500 * MS, []
    for began_ns, first_ns, gaps, closed in ((0, pull_ns, on, True), (off_ns, drop_ns, off, False)):
        t_ns, level = began_ns + first_ns, closed
        edges.append((t_ns, level))
        for gap_ns in gaps[: len(gaps) // 2 * 2]:
            t_ns, level = t_ns + gap_ns, not level
            edges.append((t_ns, level))
    cycle = measure(1, 0, off_ns, edges)
    assert cycle.trouble == ""
    assert None not in (cycle.pull_in_s, cycle.bounce_s, cycle.width_s, cycle.drop_out_s)
    whole = cycle.pull_in_s + cycle.bounce_s + cycle.width_s  # type: ignore[operator]
    assert whole == pytest.approx((off_ns + drop_ns) / 1e9)
    assert cycle.partings == len(on) // 2
    assert figures([cycle])[0].median == cycle.pull_in_s
    assert troubles([cycle]) == ()
