"""What a product says of its lights and buttons: `[rooms.device]` of the board file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from firmware.device.hold import Procedure
from firmware.device.show import parse_show
from hal.errors import nearest
from hal.types import Pattern


class Condition(StrEnum):
    """What a line of a light table can wait for; each comes from a retained state."""

    STARTING = "starting"
    NORMAL = "normal"
    RESTORING = "restoring"
    UPGRADING = "upgrading"
    UPGRADE_FAILED = "upgrade_failed"
    NETWORK_DOWN = "network_down"
    IDENTIFY = "identify"
    DOOR_OPEN = "door_open"
    DOOR_RELEASED = "door_released"
    LET_GO = "let_go"
    CLOUD_CONNECTING = "cloud_connecting"


class PressAction(StrEnum):
    """What a finger on the outside of the device may ask for; never anything that moves a door or tells a secret.

    Each takes no parameters. Its owner may run in another role, or not at all on a board without its hardware.
    """

    CALIBRATE = "speaker_test.calibrate"
    CLOUD_CONNECT = "cloud.connect"
    CLOUD_DISCONNECT = "cloud.disconnect"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    what: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, data: Any) -> Any:
        for name in data if isinstance(data, Mapping) else ():
            if name not in cls.model_fields:
                raise ValueError(f"{cls.what} has no {name!r}{nearest(str(name), cls.model_fields)}")
        return data


def _condition(word: object) -> object:
    names = [condition.value for condition in Condition]
    if isinstance(word, str) and word not in names:
        raise ValueError(f"unknown condition {word!r}{nearest(word, names)}")
    return word


def _press_action(word: object) -> object:
    names = [action.value for action in PressAction]
    if isinstance(word, str) and word not in names:
        raise ValueError(f"{word!r} is no action of a button{nearest(word, names)}; there is {', '.join(names)}")
    return word


def _show(text: object) -> Pattern:
    if isinstance(text, Pattern):
        return text
    if not isinstance(text, str):
        raise ValueError("show is text, such as 'green' or 'red slow'")
    return parse_show(text)


class LightLine(_Strict):
    """One line of a table: while `when` holds, at most `for_s` seconds from its beginning, show this."""

    what: ClassVar[str] = "a line of a light table"

    when: Annotated[Condition, BeforeValidator(_condition)]
    show: Annotated[Pattern, BeforeValidator(_show)]
    for_s: float | None = Field(default=None, gt=0, le=86_400)


class LightConfig(_Strict):
    """A light of the product: its LED node and its table, the first true line wins."""

    what: ClassVar[str] = "a light"

    node: str
    table: tuple[LightLine, ...] = Field(min_length=1)


class ButtonConfig(_Strict):
    """A button of the product: its node, the time from which a press is long, and when it counts as stuck.

    `short` and `long` name the action that a press of that length asks for when it is let go; without one it is
    only a fact, for rules.
    """

    what: ClassVar[str] = "a button"

    node: str
    long_s: float = Field(default=3.0, gt=0, le=60)
    stuck_s: float = Field(default=60.0, gt=0, le=3600)
    short: Annotated[PressAction | None, BeforeValidator(_press_action)] = None
    long: Annotated[PressAction | None, BeforeValidator(_press_action)] = None

    @model_validator(mode="after")
    def _in_order(self) -> ButtonConfig:
        if self.stuck_s <= self.long_s:
            raise ValueError(f"stuck_s ({self.stuck_s:g}) must be above long_s ({self.long_s:g})")
        return self


class ResetConfig(_Strict):
    """The factory reset by a button held while the power comes: let go from `from_s` to `to_s` seconds after it.

    Without `to_s` until the button counts as stuck. `together` is a second button that is held as well until
    the first is let go.
    """

    what: ClassVar[str] = "the reset"

    button: str
    from_s: float = Field(gt=0, le=60)
    to_s: float | None = Field(default=None, gt=0, le=3600)
    together: str | None = None


class DeviceConfig(_Strict):
    """Lights and buttons by the names people and rules use, and the factory reset by button."""

    what: ClassVar[str] = "rooms.device"

    lights: Mapping[str, LightConfig] = Field(default_factory=dict)
    buttons: Mapping[str, ButtonConfig] = Field(default_factory=dict)
    reset: ResetConfig | None = None

    @model_validator(mode="after")
    def _reset_fits(self) -> DeviceConfig:
        if self.reset is None:
            return self
        for place, name in (("button", self.reset.button), ("together", self.reset.together)):
            if name is not None and name not in self.buttons:
                raise ValueError(f"reset.{place}: no button {name!r}{nearest(name, self.buttons)}")
        if self.reset.together == self.reset.button:
            raise ValueError(f"reset.together: {self.reset.button!r} is the button itself")
        stuck_s = self.buttons[self.reset.button].stuck_s
        to_s = stuck_s if self.reset.to_s is None else self.reset.to_s
        if not self.reset.from_s < to_s <= stuck_s:
            raise ValueError(
                f"reset: from_s ({self.reset.from_s:g}) must be below to_s ({to_s:g}), "
                f"and that at most stuck_s of the button ({stuck_s:g})"
            )
        return self

    @property
    def procedure(self) -> Procedure | None:
        """The reset by button as it is judged; None where the product has none."""
        if self.reset is None:
            return None
        stuck_s = self.buttons[self.reset.button].stuck_s
        return Procedure(
            button=self.reset.button,
            from_s=self.reset.from_s,
            to_s=stuck_s if self.reset.to_s is None else self.reset.to_s,
            stuck_s=stuck_s,
            together=self.reset.together,
        )
