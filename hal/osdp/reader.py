"""A panel's link with one reader: what to ask next, and what an answer means.

First `hal.osdp.opening`; once the link stands: queries, the owner's commands (`hal.osdp.orders`), polls. What fails
begins anew from ID with sequence 0. The bus, and when who is asked, belong to `hal.osdp.panel`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from hal.errors import DeviceError, OutOfRange
from hal.osdp.channel import HAS_KEY, Channel, Install
from hal.osdp.codes import CapabilityCode, NakCode, ReplyCode, Scs, nak_text
from hal.osdp.commands import InputStatus, KeySet, LocalStatus, OutputStatus, Poll, code_of
from hal.osdp.exchange import OPENING, Exchange, Purpose
from hal.osdp.facts import (
    Downgrade,
    Fact,
    Identified,
    Outcome,
    ReaderSettings,
    Rekeyed,
    Reported,
    SecureSeen,
)
from hal.osdp.frame import Frame, encode
from hal.osdp.opening import Opening, Question, Verdict, because
from hal.osdp.orders import Orders
from hal.osdp.payload import Malformed, Payload
from hal.osdp.replies import Ack, Keypad, Nak, Raw, decode_reply
from hal.osdp.standing import Standing
from hal.types import LinkPhase, LinkStatus

MS = 1_000_000
OFFLINE_NS = 1_300 * MS
RETRY_NS = 20 * MS
OPENING_TRIES = 3
PROBE_NS = 300 * MS
REFUSED_NS = 1_000 * MS
BUSY_NS = 50 * MS
BUSY_LONGEST_NS = 10_000 * MS
FORGED_MOST = 3
# A card that arrived right before the link was begun anew may be told again by a reader that does not know.
TOLD_AGAIN_NS = 5_000 * MS

NO_ANSWER = "no answer"
GARBLED = "garbled answers: noise, or two readers at one address"
LOST_CHANNEL = "lost secure channel"
RELINK = frozenset({NakCode.SEQUENCE, NakCode.SECURITY, NakCode.NOT_SECURE})
EVENTS = (Raw, Keypad)


class Reader:
    """One reader; the panel asks `due_ns`, calls `send`, then one of `answered`, `missed`."""

    def __init__(self, settings: ReaderSettings, random: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.channel = Channel(settings.keys, random)
        self.facts: list[Fact] = []
        self.due_ns = 0
        self.exchange: Exchange | None = None
        self.clear: bytes | None = None  # clear data of the last frame, for the trace
        self._opening = Opening(self.channel, plain=settings.plain, secure_seen=settings.secure_seen)
        self._orders = Orders(settings.address, self.facts)
        self._ready = False
        self._sequence = -1
        self._queries: deque[Payload] = deque()
        self._install: Install | None = None
        self._new_key = b""
        self._told: tuple[int, Payload] | None = None
        self._new_session = False
        self._began_ns: int | None = None
        self._standing = Standing(settings.address, self.channel, self._opening, self.facts)

    # what the owner asks

    @property
    def status(self) -> LinkStatus:
        """The link with its counters as they are now."""
        return self._standing.status

    @property
    def alive(self) -> bool:
        """Whether the reader answered lately: then it is asked without waiting."""
        return self._ready or self._opening.stage is not Purpose.ID

    def submit(self, ticket: int, command: Payload, purpose: Purpose = Purpose.COMMAND) -> None:
        """Queue a command. Raises DeviceError when it cannot be sent soon."""
        self._check_ready()
        self._orders.add(ticket, command, purpose)
        if self.exchange is None:
            self.due_ns = 0

    def send_file(self, ticket: int, kind: int, data: bytes) -> None:
        """Begin a transfer. Raises DeviceError while another one runs or when the reader is away."""
        self._check_ready()
        self._orders.send_file(ticket, kind, data, self._opening.capabilities)

    def _check_ready(self) -> None:
        # While a rotation opens the channel anew, what is asked for waits.
        if not self._ready and self._standing.phase is not LinkPhase.CONNECTED:
            raise DeviceError("osdp", f"reader {self.settings.address} is not connected: {self._standing.words}")

    def arm(self, t_ns: int, install: Install) -> None:
        """Begin an install. Raises OutOfRange for a reader that may hold a key."""
        if self._opening.secure_seen or any(key != install.key for key in self.channel.keys):
            raise OutOfRange("osdp", f"reader {self.settings.address} has a key of ours: rotate it instead")
        if self._install is not None:
            raise DeviceError("osdp", f"reader {self.settings.address} is being installed already")
        self._lose(t_ns, "an install begins")
        self._install = install
        self._begin(t_ns)

    def disarm(self, t_ns: int, reason: str) -> None:
        """Close the install window."""
        install, self._install = self._install, None
        if install is not None:
            outcome = Outcome.LOST if install.sent else Outcome.REFUSED
            self._orders.finish(t_ns, install.ticket, outcome, None, reason)
            if install.sent:
                self.channel.perhaps(install.key)
            if not self._ready:
                self._begin(t_ns)

    def renewed(self) -> ReaderSettings:
        """The settings to begin anew with: what was learned since is kept."""
        return replace(self.settings, keys=self.channel.keys, secure_seen=self._opening.secure_seen)

    def close(self, t_ns: int) -> None:
        """Give everything up."""
        self._lose(t_ns, "the reader was taken off the bus")
        self.disarm(t_ns, "the reader was taken off the bus")

    # what to send

    def tick(self, t_ns: int) -> None:
        """Let time pass."""
        if self._install is not None and t_ns >= self._install.until_ns:
            self.disarm(t_ns, "the install window closed")

    @property
    def next_ns(self) -> int | None:
        """When `tick` has something to do."""
        return None if self._install is None else self._install.until_ns

    def send(self, t_ns: int) -> bytes:
        """The bytes to send now: the last ones again, or the next question."""
        if self._began_ns is None:
            self._began_ns = t_ns
        exchange = self.exchange
        if exchange is None:
            exchange = self.exchange = self._next(t_ns)
        elif exchange.busy_ns is None:
            self._standing.retries += 1
        exchange.tries += 1
        exchange.sent_ns = t_ns
        return exchange.raw

    def _next(self, t_ns: int) -> Exchange:
        if not self._ready:
            return self._open(t_ns)
        if self._queries:
            return self._sealed(t_ns, Purpose.QUERY, self._queries.popleft())
        waiting = self._orders.next(t_ns)
        if waiting is None:
            return self._sealed(t_ns, Purpose.POLL, Poll())
        if isinstance(waiting.command, KeySet):
            self._new_key = waiting.command.key
        return self._sealed(t_ns, waiting.purpose, waiting.command, waiting.ticket)

    def _open(self, t_ns: int) -> Exchange:
        stage, install = self._opening.stage, self._install
        if stage is Purpose.KEY and install is not None:
            install.sent = True
            return self._sealed(t_ns, stage, KeySet(install.key), install.ticket)
        question = self._opening.question(installing=install is not None)
        if stage is Purpose.ID:
            self._sequence = -1
        if stage is Purpose.SEALED_CAP:
            return self._sealed(t_ns, stage, question.payload)
        return self._plain(t_ns, stage, question)

    def _frame(self, payload: Payload) -> Frame:
        self._sequence = self._sequence % 3 + 1 if self._sequence >= 0 else 0
        return Frame(
            address=self.settings.address,
            reply=False,
            sequence=self._sequence,
            code=code_of(payload),
            data=payload.encode(),
            crc=self.settings.crc or bool(self.channel.keys) or self._install is not None,
        )

    def _plain(self, t_ns: int, purpose: Purpose, question: Question) -> Exchange:
        frame = replace(self._frame(question.payload), block=question.block, block_data=question.slot)
        return Exchange(question.payload, purpose, encode(frame), frame.sequence, False, 0, t_ns)

    def _sealed(self, t_ns: int, purpose: Purpose, payload: Payload, ticket: int = 0) -> Exchange:
        frame = self._frame(payload)
        session = self.channel.session
        raw = encode(frame) if session is None else session.seal(frame)
        return Exchange(payload, purpose, raw, frame.sequence, session is not None, ticket, t_ns)

    # what came back

    def garbled(self) -> None:
        """Something unreadable came while we waited."""
        self._standing.check_errors += 1
        if self.exchange is not None:
            self.exchange.garbled += 1

    def missed(self, t_ns: int) -> None:
        """No answer in time: ask again, or give up."""
        exchange = self.exchange
        if exchange is None:  # given up meanwhile
            return
        self.due_ns = t_ns + RETRY_NS * min(exchange.tries, 3)
        if exchange.purpose is Purpose.ID:
            self.exchange = None
            self.due_ns = t_ns + PROBE_NS
            if t_ns - (self._began_ns or 0) >= OFFLINE_NS or self._standing.phase is LinkPhase.NOT_CONNECTED:
                self._refuse(t_ns, GARBLED if exchange.garbled else NO_ANSWER, PROBE_NS)
        elif exchange.purpose in OPENING and exchange.tries >= OPENING_TRIES:
            if self._standing.phase is LinkPhase.CONNECTED:  # a rotation that led to nothing
                self._refuse(t_ns, GARBLED if exchange.garbled else NO_ANSWER, 0)
            else:
                self._begin(t_ns)
        elif t_ns - exchange.since_ns >= OFFLINE_NS:
            self._refuse(t_ns, GARBLED if exchange.garbled else NO_ANSWER, 0)

    def answered(self, t_ns: int, frame: Frame, question_ns: int) -> bool:
        """Take a frame from this reader; returns whether the question is answered. `question_ns` is its end."""
        exchange = self.exchange
        self.clear = frame.data if frame.block not in (Scs.REPLY_DATA, Scs.COMMAND_DATA) else None
        if exchange is None:
            return False
        if frame.code == ReplyCode.BUSY and not frame.secured and frame.sequence in (0, exchange.sequence):
            return self._wait(t_ns, exchange)
        if frame.sequence != exchange.sequence:
            return False
        if frame.code == ReplyCode.NAK and not frame.secured and frame.data[:1] == bytes((NakCode.CHECK,)):
            self.garbled()  # it did not understand: the same bytes again
            return False
        data: bytes | None = frame.data
        if exchange.sealed:
            if not frame.secured:
                return self._unsealed(t_ns, exchange, frame)
            session = self.channel.session
            data = None if session is None else session.open(frame)
            self.clear = data
            if data is None:
                return self._forged(t_ns, exchange)
        elif frame.secured:
            return False
        self._standing.round_trip_us = max(0, t_ns - question_ns) // 1000
        self.exchange = None
        self.due_ns = t_ns
        try:
            reply = decode_reply(frame.code, data or b"")
        except Malformed:
            self._standing.check_errors += 1
            reply = Nak(NakCode.LENGTH)
        self._took(t_ns, exchange, frame, reply)
        if self._ready:
            self._standing.become(t_ns, LinkPhase.CONNECTED)
        return True

    def _wait(self, t_ns: int, exchange: Exchange) -> bool:
        """Busy: the same bytes again, a little later, for a limited time."""
        if exchange.busy_ns is None:
            exchange.busy_ns = t_ns
        exchange.since_ns = t_ns
        self.due_ns = t_ns + BUSY_NS
        if t_ns - exchange.busy_ns >= BUSY_LONGEST_NS:
            self._relink(t_ns, "the reader stayed busy")
        return True

    def _unsealed(self, t_ns: int, exchange: Exchange, frame: Frame) -> bool:
        """A clear answer to a sealed question: a refusal means that the channel is gone, anything else is ignored."""
        if frame.code != ReplyCode.NAK:
            self._standing.check_errors += 1
            return False
        self._standing.refusals += 1
        self._relink(t_ns, LOST_CHANNEL)
        return True

    def _forged(self, t_ns: int, exchange: Exchange) -> bool:
        """An answer that is not genuine is ignored; several mean that both ends have lost each other."""
        self._standing.check_errors += 1
        exchange.forged += 1
        if exchange.forged < FORGED_MOST:
            return False
        self._relink(t_ns, LOST_CHANNEL)
        return True

    def _relink(self, t_ns: int, reason: str) -> None:
        """Both ends have lost each other: begin anew at once."""
        self._lose(t_ns, reason)
        self._begin(t_ns)
        self._standing.become(t_ns, LinkPhase.CONNECTING, reason)

    def _took(self, t_ns: int, exchange: Exchange, frame: Frame, reply: Payload) -> None:
        if isinstance(reply, Nak):
            self._standing.refusals += 1
        if exchange.purpose in OPENING:
            installing = self._install is not None
            self._opened(t_ns, self._opening.answered(exchange.purpose, frame, reply, installing=installing))
        elif exchange.purpose is Purpose.KEY:
            self._keyed(t_ns, exchange, reply)
        elif exchange.purpose is Purpose.FILE:
            self._orders.filed(t_ns, exchange, reply)
        else:
            self._done(t_ns, exchange, reply)

    # opening

    def _begin(self, t_ns: int) -> None:
        """From the start, with sequence 0."""
        self._opening.begin()
        self._ready = False
        self.exchange = None
        self.due_ns = t_ns
        self._began_ns = None

    def _opened(self, t_ns: int, verdict: Verdict) -> None:
        if verdict.downgrade:
            self.facts.append(Downgrade(t_ns=t_ns, address=self.settings.address, reason=verdict.downgrade))
        if verdict.stands:
            self._stand(t_ns)
        elif verdict.refused:
            if verdict.refused == HAS_KEY:
                self.disarm(t_ns, verdict.refused)
            self._refuse(t_ns, verdict.refused, REFUSED_NS)

    def _stand(self, t_ns: int) -> None:
        """The link stands."""
        self._ready = True
        self._new_session = True
        channel, opening, address = self.channel, self._opening, self.settings.address
        if channel.trusted:
            assert channel.key is not None
            used = channel.keys[channel.key]
            if self._new_key == used:  # its answer was lost, and it has the key
                self.facts.append(self._rekeyed(t_ns, used, installed=False))
            if channel.key == 0 or self._new_key == used:
                channel.keys, channel.key = (used,), 0
            self._new_key = b""
            if not opening.secure_seen:
                opening.secure_seen = True
                self.facts.append(SecureSeen(t_ns=t_ns, address=address))
        who, can = opening.identity, opening.capabilities
        assert who is not None
        self.facts.append(Identified(t_ns=t_ns, address=address, identity=who, capabilities=can))
        self._queries = deque((LocalStatus(),))
        if can.count(CapabilityCode.CONTACTS):
            self._queries.append(InputStatus())
        if can.count(CapabilityCode.OUTPUTS):
            self._queries.append(OutputStatus())

    # ready

    def _done(self, t_ns: int, exchange: Exchange, reply: Payload) -> None:
        if isinstance(reply, Nak) and not exchange.sealed and reply.reason in RELINK:
            self._lose(t_ns, nak_text(reply.reason), exchange)
            self._relink(t_ns, nak_text(reply.reason))
            return
        if exchange.purpose is Purpose.COMMAND:
            outcome = Outcome.REFUSED if isinstance(reply, Nak) else Outcome.DONE
            self._orders.finish(t_ns, exchange.ticket, outcome, reply, because(reply).removeprefix(": "))
        elif not isinstance(reply, Nak | Ack):
            self._event(t_ns, reply)
        elif exchange.purpose is Purpose.POLL:
            self._new_session = False
        if not self._new_session and not isinstance(reply, EVENTS):
            self._told = None
        more = isinstance(reply, EVENTS) or len(self._orders) or self._queries
        if exchange.purpose is not Purpose.POLL or more:
            return  # ask at once
        self.due_ns = max(t_ns, exchange.sent_ns + self.settings.poll_ns)

    def _event(self, t_ns: int, reply: Payload) -> None:
        """Something the reader tells by itself; what was told right before the link broke is not told twice."""
        if isinstance(reply, EVENTS):
            told, self._told = self._told, (t_ns, reply)
            new, self._new_session = self._new_session, False
            if new and told is not None and told[1] == reply and t_ns - told[0] < TOLD_AGAIN_NS:
                return
        self.facts.append(Reported(t_ns=t_ns, address=self.settings.address, reply=reply))

    def _keyed(self, t_ns: int, exchange: Exchange, reply: Payload) -> None:
        """The answer to a KEYSET."""
        install, self._install = self._install, None
        if not isinstance(reply, Ack):
            self._new_key = b""
            reason = f"the reader refused the key{because(reply)}"
            self._orders.finish(t_ns, exchange.ticket, Outcome.REFUSED, reply, reason)
            if install is not None:
                self._refuse(t_ns, reason, REFUSED_NS)
            return
        key = self._new_key if install is None else install.key
        self._new_key = b""
        self.channel.took(key)
        self.facts.append(self._rekeyed(t_ns, key, installed=install is not None))
        self._orders.finish(t_ns, exchange.ticket, Outcome.DONE, reply, "")
        self._ready = False
        self._opening.rekey()

    def _rekeyed(self, t_ns: int, key: bytes, *, installed: bool) -> Rekeyed:
        return Rekeyed(t_ns=t_ns, address=self.settings.address, key=key, installed=installed)

    # endings

    def _lose(self, t_ns: int, reason: str, exchange: Exchange | None = None) -> None:
        """End every command as lost. A key that was on its way is tried from now on as well."""
        exchange = exchange or self.exchange
        if self._install is not None:
            exchange = None  # the install has its own end
        elif exchange is not None and exchange.purpose is Purpose.KEY and self._new_key:
            self.channel.perhaps(self._new_key)
        self._orders.lose(t_ns, reason, exchange)
        if self._install is not None and self._install.sent:
            self.disarm(t_ns, reason)

    def _refuse(self, t_ns: int, reason: str, pause_ns: int) -> None:
        """The link does not stand; try again after a pause."""
        self._lose(t_ns, reason)
        self._begin(t_ns)
        self._began_ns = t_ns
        self.due_ns = t_ns + pause_ns
        self._standing.become(t_ns, LinkPhase.NOT_CONNECTED, reason)
