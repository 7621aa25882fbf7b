"""The panel's side of the secure channel with one reader: which keys are tried, and what an answer proves.

A reader that answers with another key slot than asked, with a wrong proof or with a status other than accepted is
refused; the install key is used only for an install that was armed by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hal.errors import OutOfRange
from hal.osdp.codes import ReplyCode, Scs
from hal.osdp.commands import Chlng, Scrypt
from hal.osdp.frame import Frame
from hal.osdp.keys import SCBK_D, weak_key
from hal.osdp.payload import Malformed
from hal.osdp.replies import CCrypt, RMacI
from hal.osdp.secure import NONCE_BYTES, Session, same

SLOT_DEFAULT, SLOT_KEY = b"\x00", b"\x01"
DEFAULT_KEY = -1
ACCEPTED = b"\x01"

WRONG_KEY = "wrong key"
HAS_KEY = "the reader has a key already"
HAS_NO_KEY = "the reader has no key"
NO_ANSWER_TO_CHALLENGE = "the reader answered the challenge with something else"


def check_keys(keys: tuple[bytes, ...]) -> None:
    """Raises OutOfRange for a weak key, naming its position and fault, never the key."""
    for n, key in enumerate(keys):
        reason = weak_key(key)
        if reason is not None:
            raise OutOfRange("osdp", f"key {n + 1} {reason}")


@dataclass(slots=True)
class Install:
    """An install that was armed: the key to give, until when, and whose ticket."""

    key: bytes = field(repr=False)
    until_ns: int
    ticket: int
    sent: bool = False


class Channel:
    """Keys, the session that stands, and the one being made."""

    def __init__(self, keys: tuple[bytes, ...], random: Callable[[int], bytes]) -> None:
        check_keys(keys)
        self.keys = keys
        self.session: Session | None = None
        self.key: int | None = None
        self._random = random
        self._nonce = b""
        self._making: Session | None = None
        self._making_key = 0
        self._installing = False

    @property
    def trusted(self) -> bool:
        """Whether a session stands on a key of ours."""
        return self.session is not None and self.key != DEFAULT_KEY

    def end(self) -> None:
        """Forget sessions."""
        self.session, self._making, self.key = None, None, None

    def challenge(self, *, installing: bool) -> tuple[Chlng, bytes]:
        """Begin anew: the command, and the key slot to announce."""
        self.end()
        self._installing = installing
        self._nonce = self._random(NONCE_BYTES)
        return Chlng(self._nonce), self.slot

    @property
    def slot(self) -> bytes:
        """The slot of the key in use."""
        return SLOT_DEFAULT if self._installing else SLOT_KEY

    def challenged(self, frame: Frame) -> str:
        """Take CCRYPT; returns why it is refused, or nothing."""
        if frame.code != ReplyCode.CCRYPT or frame.block != Scs.CHALLENGE_REPLY:
            return NO_ANSWER_TO_CHALLENGE
        if frame.block_data != self.slot:
            return HAS_KEY if self._installing else HAS_NO_KEY
        try:
            answer = CCrypt.decode(frame.data)
        except Malformed:
            return NO_ANSWER_TO_CHALLENGE
        candidates = [(DEFAULT_KEY, SCBK_D)] if self._installing else list(enumerate(self.keys))
        for position, key in candidates:
            session = Session(key, self._nonce, answer.random)
            if same(session.proofs.client, answer.cryptogram):
                self._making, self._making_key = session, position
                return ""
        return WRONG_KEY

    def proof(self) -> Scrypt:
        """Our proof, after a good answer to the challenge."""
        assert self._making is not None
        return Scrypt(self._making.proofs.server)

    def proven(self, frame: Frame) -> str:
        """Take RMAC_I; returns why it is refused, or nothing, and then the session stands."""
        making, self._making = self._making, None
        if making is None or frame.code != ReplyCode.RMAC_I or frame.block != Scs.CRYPTOGRAM_REPLY:
            return WRONG_KEY
        try:
            rmac = RMacI.decode(frame.data).rmac
        except Malformed:
            return WRONG_KEY
        if frame.block_data != ACCEPTED or not same(rmac, making.proofs.rmac_i):
            return WRONG_KEY
        self.session, self.key = making, self._making_key
        return ""

    def took(self, key: bytes) -> None:
        """The reader acknowledged a new key; the old one is tried as well until the new one has proved itself."""
        self.keys = (key, *(old for old in self.keys if old != key))[:2]

    def perhaps(self, key: bytes) -> None:
        """Nobody knows whether the reader has a new key: try it after the ones we are sure of."""
        self.keys = (*(old for old in self.keys if old != key), key)[-2:]
