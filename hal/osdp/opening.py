"""How a panel opens its link with one reader: who it is, what it can do, and the secure channel.

```
ID -> CAP -> challenge -> proof -> CAP again, sealed -> the link stands
                                -> KEYSET, sealed (an install over the published key) -> challenge ..
```
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hal.osdp.channel import WRONG_KEY, Channel
from hal.osdp.codes import CapabilityCode, NakCode, Scs, nak_text
from hal.osdp.commands import Cap, Id
from hal.osdp.exchange import Purpose
from hal.osdp.frame import Frame
from hal.osdp.payload import Payload
from hal.osdp.replies import Capability, Nak, PdCap, PdId

CHALLENGES = 3
NO_CHANNEL = "no secure channel"
NO_KEY = "no secure channel: no key is set, and clear text is not allowed"
DENIED = "no secure channel: the reader denies it, but had one before"
DENIES = "the reader denies its secure channel"
CHANGED = "the reader's capabilities were changed on the wire"
UNKNOWN = frozenset({NakCode.UNKNOWN, NakCode.SECURITY})


def lasting(capabilities: PdCap) -> tuple[Capability, ...]:
    """Capabilities without what changes by itself: a reader that was just installed uses the install key no more."""
    return tuple(replace(c, count=0) if c.function == CapabilityCode.SECURITY else c for c in capabilities.capabilities)


@dataclass(frozen=True, slots=True)
class Question:
    """What to send next, with its security block outside the channel."""

    payload: Payload
    block: int | None = None
    slot: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer led to: go on, or the link `stands`, or it is refused; and a downgrade to be told, if any."""

    refused: str = ""
    stands: bool = False
    downgrade: str = ""


GO_ON = Verdict()


class Opening:
    """The steps; `stage` is the one to be taken next. `plain` allows clear text to a reader never seen secure."""

    def __init__(self, channel: Channel, *, plain: bool, secure_seen: bool) -> None:
        self.stage = Purpose.ID
        self.identity: PdId | None = None
        self.capabilities = PdCap(())
        self.secure_seen = secure_seen
        self._channel = channel
        self._plain = plain
        self._challenges = 0

    def begin(self) -> None:
        """From the start."""
        self.stage = Purpose.ID
        self._challenges = 0
        self._channel.end()

    def rekey(self) -> None:
        """Begin with the challenge: the reader has a new key."""
        self.stage = Purpose.CHALLENGE
        self._challenges = 0

    def question(self, *, installing: bool) -> Question:
        """What to send at this stage; sealed when a session stands."""
        match self.stage:
            case Purpose.CAP | Purpose.SEALED_CAP:
                return Question(Cap())
            case Purpose.CHALLENGE:
                command, slot = self._channel.challenge(installing=installing)
                return Question(command, Scs.CHALLENGE, slot)
            case Purpose.PROOF:
                return Question(self._channel.proof(), Scs.CRYPTOGRAM, self._channel.slot)
            case _:
                return Question(Id())

    def answered(self, purpose: Purpose, frame: Frame, reply: Payload, *, installing: bool) -> Verdict:
        """Take an answer and move on."""
        match purpose:
            case Purpose.ID:
                if not isinstance(reply, PdId):
                    return Verdict(f"the reader does not say who it is{because(reply)}")
                self.identity = reply
                self.stage = Purpose.CAP
                return GO_ON
            case Purpose.CAP:
                self.capabilities = reply if isinstance(reply, PdCap) else PdCap(())
                return self._decide(installing)
            case Purpose.SEALED_CAP:
                return self._compare(reply)
            case _:
                return self._shook(purpose, frame, reply)

    def _decide(self, installing: bool) -> Verdict:
        """Who and what it is are known: how do we talk?"""
        can = self.capabilities.can_secure
        if self.secure_seen and not can:
            return Verdict(DENIED, downgrade=DENIES)
        if installing or self._channel.keys:
            self.stage = Purpose.CHALLENGE
            return GO_ON
        if self._plain and not self.secure_seen:
            return Verdict(stands=True)
        return Verdict(NO_KEY if can else NO_CHANNEL)

    def _compare(self, reply: Payload) -> Verdict:
        """What it says inside the channel counts; outside somebody may have changed it."""
        changed = isinstance(reply, PdCap) and lasting(reply) != lasting(self.capabilities)
        if isinstance(reply, PdCap):
            self.capabilities = reply
        return Verdict(stands=True, downgrade=CHANGED if changed else "")

    def _shook(self, purpose: Purpose, frame: Frame, reply: Payload) -> Verdict:
        downgrade = ""
        if isinstance(reply, Nak):
            reason = WRONG_KEY if purpose is Purpose.PROOF else f"{NO_CHANNEL}{because(reply)}"
            downgrade = DENIES if self.secure_seen and reply.reason in UNKNOWN else ""
        elif purpose is Purpose.CHALLENGE:
            reason = self._channel.challenged(frame)
        else:
            reason = self._channel.proven(frame)
        if reason == WRONG_KEY and self._challenges < CHALLENGES:
            # A reader in the middle of a rotation answers with its other key next time.
            self._challenges += 1
            self.stage = Purpose.CHALLENGE
            return GO_ON
        if reason:
            return Verdict(reason, downgrade=downgrade)
        if purpose is Purpose.CHALLENGE:
            self.stage = Purpose.PROOF
        else:
            self.stage = Purpose.SEALED_CAP if self._channel.trusted else Purpose.KEY
        return GO_ON


def because(reply: Payload) -> str:
    """A refusal as an end of a sentence; nothing for another reply."""
    return f": {nak_text(reply.reason)}" if isinstance(reply, Nak) else ""
