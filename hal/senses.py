"""Values and ports of what a board feels and sees besides its camera: shocks, light, and the filter before the lens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hal.errors import BusError, HalError

# The least and the hardest shock that can be asked for, in g.
THRESHOLD_G = (0.124, 6.0)


@dataclass(frozen=True, slots=True)
class Shock:
    """A hit at about `t_ns`; `peak_g` is the strongest acceleration seen besides gravity."""

    t_ns: int
    peak_g: float


class Sense(Protocol):
    """What all sensors have in common."""

    @property
    def name(self) -> str:
        """The node's name in the board file."""

    @property
    def problem(self) -> HalError | None:
        """Why it cannot be read now, or None."""

    def on_problem(self, handler: Callable[[HalError | None], None] | None) -> None:
        """Report the beginning of a failure and, with None, its end."""


class Accelerometer(Sense, Protocol):
    """A sensor of shocks. Off until it has a threshold."""

    def set_threshold(self, g: float | None) -> None:
        """Report shocks above `g`, 0.124 to 6; None switches it off. Raises OutOfRange."""

    def watch(self, handler: Callable[[Shock], None] | None) -> None:
        """Report every shock; one hit is one shock, however long it rings."""


class LightSensor(Sense, Protocol):
    """A sensor of the light around, seen as people see it."""

    @property
    def lux(self) -> float | None:
        """The latest reading, or None while there is none."""

    def watch(self, handler: Callable[[float], None] | None) -> None:
        """Report every reading in lux, about once a second."""


class CutFilter(Protocol):
    """The filter that keeps infrared light from a camera's sensor, with what moves it."""

    @property
    def name(self) -> str:
        """The node's name in the board file."""

    def move(self, before: bool) -> None:
        """Bring it before the sensor (day), or out of the way (night). Raises BusError."""

    def is_before(self) -> bool | None:
        """Where it was last brought; None before that."""

    def on_trouble(self, handler: Callable[[BusError], None] | None) -> None:
        """Report a movement begun earlier that could not be carried out."""
