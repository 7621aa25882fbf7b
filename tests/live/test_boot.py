"""The boot ROM of the simulated board: which slot runs, that it really is that firmware, and what it falls back to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import AutobootSector, SlotDoor
from tests.live.device import Device, running, until
from tests.live.image import program_tree, squash

CARD = "H10301:42:1234"
MARK = "a sentence that only the new firmware says"


def reword(tree: Path) -> None:
    """Other code, so that the difference can be seen from outside."""
    place = tree / "firmware" / "upgrade" / "maintenance.py"
    text = place.read_text()
    assert "Restart the whole device; no setting changes." in text
    place.write_text(text.replace("Restart the whole device; no setting changes.", MARK))


def crash_at_start(tree: Path) -> None:
    (tree / "firmware" / "child.py").write_text("raise SystemExit(1)\n")


def refuse_to_start(tree: Path) -> None:
    (tree / "firmware" / "child.py").write_text("raise SystemExit(78)\n")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Slot images: one that works, and some that do not."""
    root = tmp_path_factory.mktemp("images")
    found = {}
    for name, change in {"new": reword, "crashing": crash_at_start, "refusing": refuse_to_start}.items():
        found[name] = squash(program_tree(root / name, "9.8.7", change), root / f"{name}.img")
    (root / "empty").mkdir()
    found["empty"] = squash(root / "empty", root / "empty.img")
    whole = found["new"].read_bytes()
    found["cut"] = root / "cut.img"
    found["cut"].write_bytes(whole[: len(whole) // 2])
    found["rotten"] = root / "rotten.img"
    found["rotten"].write_bytes(whole[:5000] + bytes(byte ^ 0xFF for byte in whole[5000:9000]) + whole[9000:])
    found["noise"] = root / "noise.img"
    found["noise"].write_bytes(b"not a file system" * 1000)
    return found


class Card:
    """The simulated card of a device: what an upgrade would do to it."""

    def __init__(self, device: Device) -> None:
        self.boot = device.state / "boot"
        self._device = device

    def install(self, image: Path, slot: Slot = Slot.B) -> None:
        (self.boot / "slots" / f"{slot}.img").write_bytes(image.read_bytes())

    def default(self, slot: Slot) -> None:
        """As a card is flashed, that knows of no upgrade."""
        AutobootSector(self.boot / "autoboot.img").write(slot)
        for copy in self.boot.glob("record.*"):
            copy.unlink()

    def door(self, slot: Slot) -> SlotDoor:
        return SlotDoor(self.boot / f"boot-{slot.lower()}.img")

    def arm(self) -> None:
        runtime = Path((self._device.state / "bench.addr").read_text().strip()).parent
        (runtime / "reboot-param").write_text("0 tryboot\n")


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Device]:
    """A device that is set up."""
    with running(tmp_path / "state") as device:
        device.set_up()
        yield device


def runs(device: Device, slot: str) -> dict[str, Any]:
    """The state, once every role of that slot's firmware is ready."""

    def ready() -> dict[str, Any] | None:
        state: dict[str, Any] = device.bench("state")
        up = state["slot"] == slot and all(role["ready"] for role in state["roles"].values())
        return state if up else None

    found: dict[str, Any] = until(f"slot {slot} runs", ready)
    return found


def restart(device: Device) -> None:
    answer = device.api.post("/actions/device.restart", json={})
    assert answer.status_code == 200, answer.text


def summary_of_restart(device: Device) -> str:
    actions = device.api.get("/actions").json()["actions"]
    return str(next(each["summary"] for each in actions if each["name"] == "device.restart"))


def test_a_fresh_device_runs_the_checkout_from_slot_a(quiet: Device) -> None:
    state = runs(quiet, "A")
    assert (state["slot_runs"], state["trying"]) == ("checkout", False)
    assert state["version"] == quiet.api.get("/device").json()["version"]
    assert (quiet.state / "boot" / "slots" / "A").is_symlink()

    def facts() -> dict[str, Any] | None:
        states = quiet.api.get("/state").json()["states"]
        return next((each for each in states if each["topic"] == "device/boot"), None)

    boot = until("the facts of the start", facts)
    assert (boot["slot"], boot["trying"], boot["loader_current"]) == ("A", False, True)


def test_a_committed_slot_really_runs_its_own_code_with_settings_of_its_own(
    quiet: Device, images: dict[str, Path]
) -> None:
    card = Card(quiet)
    card.install(images["new"])
    card.default(Slot.B)
    assert summary_of_restart(quiet) != MARK
    before = (quiet.state / "settings" / "A" / "network").stat().st_mtime_ns
    quiet.bench("power", "cycle")
    state = runs(quiet, "B")
    assert (state["version"], state["slot_runs"], state["trying"]) == ("9.8.7", "image", False)
    assert (quiet.state / "settings" / "B" / "network").is_dir()
    assert (quiet.state / "settings" / "A" / "network").stat().st_mtime_ns == before
    quiet.set_up()  # settings of slot B: nobody has made any yet
    assert quiet.api.get("/device").json()["version"] == "9.8.7"
    assert summary_of_restart(quiet) == MARK
    # What runs is never written: neither by Python nor by anybody else.
    tree = quiet.state / "boot" / "run" / "tree"
    assert list(tree.rglob("__pycache__")) == []
    assert [path for path in tree.rglob("*.py") if path.stat().st_mode & 0o222] == []


@pytest.mark.parametrize("image", ["crashing", "refusing"])
def test_firmware_on_trial_that_does_not_start_is_left_by_the_boards_watchdog(
    quiet: Device, images: dict[str, Path], image: str
) -> None:
    card = Card(quiet)
    card.install(images[image])
    card.arm()
    old = quiet.pid("control")
    restart(quiet)
    until("the old firmware again", lambda: quiet.pid("control") not in (None, old))
    state = runs(quiet, "A")
    assert (state["slot_runs"], state["trying"]) == ("checkout", False)
    assert quiet.api.get("/entries").status_code == 200


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("cut", "its image is cut off"),
        ("rotten", "it is damaged"),
        ("noise", "it holds no squashfs"),
        ("empty", "there is no firmware in it"),
    ],
)
def test_a_default_that_cannot_be_started_is_passed_over_and_said_so(
    quiet: Device, images: dict[str, Path], image: str, why: str
) -> None:
    card = Card(quiet)
    card.install(images[image])
    card.default(Slot.B)
    quiet.bench("power", "cycle")
    assert runs(quiet, "A")["slot_runs"] == "checkout"
    assert f"lintel: boot: slot B cannot be started: {why}" in quiet.output.read_text()


