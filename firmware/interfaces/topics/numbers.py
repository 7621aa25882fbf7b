"""Numbers of ports and relays as these interfaces count them: from 0, in the natural order of their names."""

from __future__ import annotations

import re

from firmware.core.context import Core
from firmware.core.vocabulary.io import PortState, RelayChanged


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """An order in which io10 comes after io9."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name) if part)


class Numbers:
    """Looks a name up among what the device has now."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def ports(self) -> list[PortState]:
        """The ports in order."""
        return sorted(self._core.bus.states(PortState), key=lambda state: natural(state.port))

    def port(self, name: str) -> int:
        """The number of a port; that of a port which is gone is the next free one."""
        names = sorted({state.port for state in self._core.bus.states(PortState)} | {name}, key=natural)
        return names.index(name)

    def relay(self, name: str) -> int:
        """The number of a relay."""
        names = sorted({state.relay for state in self._core.bus.states(RelayChanged)} | {name}, key=natural)
        return names.index(name)
