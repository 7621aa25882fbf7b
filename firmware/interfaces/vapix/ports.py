"""The ports of this device as this face numbers them: terminals in the order of the product, counted from 0.

A circuit that is closed is 1, an open one 0; a port is active when its circuit differs from its normal state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound
from firmware.core.vocabulary.io import PortState
from firmware.interfaces.topics.numbers import Numbers
from hal.types import Direction, LoopState

CONDUCTS = frozenset({LoopState.CLOSED, LoopState.SHORT})
LONGEST_STEP_MS = 86_400_000
MOST_STEPS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A terminal with its number, from 0."""

    number: int
    state: PortState

    @property
    def closed(self) -> bool:
        """Whether its circuit conducts."""
        return self.state.circuit in CONDUCTS

    @property
    def is_output(self) -> bool:
        """Whether it drives its circuit."""
        return self.state.direction is Direction.OUTPUT

    @property
    def normal(self) -> str:
        """Its normal state in words."""
        return "closed" if self.state.normal is LoopState.CLOSED else "open"


class Ports:
    """The ports now, and what can be done with them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._numbers = Numbers(core)

    def all(self) -> list[Port]:
        """Every port, by number."""
        return [Port(number=number, state=state) for number, state in enumerate(self._numbers.ports())]

    def find(self, number: object, *, first: int = 0) -> Port:
        """A port by its number as sent, counted from `first`. Raises NotFound with the numbers there are."""
        ports = self.all()
        text = str(number)
        index = int(text) - first if text.isascii() and text.isdigit() and len(text) < 6 else -1
        if not 0 <= index < len(ports):
            last = len(ports) - 1 + first
            known = f"; valid: {first} to {last}" if ports else "; this device has none"
            raise NotFound("port", f"no port {text[:20]!r}{known}")
        return ports[index]

    async def set_active(self, port: Port, active: bool, caller: Caller, *, for_s: float | None = None) -> None:
        """Activate or deactivate an output. Raises what the owner of ports raises."""
        wish: dict[str, Any] = {"port": port.state.port, "active": active}
        if for_s is not None:
            wish["for_s"] = for_s
        await self._core.link.command("port.set", wish, caller)

    async def configure(self, port: Port, change: Mapping[str, Any], caller: Caller) -> None:
        """Change settings of a port. Raises what the owner of ports raises."""
        await self._core.link.command("port.configure", {"port": port.state.port, **change}, caller)


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of an action: go active or inactive, then wait."""

    active: bool
    wait_ms: int


def parse_action(text: str) -> tuple[int | None, tuple[Step, ...]]:
    """`[n]:<a>[<ms><a>..]`, where a is `/` (active) or `\\` (inactive): port number from 1, and the steps.

    Raises Invalid naming the place.
    """
    head, colon, tail = text.partition(":")
    if not colon or not (head == "" or (head.isascii() and head.isdigit() and len(head) < 6)):
        raise Invalid("action", f"{text[:40]!r} does not begin with a port number and a colon, as in 1:/500\\")
    moves = re.findall(r"([/\\])(\d*)", tail)
    if not moves or "".join(sign + digits for sign, digits in moves) != tail or len(moves) > MOST_STEPS:
        raise Invalid("action", f"{tail[:40]!r} is not made of / and \\ with milliseconds between them")
    steps = []
    for place, (sign, digits) in enumerate(moves):
        wait_ms = int(digits) if digits and len(digits) < 10 else 0 if not digits else LONGEST_STEP_MS + 1
        if wait_ms > LONGEST_STEP_MS:
            raise Invalid("action", f"step {place + 1} waits more than {LONGEST_STEP_MS} ms")
        steps.append(Step(sign == "/", wait_ms))
    return (int(head) if head else None), tuple(steps)
