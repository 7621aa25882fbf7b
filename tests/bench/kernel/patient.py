"""A board whose converters are asked less often: in virtual time, whatever polls is what costs.

Nothing else of it is changed. A loop is seen a third of a second later than on the board as shipped.
"""

from __future__ import annotations

import re
from pathlib import Path

from firmware.paths import CHECKOUT

# Slower than the shipped 20 ms (loops) and 50 ms (shocks, whose driver allows no more than this).
POLL_MS = {"supervised-input": 160, "io-port": 160, "lis3dh": 70}
NODE = re.compile(r'^(?P<head>\w+\s*=\s*\{ compatible = "(?P<kind>[a-z0-9-]+)")(?P<rest>.*\})', re.MULTILINE)


def patient(board: str, folder: Path) -> str:
    """The file of a product's board with patience, written into `folder`; a path to a file is left as it is."""
    if "/" in board:
        return board
    text = (CHECKOUT / "boards" / f"{board}.toml").read_text()

    def slower(found: re.Match[str]) -> str:
        kind, rest = found["kind"], found["rest"]
        if kind not in POLL_MS or "poll_ms" in rest:
            return found[0]
        return f"{found['head']}, poll_ms = {POLL_MS[kind]}{rest}"

    path = folder / f"{board}.toml"
    path.write_text(NODE.sub(slower, text))
    return str(path)
