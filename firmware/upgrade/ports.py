"""What the upgrade state machine stands on: boot control, the writer of slots, and a bundle that passed the gate.

All calls block and run on the writer thread of the control role (or in the early start, before any service). Each
call that changes something has reached the medium when it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Slot(StrEnum):
    """One of the two places where firmware lies."""

    A = "A"
    B = "B"

    @property
    def other(self) -> Slot:
        """The one that is not this."""
        return Slot.B if self is Slot.A else Slot.A


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One file of a bundle, as its authenticated manifest describes it: `size` in bytes, `sha256` in hex."""

    name: str
    filename: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A bundle that the gate has let through; nothing in it comes from an unauthenticated byte.

    `bundle` is the spooled file (immutable from here on). `signer` is `release` or `device` (a certificate bound
    to this serial number and chip id); `counter` is the anti-rollback count that a commit raises the floor to
    (0 for a `device` signer); `manifest_sha256` identifies the content.
    """

    bundle: Path
    version: str
    model: str
    manifest_sha256: str
    signer: str
    counter: int
    images: tuple[Image, ...]


class Boot(Protocol):
    """Boot control of a device with two slots and a one-shot try (Raspberry Pi tryboot, or its emulation)."""

    def running(self) -> Slot:
        """The slot that runs now."""

    def trying(self) -> bool:
        """Whether this start was a one-shot try."""

    def default(self) -> Slot:
        """The slot that a plain start takes: the one sector that is the commit point. Raises OSError."""

    def set_default(self, slot: Slot) -> None:
        """Write that sector and read it back. Raises OSError."""

    def arm(self) -> None:
        """Let the next restart try the slot that is not the default, once; lost when the power goes. Raises OSError."""

    def close_slot(self, slot: Slot) -> None:
        """Make a slot unbootable before its first byte changes. Raises OSError."""

    def open_slot(self, slot: Slot) -> None:
        """Make a slot bootable again, as the last step of writing it. Raises OSError."""

    def restart(self) -> None:
        """Ask for a restart of the whole device; returns at once."""


class Engine(Protocol):
    """Writes the images of an approved bundle into a slot."""

    def check_room(self, slot: Slot, approved: Approved) -> None:
        """Whether the images fit, before anything is changed. Raises OSError (ENOSPC)."""

    def write(self, slot: Slot, approved: Approved, progress: Callable[[int], None]) -> None:
        """Write, flush, read back and hash; `progress` is told 0 to 100. Raises OSError, Damaged."""

    def holds(self, slot: Slot, manifest_sha256: str) -> bool:
        """Whether the slot holds exactly this content, whole, by reading it."""
