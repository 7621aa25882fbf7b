"""`lintel run`: the board process with its roles, or one role of a device that already has one."""

from __future__ import annotations

import gc
import os
import socket
from pathlib import Path

from firmware.cli.parser import Parser, address
from firmware.core.errors import Invalid
from firmware.options import ALL, OFF, RunOptions
from hal.errors import nearest

HTTPS = ("127.0.0.1", 8443)
RTSP = ("127.0.0.1", 8554)


def parse(words: list[str]) -> RunOptions:
    """The options of `lintel run`. Raises Invalid."""
    parser = Parser(prog="lintel run")
    parser.add_argument("--board", default="door_station", help="a board's name or file")
    parser.add_argument("--hal", choices=("sim", "real"), default=None, help="simulated or real hardware")
    parser.add_argument("--state", type=Path, default=Path("./state"), help="where the device keeps things")
    parser.add_argument("--http", type=str, default="127.0.0.1:8080", metavar="HOST:PORT")
    parser.add_argument("--https", type=str, default=None, metavar="HOST:PORT|off")
    parser.add_argument("--rtsp", type=str, default=None, metavar="HOST:PORT|off")
    parser.add_argument("--discovery", default=None, metavar="ADAPTER,...|all|off")
    parser.add_argument("--machine", choices=("sim", "real"), default=None, help="whose network and clock are set")
    parser.add_argument("--role", choices=("all", "control", "media", "network"), default=None)
    parser.add_argument("--no-web", action="store_true", help="leave the status page out")
    found = parser.parse_all(words)
    return RunOptions(
        board=found.board,
        hal=found.hal or ("real" if is_board_computer() else "sim"),
        state=found.state.absolute(),
        http=address(found.http, "lintel run --http"),
        https=address_or_off(found.https, HTTPS, "lintel run --https"),
        https_asked=found.https is not None,
        rtsp=address_or_off(found.rtsp, RTSP, "lintel run --rtsp"),
        rtsp_asked=found.rtsp is not None,
        role=found.role,
        web=not found.no_web,
        discovery=discovery_of(found.discovery),
        machine=found.machine,
    )


def address_or_off(text: str | None, default: tuple[str, int], where: str) -> tuple[str, int] | None:
    """The address that was given, the default one, or None for `off`. Raises Invalid."""
    if text == OFF:
        return None
    return default if text is None else address(text, where)


def discovery_of(text: str | None) -> str | None:
    """The adapters at which the device is to be found; None: as is usual. Raises Invalid."""
    if text is None or text in (ALL, OFF):
        return text
    there = [name for _, name in socket.if_nameindex()]
    for name in text.split(","):
        if name not in there:
            hint = nearest(name, [*there, ALL, OFF])
            raise Invalid("lintel run --discovery", f"no adapter {name[:20]!r}{hint}; there are {', '.join(there)}")
    return text


def is_board_computer() -> bool:
    """Whether this machine is a Raspberry Pi or another device-tree board with GPIO."""
    try:
        model = Path("/proc/device-tree/model").read_text()
    except OSError:
        return False
    return "Raspberry Pi" in model


def command(words: list[str]) -> int:
    """Run until told to stop. Raises Invalid, BoardError, Unavailable."""
    options = parse(words)
    # What is loaded at the start stays: looking through it for garbage again and again costs a tenth of the start.
    # A process that has started switches it on again (`firmware.child`, `firmware.board_process.process`).
    gc.disable()
    try:
        return _start(options)
    finally:
        gc.enable()


def _start(options: RunOptions) -> int:
    child = "LINTEL_RUNTIME" in os.environ or "RUNTIME_DIRECTORY" in os.environ
    if options.role in ("control", "media", "network") or (options.role == "all" and child):
        from firmware.child import run_role

        return run_role(options)
    from firmware.board_process.process import run_board

    return run_board(options)
