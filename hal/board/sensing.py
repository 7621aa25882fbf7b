"""What a board feels and sees besides its camera: accelerometer, light sensor, IR-cut filter, illumination."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hal.board.fields import Level, Line, Milliseconds, Name, read_between
from hal.board.soldered import Soldered


class Lis3dhNode(Soldered):
    """A three-axis accelerometer on I2C; without `interrupt` (its pin INT1) it is asked every `poll_ms`."""

    kind: ClassVar[str] = "accelerometer"
    line_fields: ClassVar[tuple[str, ...]] = ("interrupt",)

    compatible: Literal["lis3dh"]
    bus: Name
    address: Annotated[int, read_between(0x18, 0x19)] = 0x18
    interrupt: Line | None = None
    poll_ms: Milliseconds = Field(50, ge=20, le=70)


class Opt3001Node(Soldered):
    """A light sensor on I2C that sees as people do: the board's own infrared light does not make it day."""

    kind: ClassVar[str] = "light_sensor"

    compatible: Literal["opt3001"]
    bus: Name
    address: Annotated[int, read_between(0x44, 0x47)] = 0x44


class IrCutNode(Soldered):
    """A filter before a camera's sensor, moved by a coil: two lines of a bridge, of which one is driven for
    `pulse_ms`, or one `line` that is at `active` for as long as the filter is out of the way.
    """

    kind: ClassVar[str] = "ir_cut"
    line_fields: ClassVar[tuple[str, ...]] = ("before", "away", "line")
    group_fields: ClassVar[tuple[tuple[str, ...], ...]] = (("before", "away"),)

    compatible: Literal["ir-cut"]
    before: Line | None = None
    away: Line | None = None
    line: Line | None = None
    active: Level = "high"
    pulse_ms: int = Field(100, ge=10, le=500)

    @model_validator(mode="after")
    def _a_bridge_or_a_line(self) -> Self:
        bridge = (self.before is not None, self.away is not None)
        if bridge not in ((True, True), (False, False)):
            raise ValueError("a bridge has both lines, before and away")
        if all(bridge) == (self.line is not None):
            raise ValueError("a filter is moved by before and away, or by line")
        return self


class IlluminationNode(Soldered):
    """A light of the board for its camera, infrared of `wavelength_nm` or white."""

    kind: ClassVar[str] = "illumination"
    line_fields: ClassVar[tuple[str, ...]] = ("line",)

    compatible: Literal["illumination"]
    line: Line
    active: Level = "high"
    wavelength_nm: Literal[850, 940] | None = 850
