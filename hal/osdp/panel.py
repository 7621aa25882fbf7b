"""The panel's end of a bus (CP, ACU): one or more readers, asked in turn.

Usage: `Panel(readers)`, then `receive`, `step`, `submit` as `hal.osdp.facts` tells.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from hal.osdp.facts import ReaderSettings, Step
from hal.osdp.payload import Payload
from hal.types import LinkStatus


class Panel:
    """The panel of one bus. Nothing blocks, all queues are bounded."""

    def __init__(
        self,
        readers: Sequence[ReaderSettings] = (),
        *,
        baud: int = 9600,
        random: Callable[[int], bytes] = secrets.token_bytes,
        trace: bool = False,
    ) -> None:
        raise NotImplementedError

    def add(self, settings: ReaderSettings) -> None:
        """Begin with a reader, or begin anew with other settings. Raises OutOfRange (address, weak key)."""
        raise NotImplementedError

    def remove(self, address: int) -> None:
        """Stop talking to a reader; its commands end as lost."""
        raise NotImplementedError

    def set_baud(self, baud: int) -> None:
        """Say that the line runs at another rate now; every link begins anew."""
        raise NotImplementedError

    def set_trace(self, on: bool) -> None:
        """Report every frame, or stop it."""
        raise NotImplementedError

    def submit(self, address: int, command: Payload) -> int:
        """Have a command sent; its ticket ends in a Finished fact.

        Raises Absent for an unknown address, DeviceError when the reader is not connected or its queue is full,
        OutOfRange for a command that does not fit or is the engine's own (KEYSET, CHLNG, SCRYPT).
        """
        raise NotImplementedError

    def set_key(self, address: int, key: bytes) -> int:
        """Rotate the key inside the secure channel that stands. Raises as `submit`, OutOfRange for a weak key."""
        raise NotImplementedError

    def install(self, address: int, key: bytes, *, t_ns: int, until_ns: int) -> int:
        """Give a reader without a key its first one, over the published install key, at most until `until_ns`.

        Only for a reader whose settings have no key and that was never seen secure; closes after the first KEYSET.
        Raises OutOfRange for a weak key or a window over 10 minutes.
        """
        raise NotImplementedError

    def cancel_install(self, address: int) -> None:
        """Close the window."""
        raise NotImplementedError

    def send_file(self, address: int, kind: int, data: bytes) -> int:
        """Transfer a file; its ticket ends in a Finished fact. Raises as `submit`."""
        raise NotImplementedError

    def status(self, address: int) -> LinkStatus:
        """How the link with a reader stands, with its counters."""
        raise NotImplementedError

    def receive(self, t_ns: int, data: bytes) -> None:
        """Take bytes that arrived by `t_ns`."""
        raise NotImplementedError

    def step(self, t_ns: int) -> Step:
        """Say what to do now."""
        raise NotImplementedError
