"""Words of the video room: picture sources and whether they deliver (manuals 001, 003 and 004, Video)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from firmware.core.events import State, topic


class Signal(StrEnum):
    """Whether pictures come from a source."""

    RUNNING = "running"
    NO_SIGNAL = "no_signal"


@topic("video/source")
@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSource(State):
    """A camera as viewers know it; `reason` says in words why there is no signal, or is empty.

    `width` x `height` is what it delivers, turned as people wish; `sizes` are the resolutions a viewer may ask for,
    the largest first; `fps` is its rate in pictures per second. Without a signal these are what is wished for.
    """

    keys: ClassVar[tuple[str, ...]] = ("source",)
    source: str
    alias: str
    phase: Signal
    reason: str
    width: int
    height: int
    fps: float
    sizes: tuple[str, ...]


def snapshot_name(at: datetime) -> str:
    """The name of a snapshot taken at `at`, the device's local time. Source: manuals 001 and 003, live view."""
    return at.strftime("snapshot_%Y_%m_%d_%H_%M_%S.jpg")
