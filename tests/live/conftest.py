"""Live tests: real processes, real sockets, real time. Everything here carries the mark `live`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import bundles
from tests.live.device import Device, running

# The files that take longest, which begin first: one that began last would be waited for by itself.
LONGEST = (
    "test_upgrade.py", "web/test_frame.py", "test_attack.py", "test_network_manager.py", "test_upgrade_crash.py",
    "test_reset.py", "test_boot.py", "test_controller_device.py", "test_discovery.py", "test_network_loss.py",
    "sound/test_clips_in_the_room.py", "sound/test_sound_in_the_room.py", "sound/test_speaker_test.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder, and put the longest of it in front."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.live)
    first = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: first.get(item.path, len(first)))


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
