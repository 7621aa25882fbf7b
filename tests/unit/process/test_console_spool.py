"""What the command line hands over to the device: a bundle on its way, and never more than is its owner's to give."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.cli.console import as_owner, place_of
from firmware.cli.maintenance import opened, spooled
from firmware.cli.troubleshooting import printable
from firmware.core.errors import Busy, Exhausted, Invalid, Unavailable
from firmware.core.vocabulary.upgrade import LARGEST_BUNDLE

NOBODY = 65534
SOMEBODYS_GROUP = 4242
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be more than the owner of a device")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    file = tmp_path / "bundle.raucb"
    file.write_bytes(b"a bundle")
    return file


@pytest.fixture
def state() -> Iterator[Path]:
    """The state directory of a device that runs as somebody with fewer rights, who has no way into pytest's folders."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "state"
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield folder
    assert os.geteuid() == os.getuid()


def test_a_bundle_lies_there_as_its_owners_as_long_as_it_is_handed_over(bundle: Path, state: Path) -> None:
    folder = state / "spool" / "console"
    with opened(bundle) as file, as_owner(state), spooled(file, folder) as name:
        assert (folder / name).read_bytes() == b"a bundle"
        assert (folder / name).stat().st_uid == state.stat().st_uid
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert list(folder.iterdir()) == []


@as_root
def test_row_36_a_link_in_the_devices_folder_gives_nothing_of_roots_away(bundle: Path, state: Path) -> None:
    precious = state.parent / "precious"
    precious.mkdir(mode=0o700)
    (precious / "key").write_text("root's own")
    (state / "spool").symlink_to(precious)
    with opened(bundle) as file, pytest.raises(Unavailable), as_owner(state), spooled(file, state / "spool"):
        pytest.fail("it was written through the link")
    assert [path.name for path in precious.iterdir()] == ["key"]
    assert {precious.stat().st_uid, (precious / "key").stat().st_uid} == {0}


@as_root
def test_row_36_what_roots_groups_may_read_is_not_the_owners_and_root_has_them_again(state: Path) -> None:
    before = os.getgroups()
    shared = state / "shared"
    shared.write_text("of a group of root's")
    os.chown(shared, 0, SOMEBODYS_GROUP)
    shared.chmod(0o640)
    try:
        os.setgroups([SOMEBODYS_GROUP])
        with as_owner(state), pytest.raises(PermissionError):
            shared.read_text()
        assert os.getgroups() == [SOMEBODYS_GROUP]
    finally:
        os.setgroups(before)


@as_root
def test_somebody_elses_folder_is_not_taken_for_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("firmware.cli.console.INSTALLED_RUNTIME", tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "bench.addr").write_text(str(tmp_path))
    assert place_of(None).root == tmp_path / "state"
    os.chown(tmp_path / "state", NOBODY, NOBODY)
    assert place_of(None).root == Path("/var/lib/lintel")


def test_what_is_too_large_is_refused_before_a_byte_is_written(bundle: Path, state: Path) -> None:
    os.truncate(bundle, LARGEST_BUNDLE + 1)  # a hole: it takes no room itself
    folder = state / "console"
    with opened(bundle) as file, pytest.raises(Exhausted, match="the largest has"), spooled(file, folder):
        pytest.fail("it was taken")
    assert list(folder.iterdir()) == []


def test_one_is_handed_over_at_a_time_and_what_a_killed_one_left_goes(bundle: Path, state: Path) -> None:
    folder = state / "console"
    folder.mkdir()
    (folder / "left").write_bytes(b"of a verb that was killed")
    with opened(bundle) as file, spooled(file, folder) as name:
        assert [path.name for path in folder.iterdir()] == [name]
        with opened(bundle) as second, pytest.raises(Busy), spooled(second, folder):
            pytest.fail("two at a time")
        assert (folder / name).exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(Invalid, match="there is no file"):
            opened(file)


def test_row_41_what_a_terminal_would_obey_is_not_printed() -> None:
    assert printable("door\x1b]0;x\x07 \u202e\n\tfront") == "door\ufffd]0;x\ufffd \ufffd\n\tfront"
