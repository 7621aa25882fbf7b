"""`lintel explain`: the resolved board, and why each service is on or off."""

from __future__ import annotations

from firmware.cli.parser import Parser


def command(words: list[str]) -> int:
    """Print the explanation of a board. Raises BoardError, Invalid."""
    parser = Parser(prog="lintel explain")
    parser.add_argument("--board", default="door_station", help="a board's name or file")
    options = parser.parse_all(words)

    from firmware.app import explain

    print(explain(options.board), end="")
    return 0
