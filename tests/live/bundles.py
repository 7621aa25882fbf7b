"""A vendor of firmware: keys, and bundles of this checkout, one that works and differs, one that does not come up."""

from __future__ import annotations

from pathlib import Path

from tests.live.device import lintel
from tests.live.image import program_tree

VERSION = "9.8.7"
MARK = "a sentence that only the new firmware says"


def made(root: Path) -> Path:
    """Make keys and bundles in `root`: `keys`, `new.raucb` and `ill.raucb`."""
    assert lintel("bundle", "keys", str(root / "keys")).returncode == 0
    for name, version, change in (("new", VERSION, reword), ("ill", "9.8.8", fall_ill)):
        tree = program_tree(root / name, version, change)
        done = lintel("bundle", "build", "--tree", str(tree), "--keys", str(root / "keys"), str(root / f"{name}.raucb"))
        assert done.returncode == 0, done.stderr
    return root


def reword(tree: Path) -> None:
    """Other code, so that the difference can be seen from outside."""
    place = tree / "firmware" / "upgrade" / "maintenance.py"
    text = place.read_text()
    assert "Restart the whole device; no setting changes." in text
    place.write_text(text.replace("Restart the whole device; no setting changes.", MARK))


def fall_ill(tree: Path) -> None:
    """The doors of this one do not start."""
    place = tree / "firmware" / "access" / "doors.py"
    text = place.read_text()
    assert "    async def start(self) -> None:\n" in text
    place.write_text(
        text.replace(
            "    async def start(self) -> None:\n",
            "    async def start(self) -> None:\n        raise ValueError('ill')\n",
            1,
        )
    )
