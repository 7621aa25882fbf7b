"""The life of services: start in order, run under one TaskGroup, stop in reverse.

A **vital** service that crashes ends the process (its supervisor restarts it; outputs go to their
safe state on the way out). A **restartable** one is stopped and started again after a back-off, and its
state is published meanwhile. `firmware.core.services` runs them.
"""

from __future__ import annotations

from typing import ClassVar, Protocol


class Service(Protocol):
    """One duty of the device. `needs` names board capabilities; without them the service is off."""

    name: ClassVar[str]
    vital: ClassVar[bool]
    needs: ClassVar[frozenset[str]]

    async def start(self) -> None:
        """Become able to serve: load, register actions, publish first states. May raise; called again after a crash."""

    async def run(self) -> None:
        """Work until cancelled; returning early counts as a crash. Begins at once, before later services start."""

    async def stop(self) -> None:
        """Put everything into its safe state; called also after a crash or a failed start, and perhaps twice."""
