"""The boot ROM alone: which slot it chooses, once, and what it tells the firmware in the boot loader's place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.board_process.rom import Rom
from firmware.core.errors import Unavailable
from firmware.paths import CHECKOUT, RuntimeDir, StateDir
from firmware.upgrade.boot_sim import sim_boot
from firmware.upgrade.boot_tryboot import OLDEST_LOADER, TrybootBoot
from firmware.upgrade.ports import Slot
from tests.effort import examples


class Board:
    """A simulated board without a firmware that would put anything right."""

    def __init__(self, root: Path) -> None:
        self.state, self.runtime = StateDir(root / "state"), RuntimeDir(root / "run")
        self.runtime.root.mkdir(parents=True)
        self.rom = Rom(self.state, self.runtime)
        self.rom.furnish()
        self.boot: TrybootBoot = sim_boot(self.state.boot, self.runtime.root, lambda: None)

    def install(self, slot: Slot, image: Path) -> None:
        (self.state.slots / f"{slot}.img").write_bytes(image.read_bytes())

    def starts(self) -> tuple[str, bool]:
        """The slot and whether it is tried, as the ROM says and as the firmware hears it."""
        booted = self.rom.boot()
        assert (self.boot.running(), self.boot.trying()) == (booted.slot, booted.trying)
        return booted.slot.value, booted.trying


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest slot image: a program that could be started."""
    root = tmp_path_factory.mktemp("image")
    (root / "tree" / "firmware").mkdir(parents=True)
    (root / "tree" / "firmware" / "__main__.py").write_text("print('hello')\n")
    (root / "tree" / "locked").mkdir(mode=0o500)
    (root / "tree" / "locked" / "file").write_text("x")
    words = ["mksquashfs", str(root / "tree"), str(root / "slot.img"), "-noappend", "-all-root", "-quiet"]
    subprocess.run(words, check=True, capture_output=True)
    return root / "slot.img"


@pytest.fixture
def board(tmp_path: Path, image: Path) -> Board:
    made = Board(tmp_path)
    made.install(Slot.B, image)
    return made


def test_a_fresh_board_starts_the_checkout_and_has_a_boot_loader_that_is_new_enough(tmp_path: Path) -> None:
    board = Board(tmp_path)
    booted = board.rom.boot()
    assert (booted.slot, booted.image, booted.tree) == (Slot.A, False, CHECKOUT)
    assert board.boot.loader_built() == OLDEST_LOADER


def test_a_try_lasts_one_start(board: Board) -> None:
    board.boot.arm()
    assert [board.starts(), board.starts()] == [("B", True), ("A", False)]


def test_a_power_cut_forgets_that_a_try_was_asked_for(board: Board) -> None:
    board.boot.arm()
    board.rom.power_off()
    assert board.starts() == ("A", False)


def test_a_commit_during_the_try_makes_it_the_default(board: Board) -> None:
    board.boot.arm()
    board.starts()
    board.boot.set_default(Slot.B)
    assert [board.starts(), board.starts()] == [("B", False), ("B", False)]
    board.boot.arm()
    assert [board.starts(), board.starts()] == [("A", True), ("B", False)]


def test_what_is_tried_is_on_trial_until_the_sector_names_it(board: Board) -> None:
    board.boot.arm()
    booted = board.rom.boot()
    assert board.rom.on_trial(booted)
    board.boot.set_default(Slot.B)
    assert not board.rom.on_trial(booted)
    assert not board.rom.on_trial(board.rom.boot()), "a plain start of the default is no try"


def test_a_try_of_a_closed_slot_ends_in_the_default(board: Board) -> None:
    board.boot.close_slot(Slot.B)
    board.boot.arm()
    assert board.starts() == ("A", False)
    board.boot.open_slot(Slot.B)
    board.boot.arm()
    assert board.starts() == ("B", True)


def test_an_unreadable_sector_makes_the_board_look_for_the_first_slot_that_starts(board: Board) -> None:
    raw = bytearray((board.state.boot / "autoboot.img").read_bytes())
    at = raw.index(b"[all]")
    raw[at : at + 512] = bytes(512)
    (board.state.boot / "autoboot.img").write_bytes(bytes(raw))
    assert board.starts() == ("A", False)
    board.boot.close_slot(Slot.A)
    assert board.starts() == ("B", False)
    board.boot.close_slot(Slot.B)
    with pytest.raises(Unavailable, match=r"no default slot: .*; slot A .*closed; slot B .*closed"):
        board.rom.boot()


def test_an_image_in_slot_a_takes_the_place_of_the_checkout(board: Board, image: Path) -> None:
    board.install(Slot.A, image)
    first = board.rom.boot()
    assert first.image
    assert (first.tree / "firmware" / "__main__.py").read_text() == "print('hello')\n"
    # The next start unpacks it anew, whatever the former left, and whatever rights the image has.
    (first.tree / "left-over").write_text("x")
    second = board.rom.boot()
    assert sorted(path.name for path in second.tree.iterdir()) == ["firmware", "locked"]


def test_a_checkout_that_has_moved_is_found_again(board: Board, tmp_path: Path) -> None:
    link = board.state.slots / "A"
    link.unlink()
    link.symlink_to(tmp_path / "gone")
    board.boot.close_slot(Slot.B)
    with pytest.raises(Unavailable, match=r"slot A .*empty"):
        board.rom.boot()
    board.rom.furnish()
    assert board.starts() == ("A", False)


@settings(max_examples=examples(30))
@given(
    steps=st.lists(
        st.sampled_from(["arm", "cut", "start", "commit A", "commit B", "close A", "close B", "open A", "open B"]),
        max_size=12,
    )
)
def test_whatever_is_done_to_it_the_board_starts_the_armed_or_the_default_slot_if_that_is_open(
    steps: list[str], image: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    board = Board(tmp_path_factory.mktemp("board"))
    board.install(Slot.B, image)
    armed, default, closed = False, Slot.A, set[Slot]()
    for step in [*steps, "start"]:
        word, _, name = step.partition(" ")
        if word == "arm":
            board.boot.arm()
            armed = True
        elif word == "cut":
            board.rom.power_off()
            armed = False
        elif word == "commit":
            default = Slot(name)
            board.boot.set_default(default)
        elif word in ("close", "open"):
            slot = Slot(name)
            getattr(board.boot, f"{word}_slot")(slot)
            closed = closed | {slot} if word == "close" else closed - {slot}
        else:
            wishes = [(default.other, True)] * armed + [(default, False), (default.other, False)]
            wanted = next(((slot.value, trying) for slot, trying in wishes if slot not in closed), None)
            armed = False
            if wanted is None:
                with pytest.raises(Unavailable):
                    board.rom.boot()
            else:
                assert board.starts() == wanted
