"""A whole control role on simulated wires, and its controller room's own action called as a reader's desk calls it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from firmware.controller import ControllerService
from firmware.core.actions import Invocation
from firmware.core.vocabulary.controller import ControllerState, ForwardAnswer, ForwardParams
from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
CARD_BITS = "10010101000000100110100100"


class ControllerBench(SimBench):
    """The simulator's bench with what only a unit test may reach."""

    async def forward(self, **question: Any) -> ForwardAnswer:
        """Ask about a credential."""
        asked = ForwardParams(**{"reader": "reader1", "door": "door", **question})
        return await self._control.core.link.invoke(
            Invocation(action="controller.forward", params=asked), ForwardAnswer
        )

    async def card(self, bits: str = CARD_BITS, fitting: tuple[str, ...] = (CARD,)) -> ForwardAnswer:
        """Ask about a card."""
        return await self.forward(bits=bits, fitting=fitting)

    async def set(self, **wishes: Any) -> None:
        """Change parameters of the group `controller`, and let what follows, follow."""
        answer = await self.params("controller", **wishes)
        assert answer.status_code == 200, answer.text
        await self.settle()

    @property
    def standing(self) -> ControllerState:
        """How the connection stands."""
        (state,) = self.states("controller/state")
        assert isinstance(state, ControllerState)
        return state

    @property
    def risks(self) -> list[str]:
        """The warnings that stand."""
        return sorted(each.risk for each in self.states("controller/risk"))

    @property
    def service(self) -> ControllerService:
        """The service itself."""
        return next(each for each in self._control.services if isinstance(each, ControllerService))

    def started(self, work: Any) -> asyncio.Task[Any]:
        """Something that goes on meanwhile."""
        return self._group.create_task(work)


@pytest.fixture
def bench(tmp_path: Path) -> ControllerBench:
    """A door station that starts when the test does."""
    return ControllerBench(tmp_path / "state")
