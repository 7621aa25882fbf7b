"""Wiring files: those that ship are right, and a mistake in one is one line with its place and value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.board import load_board
from hal.board.models import NODES
from hal.board.ways import DRIVEN, Way, ways_of
from hal.errors import BoardError, BusError
from tests.bench.rig.lock import locked
from tests.bench.rig.relay_board import order
from tests.bench.rig.wiring import load_wiring, parse_wiring

RIGS = Path("tests/bench/rig")
SHIPPED = sorted(RIGS.glob("*.toml"))
GOOD = (RIGS / "looped_pi.toml").read_text().replace("boards/rig_door.toml", str(RIGS / "boards/rig_door.toml"))
PINS = {
    2: 3, 3: 5, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21, 25: 22, 11: 23,
    8: 24, 7: 26, 5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36, 26: 37, 20: 38, 21: 40,
}  # fmt: skip


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(text.replace("tests/bench/rig/boards", str(RIGS.resolve() / "boards")))
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_wiring_begins_with_a_diagram_that_says_what_the_tables_say(path: Path) -> None:
    wiring = load_wiring(path)
    comment = path.read_text().partition("\nname")[0]
    for place in [*(wire.line for wire in wiring.wires), *(wire.probe for wire in wiring.wires)]:
        if wiring.probes.get(place.bus) and wiring.probes[place.bus].relays is not None:
            assert f"relay {place.offset} " in comment, place
            continue
        pin = PINS[place.offset]
        assert re.search(rf"\b(GPIO)?{place.offset}\b[^\n]*\b{pin}\b", comment), f"{place} is not in the diagram"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('line  = "gpio0:17"', 'line  = "gpio0:16"', "wires.0.line: unknown line 'gpio0:16'; did you mean 'gpio0:6'?"),
        ('probe = "pi:22"', 'probe = "pj:22"', "wires.0.probe: unknown probe 'pj'; did you mean 'pi'?"),
        ('probe = "pi:22"', 'probe = "pi:10"', "wires.1.probe: /dev/lintel/gpio:10 is already taken by 'door strike"),
        ('probe = "pi:22"', 'probe = "pi:18"', "wires.2.line: /dev/lintel/gpio:18 is already taken by 'door strike"),
        ('what  = "reader D0"', 'wot  = "reader D0"', "wires.3.what: is missing"),
        ('chip = "/dev/lintel/gpio"', 'chip = "/dev/a"\nrelays = "/dev/b"', "a probe has one of chip, command, relays"),
        ('chip = "/dev/lintel/gpio"', 'relays = "/dev/b"', "is no relay of that board; valid: 1 to 8"),
        ("[probes.pi]", "[probes.pi", "is not TOML"),
    ],
)
def test_a_mistake_in_a_wiring_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    with pytest.raises(BoardError) as found:
        load_wiring(written(tmp_path, GOOD.replace(old, new, 1)))
    assert complaint in str(found.value)
    assert "\n" not in str(found.value)


def test_a_relay_on_usb_cannot_watch_what_the_board_drives(tmp_path: Path) -> None:
    text = (RIGS / "usb_relays.toml").read_text().replace("boards/", "tests/bench/rig/boards/")
    with pytest.raises(BoardError, match=r"wires\.3\.probe: a relay cannot watch door strike relay GPIO17"):
        load_wiring(written(tmp_path, text.replace('probe = "pi:22"', 'probe = "contacts:4"')))


@given(st.text(max_size=200))
def test_whatever_stands_in_a_wiring_file_is_read_or_refused_in_one_line(text: str) -> None:
    with pytest.raises(BoardError) as found:
        parse_wiring(text, Path("rig.toml"))
    assert "\n" not in str(found.value)


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    with locked(["/dev/zero"], "pytest in a folder", tmp_path):
        with pytest.raises(BusError, match=r"/dev/zero: this rig is in use by pytest in a folder \(process \d+\)"):
            with locked(["/dev/null", "/dev/zero"], "another", tmp_path):
                pass
        with locked(["/dev/null"], "another", tmp_path):
            pass
    with locked(["/dev/null", "/dev/zero"], "another", tmp_path):
        pass


def test_two_names_of_one_chip_have_one_lock(tmp_path: Path) -> None:
    link = Path("/dev/fd")  # a link in every Linux
    with locked([str(link)], "one", tmp_path):
        with pytest.raises(BusError), locked([str(link.resolve())], "two", tmp_path):
            pass


def test_the_orders_of_a_relay_board_are_those_on_its_data_sheet() -> None:
    assert (order(1, True), order(1, False)) == (bytes.fromhex("a00101a2"), bytes.fromhex("a00100a1"))


def test_every_line_of_every_kind_of_node_has_a_way() -> None:
    for kind, model in NODES.items():
        assert DRIVEN.get(kind, frozenset()) <= set(model.line_fields), kind
    ways = ways_of(load_board("door_station"))
    named = {str(line): way for line, (_, _, way) in ways.items()}
    assert named["gpio0:16"] is Way.OUT
    assert named["gpio0:20"] is Way.IN
    assert named["gpio0:17"] is Way.BUS
    assert named["exp0:0"] is Way.OUT
