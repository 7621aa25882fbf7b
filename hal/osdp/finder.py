"""Discovery: ask every address at one rate who is there. The owner runs one for each rate.

Same use as `Panel`: `receive`, `step`; it ends with the fact `Searched`. Nothing but ID and CAP is ever sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hal.errors import OutOfRange
from hal.osdp.codes import LAST_ADDRESS
from hal.osdp.commands import Cap, Id, code_of
from hal.osdp.facts import Fact, Found, Searched, Step
from hal.osdp.frame import Decoder, Frame, encode, wire_ns
from hal.osdp.payload import Malformed
from hal.osdp.replies import PdCap, PdId, decode_reply

MS = 1_000_000
REPLY_NS = 200 * MS
TURN_BYTES = 2
TRIES = 2


class Finder:
    """Asks addresses in turn, each twice before it counts as nobody. Raises OutOfRange for an impossible address."""

    def __init__(self, addresses: Sequence[int], *, baud: int) -> None:
        for address in addresses:
            if not 0 <= address <= LAST_ADDRESS:
                raise OutOfRange("osdp", f"address {address} is not between 0 and {LAST_ADDRESS}")
        self._left = deque(addresses)
        self._baud = baud
        self._decoder = Decoder(baud)
        self._facts: list[Fact] = []
        self._identity: PdId | None = None
        self._sequence = 0
        self._tries = 0
        self._deadline_ns: int | None = None
        self._free_ns = 0
        self._over = False

    def receive(self, t_ns: int, data: bytes) -> None:
        """Take bytes that arrived by `t_ns`."""
        for found in self._decoder.feed(t_ns, data):
            if isinstance(found, Frame) and self._deadline_ns is not None and self._is_answer(found):
                self._deadline_ns = None
                self._free_ns = t_ns + wire_ns(TURN_BYTES, self._baud)
                self._answer(t_ns, found)

    def _is_answer(self, frame: Frame) -> bool:
        return frame.reply and bool(self._left) and (frame.address, frame.sequence) == (self._left[0], self._sequence)

    def _answer(self, t_ns: int, frame: Frame) -> None:
        try:
            reply = decode_reply(frame.code, frame.data)
        except Malformed:
            reply = None
        self._tries = 0
        if self._identity is None:
            if isinstance(reply, PdId):
                self._identity, self._sequence = reply, 1
            else:
                self._on()
            return
        capabilities = reply if isinstance(reply, PdCap) else PdCap(())
        self._facts.append(Found(t_ns=t_ns, address=self._left[0], identity=self._identity, capabilities=capabilities))
        self._on()

    def _on(self) -> None:
        self._left.popleft()
        self._identity, self._sequence, self._tries = None, 0, 0

    def step(self, t_ns: int) -> Step:
        """Say what to do now."""
        if self._deadline_ns is not None and t_ns >= self._deadline_ns:
            self._decoder.reset()
            self._deadline_ns = None
            if self._tries >= TRIES:
                self._on()
        send = b""
        if self._left and self._deadline_ns is None and t_ns >= self._free_ns:
            send = self._question()
            self._tries += 1
            self._deadline_ns = t_ns + wire_ns(len(send), self._baud) + REPLY_NS
        if not self._left and not self._over:
            self._over = True
            self._facts.append(Searched(t_ns=t_ns))
        facts = tuple(self._facts)
        self._facts.clear()
        if self._over:
            return Step(send, facts, None)
        return Step(send, facts, self._free_ns if self._deadline_ns is None else self._deadline_ns)

    def _question(self) -> bytes:
        command = Id() if self._identity is None else Cap()
        frame = Frame(
            address=self._left[0],
            reply=False,
            sequence=self._sequence,
            code=code_of(command),
            data=command.encode(),
        )
        return encode(frame)
