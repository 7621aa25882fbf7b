"""`lintel doctor` on a kernel's devices: beside the running firmware it moves nothing, and names what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gpiod
import pytest

from firmware.cli.main import run
from firmware.paths import CHECKOUT
from tests.bench.kernel.bench import KernelBench

Findings = list[Mapping[str, Any]]

BOARD = """
[product]
name = "Some board"
model = "SOME"
[buses]
gpio0 = { kind = "gpio", chip = "/dev/gpiochip0", size = 100 }
i2c0 = { kind = "i2c", device = "/dev/i2c-0" }
port = { kind = "uart", device = "/dev/ttyVB0", rs485 = true }
[nodes]
relay1 = { compatible = "relay", line = "gpio0:16" }
far = { compatible = "led", line = "gpio0:77" }
adc0 = { compatible = "ads1115", bus = "i2c0", address = 0x48 }
exp0 = { compatible = "mcp23017", bus = "i2c0", address = 0x21 }
"""


@pytest.fixture
def some_board(tmp_path: Path) -> Path:
    path = tmp_path / "some.toml"
    path.write_text(BOARD)
    return path


def examined(board: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> Findings:
    """The findings that are not in order."""
    words = ["doctor", "--json", "--user", "root", "--board", str(board), "--state", str(state)]
    assert run(words) == 1  # this machine has no units
    found: Findings = json.loads(capsys.readouterr().out)["findings"]
    return [finding for finding in found if finding["grade"] == "bad" and finding["check"] in ("wiring", "devices")]


def test_chips_that_do_not_answer_and_lines_that_do_not_exist_are_named(
    some_board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far, chip = examined(some_board, tmp_path, capsys)
    assert far["text"] == "gpio0:77 (far line) does not exist: /dev/gpiochip0 has the lines 0 to 53"
    assert chip["text"].startswith("no answer of mcp23017 at 0x21 on i2c0 (exp0): ")
    assert chip["mend"].startswith("sudo i2cdetect -y 0")


def test_a_line_and_a_port_that_somebody_else_has_are_named_with_how_they_are_freed(
    some_board: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = os.open("/dev/ttyVB0", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        with gpiod.request_lines("/dev/gpiochip0", consumer="blinker", config={16: None}):
            found = {finding["text"]: finding["mend"] for finding in examined(some_board, tmp_path, capsys)}
    finally:
        os.close(port)
    mine = f"sudo kill {os.getpid()}"
    assert found["gpio0:16 (relay1 line) is in use by blinker"].startswith(mine)
    (used,) = (text for text in found if text.startswith("/dev/ttyVB0 (port) is in use by "))
    assert found[used].startswith(mine)


async def beside_the_firmware(bench: KernelBench) -> None:
    """A doctor who comes while the firmware runs."""
    moves = list(bench.lines.moves)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "firmware", "doctor", "--json", "--user", "root"),
        *("--board", bench._device.board, "--state", str(bench.state)),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 1
    findings = json.loads(out)["findings"]
    wiring = [finding for finding in findings if finding["check"] == "wiring"]
    assert [finding["grade"] for finding in wiring] == ["ok"] * len(wiring)
    said = [finding["text"] for finding in wiring]
    assert any(text.endswith("lines of gpio0, the firmware has them") for text in said)
    assert sum("on i2c1" in text for text in said) == 4  # two converters, the expander, the accelerometer
    assert any("is kept after" in finding["text"] for finding in findings)
    assert bench.lines.moves == moves
    assert bench.relay("door").edges() == 0
    # The door works as before, and the chips with it.
    bench.loop("input:rex").set("closed")
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)


def test_beside_the_running_firmware_nothing_moves_and_its_lines_and_chips_are_in_order(tmp_path: Path) -> None:
    bench = KernelBench(tmp_path / "state")
    bench.play(beside_the_firmware, {"bench": bench})
