"""Live tests: real processes, real sockets, real time. Everything here carries the mark `live`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import bundles
from tests.live.device import Device, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    """A freshly started door station, with its administrator."""
    with running(tmp_path / "state") as found:
        found.set_up()
        yield found


@pytest.fixture(scope="module")
def shared_device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One door station for all tests of a module, for questions that change nothing."""
    with running(tmp_path_factory.mktemp("shared") / "state") as found:
        found.set_up()
        found.all_ready()
        yield found


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a vendor of firmware: `keys`, `new.raucb`, `ill.raucb`."""
    return bundles.made(tmp_path_factory.mktemp("vendor"))
