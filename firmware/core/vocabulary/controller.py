"""Words of the controller room: what an entry list does not know is asked of somebody's door controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import Field


class Verdict(StrEnum):
    """What became of a credential that was forwarded.

    SENT: handed over a wire that has no answer; the controller works its own strike and shows its answer by
    light and beeper. LOST: the controller is away; the parameters have decided what that means (`granted`).
    """

    GRANTED = "granted"
    DENIED = "denied"
    SENT = "sent"
    LOST = "lost"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardParams:
    """Ask the connected door controller about a credential: a card's bits, a PIN, both, or one key as pressed.

    `fitting` are the readings of the card, `FORMAT:FACILITY:NUMBER`, the preferred first.
    """

    reader: Annotated[str, Field(max_length=64)]
    door: Annotated[str, Field(max_length=64)]
    bits: Annotated[str, Field(pattern=r"^[01]{0,512}$")] = ""
    fitting: tuple[str, ...] = ()
    pin: Annotated[str, Field(pattern=r"^[0-9]{0,32}$")] = field(default="", repr=False)
    key: Annotated[str, Field(pattern=r"^[0-9*#]?$")] = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardAnswer:
    """What the controller said; `granted` also decides for LOST, `reason` is for people."""

    verdict: Verdict
    granted: bool = False
    reason: str = ""
