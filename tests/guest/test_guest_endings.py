"""How the roles of a device end on a real kernel, and what that does to its door: killed, stopped, started again.

The relay's edges are the kernel's own records. Time is the guest's, which is virtual in `make test-kernel`.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.bench.kernel.bench import KernelBench
from tests.bench.kernel.restarts import restart_control
from tests.bench.kernel.roles import watchdog_s

CARD = "H10301:42:1234"
RESTARTS = int(os.environ.get("LINTEL_RESTARTS", "3"))

pytestmark = pytest.mark.skipif(
    os.environ.get("LINTEL_KERNEL_BENCH") != "virtual", reason="needs the guest's virtual time (run.py --virtual)"
)


@pytest.fixture
def bench(tmp_path: Path) -> KernelBench:
    """A door station in the guest."""
    return KernelBench(tmp_path / "state")


async def released(bench: KernelBench) -> None:
    """A card has opened the door, a second ago."""
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    await bench.until(lambda: bench.relay("door").on)
    await bench.advance(1.0)
    assert bench.relay("door").on


async def test_kill_9_of_control_brings_the_relay_to_rest_within_two_seconds_and_the_next_one_opens(
    bench: Any,
) -> None:
    await released(bench)
    await bench.roles.kill("control")
    await bench.until(lambda: not bench.relay("door").on, within_s=2.0)
    await bench.roles.start("control")
    await bench.advance(3.0)
    assert bench.relay("door").edges() == 2
    assert bench.relay("aux").edges() == 0
    await bench.reader("front").swipe(CARD)
    await bench.until(lambda: bench.relay("door").edges() == 4)


async def test_kill_9_of_the_network_never_touches_the_door(bench: Any) -> None:
    await released(bench)
    await bench.roles.kill("network")
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    await bench.reader("front").swipe(CARD)
    await bench.until(lambda: bench.relay("door").edges() == 4)
    await bench.roles.start("network")


async def test_kill_9_of_media_never_touches_the_door(bench: Any) -> None:
    await bench.roles.start("media")
    await released(bench)
    await bench.roles.kill("media")
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    await bench.reader("front").swipe(CARD)
    await bench.until(lambda: bench.relay("door").edges() == 4)
    await bench.roles.start("media")
    await bench.settle()
    assert [bench.relay(name).edges() for name in ("door", "aux")] == [4, 0]


async def test_a_stopped_loop_starves_the_watchdog_within_ten_seconds_and_is_replaced(bench: Any) -> None:
    await released(bench)
    assert not bench.roles.starved("control")
    stopped_s = bench.world.now_s
    os.kill(bench.roles.pid("control"), signal.SIGSTOP)
    await bench.until(lambda: bench.roles.starved("control"), within_s=10.0)
    assert bench.world.now_s - stopped_s <= watchdog_s("control") + 0.1
    await bench.roles.kill("control")  # what systemd does then
    await bench.until(lambda: not bench.relay("door").on, within_s=2.0)
    await bench.roles.start("control")
    await bench.reader("front").swipe(CARD)
    await bench.until(lambda: bench.relay("door").edges() == 4)
    assert not bench.roles.starved("control")


async def test_row_14_restarts_of_control_move_no_relay(bench: Any) -> None:
    done = await restart_control(bench, RESTARTS)
    assert done.edges == 0
    # The line itself was taken every time, and driven to rest in the same step.
    assert len(done.driven) >= RESTARTS
    assert True not in done.driven