def test_a_closed_slot_is_never_started_and_a_board_with_none_stays_dark_until_one_is_opened(
    quiet: Device, images: dict[str, Path]
) -> None:
    card = Card(quiet)
    card.install(images["new"])
    card.default(Slot.B)
    card.door(Slot.B).close()
    quiet.bench("power", "cycle")
    runs(quiet, "A")
    card.door(Slot.A).close()
    quiet.bench("power", "off")
    with pytest.raises(AssertionError, match=r"boot: slot . cannot be started: it is closed; slot . .*: it is closed"):
        quiet.bench("power", "on")
    assert quiet.bench("state")["slot"] is None
    card.door(Slot.B).open()
    quiet.bench("power", "cycle")
    assert runs(quiet, "B")["version"] == "9.8.7"


def test_row_14_a_restart_that_was_asked_for_moves_no_relay_and_ends_a_release(quiet: Device) -> None:
    quiet.enrol(CARD)
    assert quiet.api.patch("/params/doors", json={"door": {"hold_s": 60}}).status_code == 200
    quiet.ask("swipe", "front", CARD)
    until("the release", lambda: quiet.ask("trace", "door")["points"][-1][1] is True)
    before = quiet.ask("trace", "door")["points"]
    old = quiet.pid("control")
    restart(quiet)
    until("another control", lambda: quiet.pid("control") not in (None, old))
    runs(quiet, "A")
    after = quiet.bench("trace", "door")["points"]
    assert len(after) == len(before) + 1, "off once, by the firmware itself"
    assert after[-1][1] is False
    # A restart is none of the world's business: nothing but the firmware has changed.
    assert quiet.bench("state")["roles"]["control"]["restarts"] == 0


def test_only_an_administrator_restarts_the_device(quiet: Device) -> None:
    made = {"name": "op", "password": "operator-password", "level": "operator"}
    assert quiet.api.post("/actions/accounts.add", json=made).status_code == 200
    answer = quiet.api.post("/actions/device.restart", json={}, auth=("op", "operator-password"))
    assert answer.status_code == 403
