"""One door controller, whichever way it is connected: what an adapter does and what it may use.

An adapter opens its connection, answers questions and tells how it stands. It never decides what a lost controller
means, and it never waits longer than its caller lets it: both are the service's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from firmware.controller.settings import ControllerParams
from firmware.core.vocabulary.controller import ControllerPhase, ControllerProtocol, ForwardParams, Verdict

Stands = Callable[[ControllerPhase, str], None]


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a question at the controller; `reason` is for people."""

    verdict: Verdict
    reason: str = ""


class Controller(Protocol):
    """Somebody's door controller behind us."""

    protocol: ClassVar[ControllerProtocol]

    async def open(self, params: ControllerParams) -> None:
        """Start the connection; from now on the adapter tells how it stands."""

    async def run(self) -> None:
        """Work while it is open, until cancelled."""

    async def apply(self, params: ControllerParams) -> None:
        """Take new parameters without losing what the connection holds."""

    async def close(self) -> None:
        """Fall silent; closing twice is harmless."""

    async def ask(self, question: ForwardParams) -> Said:
        """Forward a credential. LOST is an answer, not an error; may be cancelled at any time."""
