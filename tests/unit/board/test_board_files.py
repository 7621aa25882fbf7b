"""The boards that come with the project: they load, say what they are, and survive a round trip."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hal.board import BOARDS, IoPortNode, WiegandOutNode, board_names, describe_board, load_board, parse_board
from hal.errors import BoardError
from hal.types import LineRef

NAMES = board_names()

# I/O connectors of the product manuals: terminals that can be turned round, and terminals in all.
TERMINALS = {
    "door_station": (4, 4),
    "horn_speaker": (0, 0),
    "network_speaker": (0, 0),
    "plate_camera": (0, 2),
    "ptz_dome": (4, 4),
}


def test_the_boards_are_the_five_products() -> None:
    assert NAMES == ("door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome")


@pytest.mark.parametrize("name", NAMES)
def test_a_board_parsed_from_its_own_data_is_the_same_board(name: str) -> None:
    board = load_board(name)
    assert parse_board(board.data(), name) == board


@pytest.mark.parametrize("name", NAMES)
def test_every_product_has_a_control_button_and_a_status_light(name: str) -> None:
    board = load_board(name)
    assert board.nodes["control"].kind == "button"
    assert board.nodes["status"].kind == "led"
    assert {"button", "led"} <= board.capabilities
    assert board.rooms["device"]["buttons"]["control"]["node"] == "control"
    assert board.rooms["device"]["lights"]["status"]["node"] == "status"


@pytest.mark.parametrize("name", NAMES)
def test_the_terminals_are_those_of_the_manual(name: str) -> None:
    ports = [node for node in load_board(name).nodes.values() if isinstance(node, IoPortNode)]
    both_ways = [port for port in ports if port.output is not None and (port.adc is not None or port.input is not None)]
    assert (len(both_ways), len(ports)) == TERMINALS[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_node_that_product_data_names_is_on_the_board(name: str) -> None:
    board = load_board(name)
    lights = board.rooms["device"]["lights"].values()
    buttons = board.rooms["device"]["buttons"].values()
    doors = board.rooms.get("access", {}).get("doors", {}).values()
    named = [thing["node"] for thing in (*lights, *buttons)]
    named += [door[key] for door in doors for key in ("relay", "contact", "rex")]
    named += [reader for door in doors for reader in door["readers"]]
    named += board.rooms.get("io", {}).get("ports", [])
    assert set(named) <= set(board.nodes)


@pytest.mark.parametrize("name", NAMES)
def test_lines_with_a_duty_at_reset_or_of_a_bus_are_left_alone(name: str) -> None:
    taken = {line.offset for node in load_board(name).nodes.values() for _, line in node.lines() if line.bus == "gpio0"}
    assert not taken & {0, 1, 2, 3, 14, 15, 17}


@pytest.mark.parametrize("name", NAMES)
def test_no_relay_sits_on_a_line_that_is_pulled_to_its_on_level_before_the_firmware_runs(name: str) -> None:
    for node in load_board(name).nodes.values():
        if node.kind in ("relay", "port"):
            for field, line in node.lines():
                assert field not in ("line", "output") or line.bus != "gpio0" or line.offset >= 9


@pytest.mark.parametrize("name", NAMES)
def test_row_14_no_data_line_is_pulled_to_the_level_of_a_pulse_before_the_firmware_runs(name: str) -> None:
    for node in load_board(name).nodes.values():
        if isinstance(node, WiegandOutNode):
            for _, line in node.lines():
                assert (line.offset >= 9) == (node.active == "high")


def test_a_line_is_read_into_its_bus_and_number() -> None:
    relay = load_board("door_station").nodes["relay1"]
    assert dict(relay.lines())["line"] == LineRef("gpio0", 16)


def test_the_description_lists_nodes_by_name_and_everything_they_are_set_to() -> None:
    text = describe_board(load_board("door_station"))
    assert "board door_station: Network door station (LINTEL-DS1)\n  requires access, doors\n" in text
    relay = "active=high line=gpio0:16 max_on_s=60 readback=gpio0:20 readback_active=high"
    assert f"  relay1 (door): relay {relay}\n" in text
    nodes = text.split("nodes\n")[1].split("capabilities")[0].splitlines()
    assert nodes == sorted(nodes)
    capabilities = (
        "accelerometer, adc, button, camera, expander, illumination, input, led, microphone, panel, port, reader, "
        "relay, speaker, wiegand_out"
    )
    assert text.endswith(f"capabilities: {capabilities}\n")


def test_the_description_does_not_depend_on_the_order_of_the_file() -> None:
    data = load_board("door_station").data()
    turned = {key: dict(reversed(value.items())) if key != "rooms" else value for key, value in data.items()}
    assert describe_board(parse_board(turned, "x")) == describe_board(parse_board(data, "x"))


def test_a_board_file_outside_the_project_uses_the_base_beside_it(tmp_path: Path) -> None:
    (tmp_path / "_mine.toml").write_text((BOARDS / "_rpi.toml").read_text())
    file = tmp_path / "hut.toml"
    file.write_text('base = "_mine.toml"\n[product]\nname = "Hut"\nmodel = "HUT"\n')
    board = load_board(file)
    assert (board.name, sorted(board.nodes)) == ("hut", ["control", "status"])
    assert load_board(str(file)) == board


def test_a_node_of_the_child_replaces_the_node_of_the_base_as_a_whole() -> None:
    board = parse_board(
        """
        base = "_rpi.toml"
        [product]
        name = "x"
        model = "X"
        [nodes]
        control = { compatible = "button", line = "gpio0:5", pull = "none" }
        """,
        "x.toml",
    )
    assert board.nodes["control"].model_dump(exclude_unset=True, mode="json") == {
        "compatible": "button",
        "line": "gpio0:5",
        "pull": "none",
    }
    assert "status" in board.nodes


def test_tables_of_product_data_merge_and_the_child_wins() -> None:
    board = parse_board(
        """
        base = "_rpi.toml"
        [product]
        name = "x"
        model = "X"
        [rooms.device.buttons.control]
        long_s = 5.0
        """,
        "x.toml",
    )
    assert board.rooms["device"]["buttons"]["control"] == {"node": "control", "long_s": 5.0, "stuck_s": 60.0}


def test_a_board_and_its_nodes_cannot_be_changed() -> None:
    board = load_board("door_station")
    with pytest.raises(TypeError):
        board.nodes["x"] = board.nodes["relay1"]  # type: ignore[index]
    with pytest.raises(Exception, match="frozen"):
        board.nodes["relay1"].alias = "x"  # type: ignore[misc]


def test_reading_a_board_loads_no_hardware_library() -> None:
    script = textwrap.dedent("""
        import sys
        from hal.board import load_board
        assert "tomllib" not in sys.modules, "the import alone must stay cheap"
        load_board("door_station")
        print([name for name in ("gpiozero", "gpiod", "lgpio", "smbus2", "serial", "alsaaudio") if name in sys.modules])
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=BOARDS.parent)
    assert done.stdout == "[]\n"


def test_a_base_is_not_a_board() -> None:
    with pytest.raises(BoardError, match="unknown board '_rpi'"):
        load_board("_rpi")
