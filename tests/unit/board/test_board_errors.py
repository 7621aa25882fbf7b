"""A wrong board file gets one line: the file, the place, the value, the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from hal.board import BOARDS, load_board, parse_board
from hal.errors import BoardError

SOURCE = (BOARDS / "door_station.toml").read_text()
FILE = "boards/door_station.toml"


def complaint(old: str, new: str) -> str:
    """What is said of the door station when `old` is written as `new`, without the file's name."""
    assert old in SOURCE
    with pytest.raises(BoardError) as raised:
        parse_board(SOURCE.replace(old, new, 1), FILE)
    file, _, rest = str(raised.value).partition(": ")
    assert file == FILE
    return rest


EXACT = {
    "unknown compatible": (
        'compatible = "relay"',
        'compatible = "relai"',
        "nodes.relay1.compatible: unknown compatible 'relai'; did you mean 'relay'?",
    ),
    "no compatible": ('relay2 = { compatible = "relay",', "relay2 = {", "nodes.relay2.compatible: is missing"),
    "unknown key": (
        "max_on_s = 60",
        "max_on = 60",
        "nodes.relay1.max_on: unknown key 'max_on'; did you mean 'max_on_s'?",
    ),
    "unknown section": ("[product]", "[products]", "products: unknown key 'products'; did you mean 'product'?"),
    "missing key": ('line = "gpio0:16", ', "", "nodes.relay1.line: is missing"),
    "wrong type": (
        "max_on_s = 60",
        'max_on_s = "60"',
        "nodes.relay1.max_on_s: should be a valid number (got '60')",
    ),
    "not a number": ("max_on_s = 60", "max_on_s = nan", "nodes.relay1.max_on_s: should be a finite number (got nan)"),
    "out of range": (
        "max_on_s = 60",
        "max_on_s = 4000",
        "nodes.relay1.max_on_s: should be less than or equal to 3600 (got 4000)",
    ),
    "not a line": (
        "gpio0:26",
        "26",
        "nodes.relay2.line: '26' is not a line; write BUS:NUMBER, such as gpio0:17",
    ),
    "line twice": ("gpio0:26", "gpio0:16", "nodes.relay2.line: line 'gpio0:16' is already nodes.relay1.line"),
    "line of a bus": ("gpio0:26", "gpio0:2", "nodes.relay2.line: line 'gpio0:2' is already buses.i2c1.lines"),
    "line beyond the chip": ("gpio0:26", "gpio0:28", "nodes.relay2.line: gpio0 has lines 0 to 27 (got 'gpio0:28')"),
    "line beyond the expander": ("exp0:3", "exp0:16", "nodes.io4.output: exp0 has lines 0 to 15 (got 'exp0:16')"),
    "unknown chip": (
        "gpio0:26",
        "gpio1:26",
        "nodes.relay2.line: unknown chip or expander 'gpio1'; did you mean 'gpio0'? (got 'gpio1:26')",
    ),
    "unknown bus": (
        'bus = "i2c1", address = 0x49',
        'bus = "i2c2", address = 0x49',
        "nodes.adc1.bus: unknown I2C bus 'i2c2'; did you mean 'i2c1'?",
    ),
    "unknown serial bus": (
        'bus = "rs485",',
        'bus = "rs486",',
        "nodes.reader2.bus: unknown serial bus 'rs486'; did you mean 'rs485'?",
    ),
    "serial bus that is another kind": (
        'bus = "rs485b",',
        'bus = "i2c1",',
        "nodes.panel1.bus: unknown serial bus 'i2c1'; valid: rs485, rs485b",
    ),
    "panel on the bus of a reader": (
        'bus = "rs485b",',
        'bus = "rs485",',
        "nodes.panel1.bus: rs485 is already that of nodes.reader2: a bus with a panel has nothing else",
    ),
    "unknown converter": (
        "adc1:3",
        "adc2:3",
        "nodes.io4.adc: unknown converter 'adc2'; did you mean 'adc1'? (got 'adc2:3')",
    ),
    "channel beyond the converter": (
        "adc1:3",
        "adc1:4",
        "nodes.io4.adc: adc1 has channels 0 to 3 (got 'adc1:4')",
    ),
    "channel twice": ("adc1:3", "adc1:2", "nodes.io4.adc: channel 'adc1:2' is already nodes.io3.adc"),
    "address twice": (
        "address = 0x49",
        "address = 0x48",
        "nodes.adc1.address: address 0x48 of i2c1 is already nodes.adc0",
    ),
    "address of another chip": (
        "address = 0x49",
        "address = 0x50",
        "nodes.adc1.address: should be 0x48 to 0x4b, which is 72 to 75 (got 80)",
    ),
    "alias twice": ('alias = "aux"', 'alias = "door"', "nodes.relay2.alias: relay 'door' is already nodes.relay1"),
    "alias that is a node": (
        'alias = "aux"',
        'alias = "relay1"',
        "nodes.relay2.alias: relay 'relay1' is already nodes.relay1",
    ),
    "alias with a space": (
        'alias = "aux"',
        'alias = "Aux 1"',
        "nodes.relay2.alias: should be 1 to 32 letters a-z, digits and _, beginning with a letter (got 'Aux 1')",
    ),
    "data lines on an expander": (
        'd0 = "gpio0:23", d1 = "gpio0:24"',
        'd0 = "exp0:8", d1 = "exp0:9"',
        "nodes.reader1.d0: must be a line of a GPIO chip: an expander is too slow for data lines (got 'exp0:8')",
    ),
    "data lines on two chips": (
        'd1 = "gpio0:24"',
        'd1 = "exp0:9"',
        "nodes.reader1: d0 and d1 must be lines of one chip: they are one request",
    ),
    "controller's lines on two chips": (
        'd1 = "gpio0:21"',
        'd1 = "exp0:9"',
        "nodes.out1: d0 and d1 must be lines of one chip: they are one request",
    ),
    "controller's line in use": (
        'd1 = "gpio0:21"',
        'd1 = "gpio0:24"',
        "nodes.out1.d1: line 'gpio0:24' is already nodes.reader1.d1",
    ),
    "terminal without anything": (
        'output = "exp0:0", adc = "adc1:0"',
        "poll_ms = 50",
        "nodes.io1: a terminal needs output, input or adc",
    ),
    "require not text": (
        'require = ["access", "doors"]',
        'require = ["access", 3]',
        "product.require.1: should be a valid string (got 3)",
    ),
    "room not a table": ("[rooms.io]", "[rooms]\nio = 3\n[rooms.other]", "rooms.io: should be a table (got 3)"),
    "name with a space": (
        "relay2 =",
        '"relay 2" =',
        "nodes.'relay 2': a name should be 1 to 32 letters a-z, digits and _, beginning with a letter",
    ),
    "missing base": ("_rpi.toml", "_rpy.toml", "base: unknown file '_rpy.toml'; did you mean '_rpi.toml'?"),
    "base elsewhere": (
        "_rpi.toml",
        "../secrets.toml",
        "base: should be a file name such as '_rpi.toml' (got '../secrets.toml')",
    ),
    "broken TOML": (
        "[nodes]",
        "[nodes",
        "line 15, column 7: is not TOML: expected ']' at the end of a table declaration",
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), EXACT.values(), ids=EXACT.keys())
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(old: str, new: str, expected: str) -> None:
    assert complaint(old, new) == expected


