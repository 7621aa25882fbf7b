"""An administrator who reaches the device proves that a change of its network works: the change is confirmed by that.

Who comes from the machine itself proves nothing, except of a simulated device, which everybody reaches so.
"""

from __future__ import annotations

import logging

from firmware.core.actions import Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.system import SIMULATION, NetworkPhase, NetworkSetup
from firmware.interfaces.http.credentials import from_here
from firmware.interfaces.http.face import Visitor

# Who comes to take the change back does not confirm it on the way.
UNDO = "/api/v1/actions/network.undo"

log = logging.getLogger("lintel.http")


class Reached:
    """Told of every visitor that was let in."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._told = ""  # the trial that was confirmed already, or is being confirmed

    async def by(self, visitor: Visitor, path: str) -> None:
        """Confirm what is being tried when this is an administrator from elsewhere. Costs one look where nothing is."""
        trial = self._core.bus.state(NetworkSetup)
        if trial is None or trial.phase is not NetworkPhase.TRYING or trial.id == self._told:
            return
        if path == UNDO:
            return
        if visitor.caller.level < Level.ADMIN or (trial.by != SIMULATION and from_here(visitor.address)):
            return
        self._told = trial.id  # from here on, so that visitors at the same time are one confirmation
        confirmed = False
        try:
            await self._core.link.invoke(Invocation(action="network.confirm", caller=visitor.caller), Nothing)
            confirmed = True
        except StationError as error:  # it is over already, or control is away: the request goes on
            log.warning("the network settings were not confirmed: %s", error)
        finally:
            if not confirmed and self._told == trial.id:
                self._told = ""  # the next visitor confirms it
