"""The `bench` fixture. On the simulator a missing need is a failure; on another bench it is a skip with its reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.bench.sim import SimBench

KERNEL = "kernel"


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A device that starts when the test does; `@pytest.mark.board("ptz_dome")` chooses another product."""
    mark = request.node.get_closest_marker("board")
    board = mark.args[0] if mark else "door_station"
    if request.config.getoption("bench") != KERNEL:
        return SimBench(tmp_path / "state", board)
    from tests.bench.kernel.bench import KernelBench, lacking

    reason = lacking(request.node.obj)
    if reason is not None:
        pytest.skip(reason)
    return KernelBench(tmp_path / "state", board)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """How many behaviour tests ran on the bench, and why each of the others was skipped."""
    if config.getoption("bench") != KERNEL:
        return
    found = {name: terminalreporter.stats.get(name, []) for name in ("passed", "failed", "skipped")}
    terminalreporter.section("behaviour tests on the kernel bench")
    ran = len(found["passed"]) + len(found["failed"])
    terminalreporter.line(f"{ran} ran: {len(found['passed'])} passed, {len(found['failed'])} failed")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in found["skipped"])
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} skipped: {reason}")
        for report in found["skipped"]:
            if report.longrepr[2].removeprefix("Skipped: ") == reason:
                terminalreporter.line(f"    {report.nodeid.rpartition('::')[2]}")