def test_an_unknown_board_suggests_the_nearest() -> None:
    with pytest.raises(BoardError) as raised:
        load_board("door_staton")
    assert str(raised.value) == "--board: unknown board 'door_staton'; did you mean 'door_station'?"


def test_a_board_name_unlike_any_other_lists_them_all() -> None:
    with pytest.raises(BoardError) as raised:
        load_board("zzz")
    assert str(raised.value) == (
        "--board: unknown board 'zzz'; valid: door_station, horn_speaker, network_speaker, plate_camera, ptz_dome"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none.toml"
    with pytest.raises(BoardError) as raised:
        load_board(file)
    assert str(raised.value) == f"{file}: no such file"


def test_a_directory_is_not_a_board(tmp_path: Path) -> None:
    with pytest.raises(BoardError) as raised:
        load_board(tmp_path)
    assert str(raised.value) == f"{tmp_path}: is a directory"


def test_a_path_with_a_zero_byte_is_one_printable_line() -> None:
    with pytest.raises(BoardError) as raised:
        load_board("a\0b/c.toml")
    assert str(raised.value).isprintable()


def test_a_file_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes('base = "_rpi.toml"\n# T\xfcr\n'.encode("latin-1"))
    with pytest.raises(BoardError) as raised:
        load_board(file)
    assert str(raised.value) == f"{file}: line 2: is not UTF-8 (byte 0xfc)"


def test_a_file_larger_than_any_board_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "large.toml"
    file.write_bytes(b"#" * 200_000)
    with pytest.raises(BoardError) as raised:
        load_board(file)
    assert str(raised.value) == f"{file}: is larger than 131072 bytes"


def test_bases_in_a_circle_are_refused(tmp_path: Path) -> None:
    for one, other in (("_a", "_b"), ("_b", "_a")):
        (tmp_path / f"{one}.toml").write_text(f'base = "{other}.toml"\n')
    file = tmp_path / "x.toml"
    file.write_text('base = "_a.toml"\n')
    with pytest.raises(BoardError) as raised:
        load_board(file)
    assert str(raised.value) == f"{tmp_path}/_b.toml: base: bases go round in a circle: _a.toml -> _b.toml -> _a.toml"


def test_a_mistake_in_the_base_names_the_base_and_not_the_child(tmp_path: Path) -> None:
    base = (BOARDS / "_rpi.toml").read_text().replace('active = "low"', 'active = "lo"')
    (tmp_path / "_base.toml").write_text(base)
    file = tmp_path / "x.toml"
    file.write_text('base = "_base.toml"\n[product]\nname = "x"\nmodel = "X"\n')
    with pytest.raises(BoardError) as raised:
        load_board(file)
    assert str(raised.value) == f"{tmp_path}/_base.toml: nodes.control.active: should be 'low' or 'high' (got 'lo')"


def test_brackets_without_end_are_refused_in_one_line() -> None:
    with pytest.raises(BoardError) as raised:
        parse_board("a = " + "[" * 50_000, "x.toml")
    assert str(raised.value) == "x.toml: is nested too deeply"


@pytest.mark.parametrize("value", ["0x" + "f" * 5000, "9" * 5000, '"""a\nb"""', "2026-01-01", "[[1]]", '"\\u2028"'])
def test_a_monstrous_value_still_makes_one_short_line(value: str) -> None:
    text = complaint("max_on_s = 60", f"max_on_s = {value}")
    assert len(text) < 250
    assert text.isprintable()
