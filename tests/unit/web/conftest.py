"""The bench fixture for pages: a whole device, whose pages are opened in this process without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.sim import SimBench


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> SimBench:
    """A device that starts when the test does; `@pytest.mark.board("ptz_dome")` chooses another product."""
    mark = request.node.get_closest_marker("board")
    return SimBench(tmp_path / "state", mark.args[0] if mark else "door_station")
