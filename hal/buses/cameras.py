"""The cameras of a real board, by the bus names of its board file; implements CameraWires.

picamera2 and numpy are imported only when a bus asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hal.clock import Clock
from hal.errors import BoardError, nearest
from hal.wires import Frames

KINDS = ("csi", "video")


class CameraBusSettings(Protocol):
    """A bus of the board file: kind `csi` has `port`, kind `video` has `device`."""

    @property
    def kind(self) -> str:
        """The kind of wire."""


class RealCameraWires:
    """Image sensors through picamera2, USB cameras through the kernel's video interface."""

    def __init__(self, board_buses: Mapping[str, CameraBusSettings], clock: Clock) -> None:
        self._buses = {name: bus for name, bus in board_buses.items() if bus.kind in KINDS}
        self._clock = clock
        self._opened: dict[str, Frames] = {}

    async def frames(self, bus: str) -> Frames:
        """The camera on that bus; the same one every time. Raises BoardError."""
        if bus not in self._buses:
            raise BoardError("buses", f"no camera bus {bus!r}{nearest(bus, self._buses)}")
        if bus not in self._opened:
            self._opened[bus] = self._source(bus, self._buses[bus])
        return self._opened[bus]

    def _source(self, bus: str, settings: CameraBusSettings) -> Frames:
        if settings.kind == "csi":
            from hal.buses.picamera2_source import Picamera2Frames

            return Picamera2Frames(bus, int(getattr(settings, "port", 0)), self._clock)
        from hal.buses.v4l2_source import V4l2Frames

        return V4l2Frames(bus, str(getattr(settings, "device", "")), self._clock)

    async def close(self) -> None:
        """Stop every camera."""
        for frames in self._opened.values():
            await frames.stop()
        self._opened.clear()
