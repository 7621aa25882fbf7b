"""Boot control of a machine that was not started from a slot: it has one firmware, and upgrades need two places.

Restarts and resets work as everywhere; what would need the other slot is refused.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from firmware.upgrade.boot_tryboot import ask_systemd
from firmware.upgrade.ports import Slot


class SingleBoot:
    """Port `Boot` without a second slot. `why` says what is missing."""

    def __init__(self, why: str, restart: Callable[[], None] = ask_systemd) -> None:
        self._why = why
        self._restart = restart

    def running(self) -> Slot:
        """Its only firmware counts as slot A."""
        return Slot.A

    def trying(self) -> bool:
        """Nothing is ever tried."""
        return False

    def default(self) -> Slot:
        """What starts is what there is."""
        return Slot.A

    def set_default(self, slot: Slot) -> None:
        """Raises OSError for the slot that is not there."""
        if slot is not Slot.A:
            raise self._refusal()

    def arm(self) -> None:
        """Raises OSError."""
        raise self._refusal()

    def close_slot(self, slot: Slot) -> None:
        """Raises OSError."""
        raise self._refusal()

    def open_slot(self, slot: Slot) -> None:
        """Raises OSError."""
        raise self._refusal()

    def restart(self) -> None:
        """Ask for a restart of the whole device."""
        self._restart()

    def _refusal(self) -> OSError:
        return OSError(errno.EOPNOTSUPP, f"this machine has no second slot ({self._why})")
