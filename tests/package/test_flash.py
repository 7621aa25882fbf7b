"""docs/flash.md: what it has a person write works, on the simulator."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from firmware.roles import duties_on
from hal.board import load_board
from tests.bench.sim import SimBench
from tools.package.deb import CONTROL
from tools.package.image import CONFIG, TABLE
from tools.package.system_files import CHECKOUT

TEXT = (CHECKOUT / "docs" / "flash.md").read_text()
CARD = "H10301:42:1234"


def block(kind: str) -> str:
    """The first block of that kind."""
    found = re.search(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def bench(tmp_path: Path) -> SimBench:
    """The device of the page."""
    board = tmp_path / "board.toml"
    board.write_text(block("toml"))
    return SimBench(tmp_path / "state", str(board))


async def test_the_board_of_the_page_opens_its_door_to_the_card_of_the_page(bench: Any) -> None:
    await bench.reader("front").swipe(CARD)
    await bench.settle()
    assert bench.relay("door").edges() == 0
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    pulse = await bench.relay("door").pulse()
    assert pulse.width_s == pytest.approx(7.0)


def test_the_board_of_the_page_has_the_lines_of_its_wiring_table(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(block("toml"))
    board = load_board(str(path))
    assert {"access", "doors"} <= duties_on(board, "control")
    wired = {int(number) for number in re.findall(r"\(GPIO (\d+)\)", TEXT)}
    used = {line.offset for name in ("relay1", "reader1") for _, line in board.nodes[name].lines()}
    assert wired == used


def test_the_commands_of_the_page_are_ones_that_there_are() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", TEXT, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert json.loads(re.findall(r"--json '(\{\"name\":\"Ada\".*?\})'", TEXT)[0]) == {"name": "Ada", "card": CARD}
    for line in block("ini").split():
        assert line in CONFIG
    for overlay in re.findall(r"`(dtoverlay=uart[^`]*)`", TEXT):
        assert overlay in CONFIG


def test_the_table_of_the_card_is_the_one_that_is_made() -> None:
    rows = re.findall(r"^\| [\d, ]+ \| ((?:`[a-z-]+`(?:, )?)+) \|", TEXT, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`([a-z-]+)`", row)] == [one.name for one in TABLE]


def test_the_layer_for_the_pi_installs_the_package_and_what_it_needs_of_the_system() -> None:
    layer = (CHECKOUT / "tools/rpi-image-gen/layer/lintel.yaml").read_text()
    packages = set(re.findall(r"^    - ([a-z0-9-]+)$", layer, re.MULTILINE))
    wanted = re.search(r"^Depends: (.*?)\n[A-Z]", CONTROL, re.MULTILINE | re.DOTALL)
    assert wanted is not None
    names = {word.split("(")[0].strip() for word in wanted[1].replace("\n", " ").split(",")}
    # The rest comes with every Debian that starts by systemd, or is fetched with the package.
    assert names - packages <= {"systemd", "udev", "init-system-helpers", "passwd", "libasound2"}
    assert "$IGconf_lintel_deb" in layer
    for board in ("pi4", "pi5"):
        config = (CHECKOUT / f"tools/rpi-image-gen/config/lintel-{board}.yaml").read_text()
        assert f"layer: r{board}" in config
        assert "app: lintel" in config
