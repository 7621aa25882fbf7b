"""The peripheral's end of a bus (PD): we are the reader of somebody's panel.

Usage: `Peripheral(settings, identity)`, then `receive`, `step`, `report` as `hal.osdp.facts` tells. The answer to a
command is in the `Step` that follows its last byte.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from hal.osdp.facts import PeripheralSettings, Step
from hal.osdp.payload import Payload
from hal.osdp.replies import PdId
from hal.types import LinkStatus


class Peripheral:
    """One reader as a panel sees it. Nothing blocks, all queues are bounded.

    `respond` answers commands that the engine does not know itself (MFG, XWR, BIO, PIV): a pure function from the
    command to the reply, None to refuse it as unknown.
    """

    def __init__(
        self,
        settings: PeripheralSettings,
        identity: PdId,
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
        respond: Callable[[Payload], Payload | None] | None = None,
        trace: bool = False,
    ) -> None:
        raise NotImplementedError

    def arm_install(self, t_ns: int, until_ns: int) -> None:
        """Let a panel set our first key over the published install key, at most 10 minutes, once.

        Raises OutOfRange when we hold a key already or the window is too long.
        """
        raise NotImplementedError

    def set_trace(self, on: bool) -> None:
        """Report every frame, or stop it."""
        raise NotImplementedError

    def report(self, t_ns: int, event: Payload) -> int:
        """Queue a card (Raw), keys (Keypad) or a maker's reply; its ticket ends as Delivered or Dropped.

        Raises DeviceError when the queue is full, OutOfRange for an event that does not fit.
        """
        raise NotImplementedError

    def set_tamper(self, tampered: bool) -> None:
        """Say whether the housing is open."""
        raise NotImplementedError

    def set_power(self, failed: bool) -> None:
        """Say whether power failed."""
        raise NotImplementedError

    def set_inputs(self, levels: Sequence[bool]) -> None:
        """Say how our inputs are."""
        raise NotImplementedError

    def set_outputs(self, levels: Sequence[bool]) -> None:
        """Say how our outputs really are."""
        raise NotImplementedError

    def accept_key(self, t_ns: int) -> None:
        """The key of KeyWanted is kept: tell the panel."""
        raise NotImplementedError

    def refuse_key(self, t_ns: int) -> None:
        """The key of KeyWanted could not be kept: refuse it."""
        raise NotImplementedError

    @property
    def status(self) -> LinkStatus:
        """How the link stands, with its counters."""
        raise NotImplementedError

    def receive(self, t_ns: int, data: bytes) -> None:
        """Take bytes that arrived by `t_ns`."""
        raise NotImplementedError

    def step(self, t_ns: int) -> Step:
        """Say what to do now."""
        raise NotImplementedError
