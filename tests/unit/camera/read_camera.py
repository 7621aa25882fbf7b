"""A camera that is read: its driver, the reader of its frames, and what is seen in what is held of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hal.buses import v4l2_kernel as kernel
from hal.buses.v4l2_reader import PictureReader, Pictures
from hal.buses.v4l2_source import LENT_BUFFERS
from hal.clock import SystemClock
from hal.errors import BusError
from hal.pictures import Frame, Plane
from hal.planes import samples
from tests.unit.camera.memory_driver import MemoryDriver


class Camera:
    """A reader on that driver, whose frames go to `take`; the newest is kept, as those above do."""

    def __init__(self, pixels: kernel.Pixels, buffers: int = LENT_BUFFERS, *, lends: bool = True) -> None:
        self.driver = MemoryDriver(pixels, buffers)
        self.buffers = buffers
        self.latest: Frame | None = None
        self.losses: list[str] = []
        self.take: Callable[[Frame], None] = self.keep
        self.reader = PictureReader(
            "usb0", SystemClock(), Pictures(self.driver, pixels, lends=lends), lambda frame: self.take(frame), self.lost
        )

    def keep(self, frame: Frame) -> None:
        self.latest = frame

    def lost(self, error: BusError) -> None:
        self.losses.append(str(error))

    def shoot(self, *, used: int | None = None, flags: int = 0) -> int:
        """A picture is taken, and the loop calls; the number in the picture."""
        number = self.driver.shoot(used=used, flags=flags)
        self.reader.ready()
        return number

    def close(self) -> None:
        """As the source does: nobody hands on what came."""
        self.latest = None
        self.driver.close()


def values(held: object) -> set[int]:
    """The different samples that are seen in what is held."""
    if isinstance(held, Frame):
        return values(held.main.y) | values(held.main.u) | values(held.main.v)
    if isinstance(held, Plane):
        return set(np.unique(samples(held)).tolist())
    if isinstance(held, bytes):
        return set(held)
    return set(np.unique(np.asarray(held)).tolist())
