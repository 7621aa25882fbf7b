"""The `bench` fixture. On the simulator a missing need is a failure; on another bench it is a skip with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.sim import SimBench

SIM = "sim"
RIG = "rig:"
HERE = Path("tests/behaviour")


@pytest.fixture(scope="session")
def rig(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The rig of this session, locked and looked over before its first test; None on the other benches."""
    asked = request.config.getoption("bench")
    if not asked.startswith(RIG):
        yield None
        return
    from tests.bench.rig.bench import Rig

    taken = Rig.taken(Path(asked.removeprefix(RIG)))
    try:
        yield taken
    finally:
        taken.holding.close()


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path, rig: Any) -> Any:
    """A device that starts when the test does; `@pytest.mark.board("ptz_dome")` chooses another product.

    What can be on the simulator alone says why: `@pytest.mark.simulator("reason")`.
    """
    mark = request.node.get_closest_marker("board")
    board = mark.args[0] if mark else "door_station"
    state = tmp_path / "state"
    if request.config.getoption("bench") == SIM:
        return SimBench(state, board)
    alone = request.node.get_closest_marker("simulator")
    skip_what_lacks(alone.args[0] if alone else None)
    from tests.bench.kernel.bench import LACKS, KernelBench, lacking

    if rig is not None:
        from tests.bench.rig.asked import asked_in_vain
        from tests.bench.rig.bench import LACKS as RIG_LACKS
        from tests.bench.rig.bench import RigBench

        if mark:
            pytest.skip(f"the rig {rig.wiring.name} is {rig.wiring.board.product.name}, not {board}")
        skip_what_lacks(lacking(request.node.obj, RIG_LACKS))
        name = asked_in_vain(request.node.obj, rig.wiring.board)
        skip_what_lacks(None if name is None else f"the rig {rig.wiring.name} lacks {name}")
        return RigBench(state, rig)
    skip_what_lacks(lacking(request.node.obj, LACKS))
    return KernelBench(state, board)


def skip_what_lacks(reason: str | None) -> None:
    """Skip for a reason, before anything is started."""
    if reason is not None:
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """How many behaviour tests ran on the bench, and why each of the others was skipped."""
    bench = config.getoption("bench")
    if bench == SIM:
        return
    found = {
        name: [report for report in terminalreporter.stats.get(name, []) if HERE in Path(report.nodeid).parents]
        for name in ("passed", "failed", "error", "skipped")
    }
    terminalreporter.section(f"behaviour tests on the {bench.partition(':')[0]} bench")
    passed, failed = len(found["passed"]), len(found["failed"]) + len(found["error"])
    terminalreporter.line(f"{passed + failed} ran: {passed} passed, {failed} failed")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in found["skipped"])
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} skipped: {reason}")
        for report in found["skipped"]:
            if report.longrepr[2].removeprefix("Skipped: ") == reason:
                terminalreporter.line(f"    {report.nodeid.rpartition('::')[2]}")
