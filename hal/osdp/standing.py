"""How a panel's link with one reader stands, in words and numbers, and the fact that tells a change."""

from __future__ import annotations

from dataclasses import replace

from hal.osdp.channel import Channel
from hal.osdp.facts import Fact, LinkChanged
from hal.osdp.opening import Opening
from hal.types import LinkPhase, LinkStatus


class Standing:
    """Phase, reason, who it is, and counters; facts go to `facts`."""

    def __init__(self, address: int, channel: Channel, opening: Opening, facts: list[Fact]) -> None:
        self.retries = 0
        self.check_errors = 0
        self.refusals = 0
        self.round_trip_us = 0
        self._channel = channel
        self._opening = opening
        self._facts = facts
        self._status = LinkStatus(t_ns=0, phase=LinkPhase.CONNECTING, address=address)

    @property
    def phase(self) -> LinkPhase:
        """The phase that was told last."""
        return self._status.phase

    @property
    def words(self) -> str:
        """Why it is not connected, or the phase."""
        return self._status.reason or self._status.phase.value

    @property
    def status(self) -> LinkStatus:
        """All of it, with the counters as they are now."""
        return replace(
            self._status,
            retries=self.retries,
            check_errors=self.check_errors,
            refusals=self.refusals,
            round_trip_us=self.round_trip_us,
        )

    def become(self, t_ns: int, phase: LinkPhase, reason: str = "") -> None:
        """Tell phase, reason and what is known of the reader, when any of it changed."""
        before, channel, who = self._status, self._channel, self._opening.identity
        secure = phase is LinkPhase.CONNECTED and channel.trusted
        status = replace(
            before,
            phase=phase,
            reason=reason,
            secure=secure,
            key=channel.key if secure else None,
            can_secure=None if who is None else self._opening.capabilities.can_secure,
            vendor="" if who is None else who.vendor_text,
            model="" if who is None else f"{who.model}.{who.version}",
            serial="" if who is None else f"{who.serial:08X}",
            version="" if who is None else who.firmware,
        )
        if status != before:
            self._status = replace(status, t_ns=t_ns)
            self._facts.append(LinkChanged(t_ns=t_ns, address=before.address, status=self.status))
