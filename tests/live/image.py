"""Slot images for live tests: squashfs files of a copy of this checkout, changed a little."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("firmware", "hal", "boards")


def program_tree(into: Path, version: str, change: Callable[[Path], None] | None = None) -> Path:
    """A copy of the program with another version, and whatever `change` makes of it."""
    for name in PROGRAM:
        shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    place = into / "firmware" / "__init__.py"
    text, count = re.subn(r'(?m)^VERSION = ".*"$', f'VERSION = "{version}"', place.read_text())
    assert count == 1
    place.write_text(text)
    if change is not None:
        change(into)
    return into


def squash(tree: Path, image: Path) -> Path:
    """The image of a program tree."""
    words = ["mksquashfs", str(tree), str(image), "-noappend", "-all-root", "-no-progress", "-quiet"]
    subprocess.run(words, check=True, capture_output=True)
    return image
