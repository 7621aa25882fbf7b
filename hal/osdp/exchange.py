"""One question and its answer: what was sent, as it must be repeated byte for byte until it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from hal.osdp.payload import Payload


class Purpose(Enum):
    """Why a command is sent."""

    ID = auto()
    CAP = auto()
    CHALLENGE = auto()
    PROOF = auto()
    SEALED_CAP = auto()
    POLL = auto()
    QUERY = auto()
    COMMAND = auto()
    KEY = auto()
    FILE = auto()


OPENING = frozenset({Purpose.ID, Purpose.CAP, Purpose.CHALLENGE, Purpose.PROOF, Purpose.SEALED_CAP})


@dataclass(slots=True)
class Exchange:
    """A command on its way. `since_ns` is the first attempt, `busy_ns` since when the reader says it is busy."""

    payload: Payload
    purpose: Purpose
    raw: bytes
    sequence: int
    sealed: bool
    ticket: int
    since_ns: int
    tries: int = 0
    sent_ns: int = 0
    garbled: int = 0
    forged: int = 0
    busy_ns: int | None = None
