"""Endurance on a kernel's lines: the firmware's relay driver, a played relay that bounces, a probe at its contact."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.bench.rig.cycles import Figure
from tests.bench.rig.endurance import Plan, on_rig
from tests.bench.rig.wiring import load_wiring
from tests.guest.rig_session import played
from tests.guest.wire_player import PlayedRelay, WirePlayer

BOUNCES_S = (0.0004, 0.0009, 0.0013, 0.0022)
STRIKE = PlayedRelay(coil=17, contact=9, pull_in_s=0.0075, drop_out_s=0.0035, bounces=BOUNCES_S)
# What the kernel's stamps may differ by from the player's instants, in the guest's time.
TOLERANCE_S = 0.0003
PLAN = Plan(cycles=100, on_s=0.25, off_s=0.25)
BOARD = Path("tests/bench/rig/boards/rig_relay.toml").resolve()


def relay_rig(folder: Path) -> Path:
    """A relay whose coil and contact are watched, and nothing else."""
    path = folder / "relay.toml"
    path.write_text(
        f'name = "relay"\nboard = "{BOARD}"\n[probes.pi]\nchip = "/dev/lintel/gpio"\n'
        '[[wires]]\nwhat = "door strike relay"\nline = "gpio0:17"\nprobe = "pi:22"\n'
        '[[contacts]]\nwhat = "strike contact"\nrelay = "door"\nprobe = "pi:9"\n'
    )
    return path


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    return relay_rig(tmp_path)


def player(*, read_back: bool = True) -> WirePlayer:
    """The relay; its contact closes the probe's line, and the readback's when that has its wire."""
    return WirePlayer([(17, 22), *([(9, 27)] if read_back else [(27, 27)])], relays=[STRIKE])


def test_the_bounce_of_a_played_relay_is_found_by_the_kernels_own_stamps(rig: Path) -> None:
    with played(player) as runner:
        run = runner.run(asyncio.wait_for(on_rig(load_wiring(rig), "relay1", PLAN, lambda: False), 600))
    assert run.troubles == ()
    found: dict[str, Figure] = {figure.name: figure for figure in run.figures}
    known = {"pull_in_s": 0.0075, "bounce_s": BOUNCES_S[-1], "drop_out_s": 0.0035, "release_bounce_s": 0.0}
    for name, value in known.items():
        assert found[name].count == PLAN.cycles
        assert abs(found[name].least - value) <= TOLERANCE_S, found[name]
        assert abs(found[name].most - value) <= TOLERANCE_S, found[name]
    assert {cycle.partings for cycle in run.cycles} == {2}


def test_a_contact_that_the_firmware_cannot_read_back_is_trouble(rig: Path) -> None:
    plan = Plan(3, 0.25, 0.25)
    with played(lambda: player(read_back=False)) as runner:
        run = runner.run(asyncio.wait_for(on_rig(load_wiring(rig), "relay1", plan, lambda: False), 600))
    assert run.troubles == ("cycles 1 to 3: the firmware's readback reported it",)
