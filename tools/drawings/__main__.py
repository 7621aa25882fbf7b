"""Writes docs/images/wiring/*.svg, or with `--check` says which are not what the code draws now."""

from __future__ import annotations

import sys

from firmware.paths import CHECKOUT
from tools.drawings import outputs, readers

FOLDER = CHECKOUT / "docs" / "images" / "wiring"
DRAWN = {
    "wiegand_reader": readers.wiegand_reader,
    "wiegand_out": readers.wiegand_out,
    "rs485": readers.rs485,
    "strike": outputs.strike,
    "bare_relay": outputs.bare_relay,
    "active_low": outputs.active_low,
    "solid_state": outputs.solid_state,
    "loop": outputs.loop,
    "rig": outputs.rig,
}


def main(words: list[str]) -> int:
    """Write or check; status 1 when a checked drawing is outdated."""
    status = 0
    for name, draw in DRAWN.items():
        path, text = FOLDER / f"{name}.svg", draw().svg()
        if path.exists() and path.read_text() == text:
            continue
        if words == ["--check"]:
            print(f"{path.name} is not what tools/drawings draws; run: make reference", file=sys.stderr)
            status = 1
        else:
            path.write_text(text)
            print(f"docs/images/wiring/{path.name}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
