"""The record of upgrades and resets: what the state machine knows across a loss of power.

Two copies of 4 KiB are made once and then written in turn, in place; each carries a sequence number and a
checksum, and the highest valid one counts. A write that the power cut short therefore costs the newest
change and never the record. The format is a contract between versions, since after a revert the older one
reads what the newer one wrote: fields are only ever added, with a default, and unknown ones are ignored.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import TypeAdapter, ValidationError

from firmware.upgrade.medium import Medium, make_folders
from firmware.upgrade.ports import Slot

COPY_BYTES = 4096
MAGIC = b"LINTELR1"
_HEAD = struct.Struct("<8sQII")  # magic, sequence number, length of the text, CRC-32 of number, length and text
WHY_LENGTH = 200


class Stage(StrEnum):
    """Where an upgrade is (specification, 4.1)."""

    IDLE = "idle"
    INSTALLING = "installing"
    STAGED = "staged"
    TRIAL = "trial"
    COMMITTED = "committed"


class Mode(StrEnum):
    """What becomes of the settings, and what makes the new firmware stay; ROLLBACK goes to the other slot as it is."""

    STANDARD = "standard"
    FACTORY = "factory_default"
    AUTOROLLBACK = "automatic_rollback"
    ROLLBACK = "rollback"


class SlotState(StrEnum):
    """What a slot holds. RETIRED: whole, but nobody may go back to it."""

    EMPTY = "empty"
    WRITING = "writing"
    STAGED = "staged"
    GOOD = "good"
    INVALID = "invalid"
    RETIRED = "retired"


class ResetKind(StrEnum):
    """SOFT keeps the network identity (restore), HARD keeps nothing (factory default)."""

    SOFT = "soft"
    HARD = "hard"


class Outcome(StrEnum):
    """How the newest upgrade, rollback or reset ended."""

    OK = "ok"
    FAILED = "failed"
    REVERTED = "reverted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotInfo:
    """One slot. `counter` is the security counter of its firmware.

    `revoked_at` is how long the revocation journal was when this slot last stopped running; what was revoked
    since must be taken from its settings when it runs again. None: nothing to do.
    """

    state: SlotState = SlotState.EMPTY
    version: str = ""
    manifest_sha256: str = ""
    counter: int = 0
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """An upgrade under way. `window_s` is the time to confirm, `elapsed_s` what of it has passed.

    `verdict` says why the trial was ended; empty while it was not.
    """

    id: str
    mode: Mode
    source: Slot
    target: Slot
    version: str
    manifest_sha256: str
    signer: str = ""
    counter: int = 0
    attempts_left: int = 0
    window_s: int = 0
    elapsed_s: int = 0
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """A reset that is to be done by the next start; `by` is `api` or `button`."""

    id: str
    kind: ResetKind
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The newest outcome. `what` is the mode of the upgrade or the kind of the reset.

    `told` is set once the journal has it, `seen` once somebody knows of it; `shown_s` counts how long the status light
    has told of a failure.
    """

    id: str
    what: str
    outcome: Outcome
    why: str = ""
    before: str = ""
    after: str = ""
    seen: bool = False
    shown_s: int = 0
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that is kept. `home` is the slot that was committed last; the boot sector follows it.

    `walks` counts starts in the other slot although the sector names this one: the loader could not start it.
    """

    home: Slot
    stage: Stage = Stage.IDLE
    up: Upgrade | None = None
    a: SlotInfo = SlotInfo()
    b: SlotInfo = SlotInfo()
    rollback_ok: bool = False
    floor: int = 0
    reset: Reset | None = None
    last: Last | None = None
    walks: int = 0

    def slot(self, slot: Slot) -> SlotInfo:
        """What is known of a slot."""
        return self.a if slot is Slot.A else self.b

    def with_slot(self, slot: Slot, info: SlotInfo) -> Record:
        """The record with another knowledge of a slot."""
        return replace(self, a=info) if slot is Slot.A else replace(self, b=info)


_RECORD = TypeAdapter(Record)


def encode(seq: int, record: Record) -> bytes:
    """One copy, `COPY_BYTES` long. Raises ValueError when the record is too long for it."""
    text = _RECORD.dump_json(record)
    if _HEAD.size + len(text) > COPY_BYTES:
        raise ValueError(f"a record of {len(text)} bytes does not fit into {COPY_BYTES - _HEAD.size}")
    sealed = struct.pack("<QI", seq, len(text)) + text
    copy = _HEAD.pack(MAGIC, seq, len(text), zlib.crc32(sealed)) + text
    return copy.ljust(COPY_BYTES, b"\0")


def decode(copy: bytes) -> tuple[int, Record] | None:
    """The sequence number and the record of a copy; None for anything that was not written whole by `encode`."""
    if len(copy) != COPY_BYTES:
        return None
    magic, seq, length, crc = _HEAD.unpack_from(copy)
    end = _HEAD.size + length
    if magic != MAGIC or end > COPY_BYTES or copy[end:].strip(b"\0"):
        return None
    text = copy[_HEAD.size : end]
    if zlib.crc32(struct.pack("<QI", seq, length) + text) != crc:
        return None
    try:
        return seq, _RECORD.validate_json(text)
    except ValidationError:
        return None


class Found(StrEnum):
    """What the medium held. BLANK: never written (or the power went during the very first write)."""

    WHOLE = "whole"
    ONE_BAD = "one_bad"
    BLANK = "blank"
    LOST = "lost"


class Ledger:
    """The two copies on the medium."""

    def __init__(self, medium: Medium, folder: str = "boot") -> None:
        self._medium = medium
        self._folder = folder
        self._seq = 0
        self._next = 0

    @property
    def paths(self) -> tuple[str, str]:
        """Where the copies lie."""
        return f"{self._folder}/record.0", f"{self._folder}/record.1"

    def load(self) -> tuple[Record | None, Found]:
        """The newest whole record and what was found; None when there is none. Raises OSError."""
        copies = [self._read(path) for path in self.paths]
        found = [decode(copy) for copy in copies]
        valid = [(pair[0], number) for number, pair in enumerate(found) if pair is not None]
        if not valid:
            self._seq, self._next = 0, 0
            blank = any(not copy.strip(b"\0") for copy in copies)
            return None, Found.BLANK if blank else Found.LOST
        self._seq, newest = max(valid)
        self._next = 1 - newest
        pair = found[newest]
        assert pair is not None
        return pair[1], Found.WHOLE if len(valid) == 2 else Found.ONE_BAD

    def create(self, record: Record) -> None:
        """Preallocate the copies and write both, the first record of a device. Raises OSError."""
        make_folders(self._medium, self._folder)
        for path in self.paths:
            self._medium.write(path, (bytes(COPY_BYTES),))
            self._medium.flush(path)
        self._medium.sync(self._folder)
        self.save(record)
        self.save(record)

    def save(self, record: Record) -> None:
        """Write the older copy over; returns when the record survives a loss of power. Raises OSError.

        A write that failed may still have reached the medium: the next one goes to the same copy, with a
        higher number, so that the record that counts is never written over.
        """
        self._seq += 1
        self._medium.overwrite(self.paths[self._next], encode(self._seq, record))
        self._next = 1 - self._next

    def _read(self, path: str) -> bytes:
        try:
            return self._medium.read(path)
        except FileNotFoundError:
            return b""
