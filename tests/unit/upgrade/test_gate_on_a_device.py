"""A bundle meets the real gate, child process and all, on a whole device in virtual time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from firmware.upgrade import pki
from firmware.upgrade.bundle_build import NEEDED, Facts, Signer, build
from firmware.upgrade.context import Mode
from tests.bench.sim import SimBench

SECOND = str(Path(__file__).parent / "boards" / "second_revision.toml")
SPOOLED = "a" * 32


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> SimBench:
    """A device that starts when the test does; `@pytest.mark.board` chooses another one."""
    mark = request.node.get_closest_marker("board")
    return SimBench(tmp_path / "state", mark.args[0] if mark else "door_station")


async def trusted(bench: SimBench, folder: Path) -> Signer:
    """A vendor whom the device trusts from its next start on."""
    vendor = pki.Vendor.new(bench.clock.utc() - timedelta(days=1))
    vendor.save(folder / "keys")
    (folder / "keys" / "keyring").rename(bench.state / "keyring")
    await bench.restart()
    return Signer.of(folder / "keys", "release")


async def offered(bench: SimBench, folder: Path, signer: Signer, **facts: object) -> str:
    """The code with which the device refuses a bundle of a newer version."""
    tree = folder / "tree"
    for part in NEEDED:
        (tree / part).mkdir(parents=True, exist_ok=True)
    (tree / "firmware" / "__init__.py").write_text('VERSION = "9.8.7"\n')
    bundle = bench.state / "spool" / SPOOLED
    bundle.parent.mkdir(exist_ok=True)
    bundle.unlink(missing_ok=True)
    build(tree, bundle, Facts(models=("LINTEL-DS1",), **facts), signer)  # type: ignore[arg-type]
    answer = await bench.action("upgrade.install", spool=SPOOLED)
    assert answer.status_code == 403, answer.text
    code: str = answer.json()["error"]["code"]
    return code


@pytest.mark.board(SECOND)
async def test_a_bundle_for_another_hardware_revision_is_refused_by_the_board_it_is_not_for(
    bench: SimBench, tmp_path: Path
) -> None:
    signer = await trusted(bench, tmp_path)
    assert (await bench.api("GET", "/device")).json()["hardware_revision"] == 2
    assert await offered(bench, tmp_path, signer, revisions=(1, 3)) == "other-hardware"
    # One that is for it gets as far as the rule behind.
    other_mode = (Mode.FACTORY_DEFAULT,)
    assert await offered(bench, tmp_path, signer, revisions=(1, 2), modes=other_mode) == "mode-not-allowed"
    shown = (await bench.api("GET", "/upgrade")).json()
    assert (shown["stage"], shown["last"]) == ("idle", None)


async def test_a_deletion_is_in_the_list_for_rollbacks_when_it_is_answered(bench: SimBench) -> None:
    deletions = bench.state / "shared" / "control" / "revocations"
    entry = await bench.enrol("H10301:42:1234")
    assert (await bench.api("DELETE", f"/entries/{entry}")).status_code == 204
    assert entry.encode() in deletions.read_bytes()
    made = await bench.action("accounts.add", name="guest", password="guest-password", level="viewer")
    assert made.status_code == 200, made.text
    assert (await bench.action("accounts.remove", name="guest")).status_code == 200
    assert b"guest" in deletions.read_bytes()
