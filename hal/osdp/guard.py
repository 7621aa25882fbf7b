"""The peripheral's side of the secure channel: which key answers, who may do what, and the install window.

Never falls back: the install key is used only inside a window that was opened by hand, for a reader that holds no key.
"""

from __future__ import annotations

from collections.abc import Callable

from hal.errors import OutOfRange
from hal.osdp.codes import CommandCode, NakCode, ReplyCode, Scs
from hal.osdp.commands import Chlng, Scrypt
from hal.osdp.facts import INSTALL_LONGEST_NS, ComSetPolicy, PeripheralSettings
from hal.osdp.frame import Frame
from hal.osdp.keys import SCBK_D, weak_key
from hal.osdp.payload import Malformed
from hal.osdp.replies import CCrypt, RMacI
from hal.osdp.secure import NONCE_BYTES, Session, same

SLOT_DEFAULT, SLOT_KEY = 0, 1
DEFAULT_KEY = -1

IN_CLEAR = frozenset({CommandCode.ID, CommandCode.CAP, CommandCode.CHLNG, CommandCode.SCRYPT})
# Over the published key anybody can talk: nothing that moves a door, and no cards.
WHILE_INSTALLING = IN_CLEAR | {
    CommandCode.POLL,
    CommandCode.LSTAT,
    CommandCode.ISTAT,
    CommandCode.OSTAT,
    CommandCode.RSTAT,
    CommandCode.LED,
    CommandCode.BUZ,
    CommandCode.TEXT,
    CommandCode.KEYSET,
    CommandCode.ACURXSIZE,
    CommandCode.KEEPACTIVE,
}


class Guard:
    """Holds keys, the session that stands, and the one that is being made."""

    def __init__(self, settings: PeripheralSettings, client: bytes, random: Callable[[int], bytes]) -> None:
        for n, key in enumerate(settings.keys):
            reason = weak_key(key)
            if reason is not None:
                raise OutOfRange("osdp", f"key {n + 1} {reason}")
        self.keys = settings.keys
        self.session: Session | None = None
        self.key: int | None = None  # position of the key of the session, DEFAULT_KEY while installing
        self.reason = ""
        self._settings = settings
        self._client = client
        self._random = random
        self._making: Session | None = None
        self._making_key = 0
        self._next_key = 0
        self._install_until_ns: int | None = None

    @property
    def required(self) -> bool:
        """Whether a panel must use the secure channel: always with a key, without one unless clear text is allowed."""
        return bool(self.keys) or not self._settings.plain

    @property
    def trusted(self) -> bool:
        """Whether the session stands on a key of ours."""
        return self.session is not None and self.key != DEFAULT_KEY

    def arm(self, t_ns: int, until_ns: int) -> None:
        """Open the install window. Raises OutOfRange."""
        if self.keys:
            raise OutOfRange("osdp", "this reader holds a key: the install key stays off")
        if until_ns - t_ns > INSTALL_LONGEST_NS:
            raise OutOfRange("osdp", f"an install window of {(until_ns - t_ns) / 1e9:.0f} s is longer than 600 s")
        self._install_until_ns = until_ns

    def installing(self, t_ns: int) -> bool:
        """Whether the window is open."""
        if self._install_until_ns is not None and t_ns >= self._install_until_ns:
            self.close_window()
        return self._install_until_ns is not None

    def close_window(self) -> None:
        """Close it, for good."""
        self._install_until_ns = None

    def took(self, key: bytes) -> None:
        """A new key is kept. The session stays until the next challenge, the old key until the new one is used."""
        used = self.key if self.key is not None and self.key != DEFAULT_KEY else 0
        old = self.keys[used] if self.keys else None
        self.keys = (key,) if old is None or old == key else (key, old)
        if self.trusted:
            self.key = len(self.keys) - 1
        self._next_key = 0
        self.close_window()

    def end(self) -> None:
        """Forget sessions."""
        self.session, self._making, self.key = None, None, None

    def allowed(self, code: int, *, sealed: bool, t_ns: int) -> bool:
        """Whether a command may be done, inside (`sealed`) or outside the channel."""
        if sealed:
            if self.trusted:
                return True
            # After the first key the session lives on until the next challenge, but sets no second key.
            open_window = self.installing(t_ns)
            return (open_window or code != CommandCode.KEYSET) and code in WHILE_INSTALLING
        if code == CommandCode.COMSET:
            return not self.required or self._settings.comset is ComSetPolicy.ALWAYS
        if code == CommandCode.KEYSET:
            return False
        return not self.required or code in IN_CLEAR

    def handshake(self, t_ns: int, frame: Frame) -> Frame | NakCode:
        """Answer CHLNG or SCRYPT. Raises Malformed."""
        if frame.code == CommandCode.CHLNG and frame.block == Scs.CHALLENGE and len(frame.block_data) == 1:
            return self._challenge(t_ns, frame, Chlng.decode(frame.data))
        if frame.code == CommandCode.SCRYPT and frame.block == Scs.CRYPTOGRAM:
            return self._prove(frame, Scrypt.decode(frame.data))
        raise Malformed("a handshake without its security block", NakCode.SECURITY)

    def _challenge(self, t_ns: int, frame: Frame, command: Chlng) -> Frame | NakCode:
        if self._making is not None:  # the last challenge led to nothing: the panel may hold the other key
            self._next_key += 1
        self.end()
        asked = frame.block_data[0]
        if asked not in (SLOT_DEFAULT, SLOT_KEY):
            return NakCode.SECURITY
        if self.keys:
            if asked == SLOT_DEFAULT and self._settings.strict_slot:
                self.reason = "the panel asks for the install key"
                return NakCode.NOT_SECURE
            slot, self._making_key = SLOT_KEY, self._next_key % len(self.keys)
            key = self.keys[self._making_key]
        elif self.installing(t_ns):
            slot, self._making_key, key = SLOT_DEFAULT, DEFAULT_KEY, SCBK_D
        else:
            self.reason = "no key is set"
            return NakCode.NOT_SECURE
        random = self._random(NONCE_BYTES)
        self._making = Session(key, command.random, random)
        proof = self._making.proofs.client
        return Frame(
            address=frame.address,
            reply=True,
            sequence=frame.sequence,
            code=ReplyCode.CCRYPT,
            data=CCrypt(self._client, random, proof).encode(),
            block=Scs.CHALLENGE_REPLY,
            block_data=bytes((slot,)),
        )

    def _prove(self, frame: Frame, command: Scrypt) -> Frame | NakCode:
        making, self._making = self._making, None
        if making is None:
            return NakCode.NOT_SECURE
        if not same(making.proofs.server, command.cryptogram):
            self._next_key += 1
            self.reason = "wrong key"
            return NakCode.NOT_SECURE
        self.session, self.key, self.reason = making, self._making_key, ""
        if self._making_key == 0:
            self.keys = self.keys[:1]
        self._next_key = max(0, self._making_key)
        return Frame(
            address=frame.address,
            reply=True,
            sequence=frame.sequence,
            code=ReplyCode.RMAC_I,
            data=RMacI(making.proofs.rmac_i).encode(),
            block=Scs.CRYPTOGRAM_REPLY,
            block_data=b"\x01",
        )
