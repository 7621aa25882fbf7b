"""Loss of power against the real file operations: a run is watched, and every state it may leave is reopened."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Outcome, Stage
from tests.unit.upgrade.model.medium import Frozen
from tests.unit.upgrade.model.real_device import RealDevice
from tests.unit.upgrade.model.replay import CALLS, Replay, image, lay_out
from tests.unit.upgrade.model.world import BEFORE, MIGRATED, RESTORED

ROOT = Path(__file__).resolve().parents[3]
LEAST_STATES = 100


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of devices are laid out there one after the other."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(dir=base))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Frozen, tuple[str, ...]], None]:
    """Every state that a loss of power may leave during an upgrade and a restore, with what was said before it."""
    work = tmp_path_factory.mktemp("watched")
    root, trace = work / "root", work / "trace"
    root.mkdir()
    RealDevice(root, work / "runtime").furnish()
    begin = image(root)
    words = ["strace", "-f", "-xx", "-s", "10000000", "-e", f"trace={CALLS}", "-o", str(trace)]
    program = [sys.executable, "-m", "tests.unit.upgrade.model.real_device", str(root), str(work / "runtime")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*words, *program], capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[tuple[Frozen, tuple[str, ...]], None] = {}

    def look(replay: Replay) -> None:
        for frozen in replay.medium.survivors():
            found[frozen, tuple(replay.said)] = None

    replay = Replay(root, begin, look)
    replay.play(trace.read_bytes())
    assert replay.said == ["begin", "staged", "committed", "restoring", "restored"]
    assert replay.medium.freeze() == image(root), "the replay ends where the real run ended"
    return found


def settings(device: RealDevice, slot: Slot) -> dict[str, bytes]:
    base = device.root / "settings" / slot.value
    files = (path for path in base.rglob("*") if path.is_file() and path.name not in ("origin", "format"))
    return {str(path.relative_to(base)): path.read_bytes() for path in files}


def test_row_17_row_28_whatever_a_loss_of_power_leaves_of_the_real_files_the_device_comes_back(
    states: dict[tuple[Frozen, tuple[str, ...]], None], memory: Path
) -> None:
    assert len(states) >= LEAST_STATES
    ends = set()
    for number, (frozen, said) in enumerate(states):
        root = memory / f"d{number}"
        lay_out(frozen, root)
        device = RealDevice(root, memory / f"r{number}")
        machine = device.start().machine
        record, home = machine.record, machine.record.home
        found = settings(device, home)
        assert (record.stage, record.up, record.reset) == (Stage.IDLE, None, None)
        assert device.nature(home) == (record.slot(home).version, "good")
        assert home is Slot.B or "committed" not in said, "an acknowledged commit is gone"
        if home is Slot.A:
            assert found == BEFORE
            assert "staged" not in said or record.last is not None, "an accepted upload has no outcome"
            assert record.last is None or record.last.outcome is not Outcome.OK
        else:
            assert record.floor == 3
            assert found == (RESTORED if record.last is not None and record.last.what == "soft" else MIGRATED)
            assert found == RESTORED or "restoring" not in said, "an acknowledged restore was not done"
        ends.add((home, len(found)))
        shutil.rmtree(root)
        shutil.rmtree(memory / f"r{number}")
    assert ends == {(Slot.A, 2), (Slot.B, 2), (Slot.B, 1)}
    print(f"{len(states)} states")


def test_the_replay_sees_a_rename_without_a_flush(tmp_path: Path) -> None:
    root, trace = tmp_path / "root", tmp_path / "trace"
    root.mkdir()
    (root / "file").write_bytes(b"old")
    code = f"import os\nf=open({str(root / 'new')!r},'wb',0)\nf.write(b'news')\nf.close()\n"
    code += f"os.rename({str(root / 'new')!r}, {str(root / 'file')!r})\n"
    words = [
        "strace",
        "-f",
        "-xx",
        "-s",
        "10000000",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(trace),
        sys.executable,
        "-c",
        code,
    ]
    subprocess.run(words, check=True, timeout=60)
    left = set()

    def look(replay: Replay) -> None:
        left.update(dict(frozen).get("file") for frozen in replay.medium.survivors())  # type: ignore[arg-type]

    Replay(root, (("file", b"old"),), look).play(trace.read_bytes())
    assert left == {b"old", b"", b"ne\0\0", b"news"}
