"""A camera as the network role knows it before media has said a word: from the board file, and how to get there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firmware.core.link.channel import Connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A source by name and alias, the most it delivers, and `connect`, which leads to its pictures.

    At `hands` the media role takes viewers over; None where it cannot be reached by other processes.
    """

    source: str
    alias: str
    width: int
    height: int
    fps: int
    connect: Connect
    hands: Path | None = None
