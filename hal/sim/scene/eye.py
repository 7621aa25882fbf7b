"""What a simulated camera has to know of the scene to paint it, whoever's process it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneState:
    """The scene now. `present`: a camera is there, with power; `origin_ns` is when the clock in the picture was 0.

    `lux` is the light around, `lit` whether the board's illuminator is on, `cut` whether infrared is filtered out.
    """

    present: bool
    faults: frozenset[str]
    plate: str
    film: Path | None
    origin_ns: int
    lux: float = 500.0
    lit: bool = False
    cut: bool = True


class Eye(Protocol):
    """A camera's place in the world: the peer itself, or a copy of it in another process."""

    @property
    def bus(self) -> str:
        """The bus the camera hangs on."""

    def scene(self) -> SceneState:
        """What is before it now."""

    def looking(self, on: bool) -> None:
        """Say whether the firmware looks, for the trace."""
