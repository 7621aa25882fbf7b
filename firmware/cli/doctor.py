"""`lintel doctor`: what is missing on this machine, one line each with the command that mends it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from firmware.cli.parser import Parser
from firmware.core.errors import Invalid
from firmware.doctor.examine import examine
from firmware.doctor.finding import Grade
from firmware.doctor.machine import RUN_USER, Machine
from hal.board import load_board
from hal.clock import SystemClock

DEFAULT_BOARD = "door_station"
BOARD_FILE = "etc/lintel/board.conf"


def installed_board(machine: Machine) -> str:
    """The board that the units start with: LINTEL_BOARD of /etc/lintel/board.conf, or the door station."""
    found = re.findall(r"^\s*LINTEL_BOARD=[\"']?([^\s\"']+)", machine.text(BOARD_FILE), re.MULTILINE)
    return found[-1] if found else DEFAULT_BOARD


def command(words: list[str]) -> int:
    """Print the findings; returns 0 when nothing is missing, else 1. Raises BoardError, Invalid."""
    parser = Parser(prog="lintel doctor")
    parser.add_argument("--board", help="a board's name or file (default: that of /etc/lintel/board.conf)")
    parser.add_argument("--state", type=Path, default=Path("/var/lib/lintel"), help="(default: %(default)s)")
    parser.add_argument("--user", default=RUN_USER, help="who runs the firmware (default: %(default)s)")
    parser.add_argument("--root", type=Path, default=Path("/"), help="the machine's files, such as a mounted image")
    parser.add_argument("--json", action="store_true", help="all findings as JSON")
    options = parser.parse_all(words)
    if not options.root.is_dir():
        raise Invalid("--root", f"{options.root} is no folder")
    machine = Machine(options.root)
    board = load_board(options.board or installed_board(machine))
    found = list(examine(machine, board, options.state.absolute(), options.user, SystemClock()))
    missing = sum(finding.grade is Grade.BAD for finding in found)
    if options.json:
        told = {"board": board.name, "ok": not missing, "findings": [asdict(finding) for finding in found]}
        print(json.dumps(told, indent=1))
    else:
        for finding in found:
            print(finding.line())
        print(f"{board.product.name}: {f'{missing} to mend' if missing else 'nothing is missing'}")
    return 1 if missing else 0
