"""A panel's link with one reader: what to ask next, and what an answer means.

```
ID -> CAP -> challenge -> proof -> CAP again, sealed -> ready: queries, commands, polls
```
A failed step begins anew from ID with sequence 0. The bus, and when who is asked, belong to `hal.osdp.panel`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from hal.errors import DeviceError, OutOfRange
from hal.osdp.channel import DEFAULT_KEY, HAS_KEY, WRONG_KEY, Channel, Install
from hal.osdp.codes import CapabilityCode, NakCode, ReplyCode, Scs, nak_text
from hal.osdp.commands import Cap, Id, InputStatus, KeySet, LocalStatus, OutputStatus, Poll, code_of
from hal.osdp.exchange import OPENING, Exchange, Purpose
from hal.osdp.facts import (
    Downgrade,
    Fact,
    FileProgress,
    Finished,
    Identified,
    LinkChanged,
    Outcome,
    ReaderSettings,
    Rekeyed,
    Reported,
    SecureSeen,
)
from hal.osdp.file_transfer import Ended, FileSender
from hal.osdp.frame import Frame, encode
from hal.osdp.payload import Malformed, Payload
from hal.osdp.replies import Ack, FileStatus, Keypad, Nak, PdCap, PdId, Raw, decode_reply
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
CHALLENGES = 3
MOST_COMMANDS = 32
# A card that arrived right before the link was begun anew may be told again by a reader that does not know.
TOLD_AGAIN_NS = 5_000 * MS

NO_ANSWER = "no answer"
GARBLED = "garbled answers: noise, or two readers at one address"
LOST_CHANNEL = "lost secure channel"
NO_CHANNEL = "no secure channel"
NO_KEY = "no secure channel: no key is set, and clear text is not allowed"
DENIED = "no secure channel: the reader denies it, but had one before"
RELINK = frozenset({NakCode.SEQUENCE, NakCode.SECURITY, NakCode.NOT_SECURE})
EVENTS = (Raw, Keypad)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command in the queue."""

    ticket: int
    command: Payload
    purpose: Purpose


class Reader:
    """One reader; the panel asks `due_ns`, calls `send`, then one of `answered`, `missed`."""

    def __init__(self, settings: ReaderSettings, random: Callable[[int], bytes]) -> None:
        self.settings = settings
        self.channel = Channel(settings.keys, random)
        self.facts: list[Fact] = []
        self.due_ns = 0
        self.exchange: Exchange | None = None
        self.clear: bytes | None = None  # clear data of the last frame, for the trace
        self._stage = Purpose.ID
        self._ready = False
        self._sequence = -1
        self._queue: deque[Waiting] = deque()
        self._queries: deque[Payload] = deque()
        self._file: FileSender | None = None
        self._poll_first = False
        self._install: Install | None = None
        self._new_key = b""
        self._identity: PdId | None = None
        self._capabilities = PdCap(())
        self._secure_seen = settings.secure_seen
        self._challenges = 0
        self._told: tuple[int, Payload] | None = None
        self._new_session = False
        self._began_ns: int | None = None
        self._retries = 0
        self._check_errors = 0
        self._refusals = 0
        self._round_trip_us = 0
        self._status = LinkStatus(t_ns=0, phase=LinkPhase.CONNECTING, address=settings.address)

    # what the owner asks

    @property
    def status(self) -> LinkStatus:
        """The link with its counters as they are now."""
        return replace(
            self._status,
            retries=self._retries,
            check_errors=self._check_errors,
            refusals=self._refusals,
            round_trip_us=self._round_trip_us,
        )

    @property
    def alive(self) -> bool:
        """Whether the reader answered lately: then it is asked without waiting."""
        return self._ready or self._stage is not Purpose.ID

    def submit(self, ticket: int, command: Payload, purpose: Purpose = Purpose.COMMAND) -> None:
        """Queue a command. Raises DeviceError when it cannot be sent soon."""
        if not self._ready:
            reason = self._status.reason or self._status.phase.value
            raise DeviceError("osdp", f"reader {self.settings.address} is not connected: {reason}")
        if len(self._queue) >= MOST_COMMANDS:
            raise DeviceError("osdp", f"{MOST_COMMANDS} commands wait for reader {self.settings.address} already")
        self._queue.append(Waiting(ticket, command, purpose))
        if self.exchange is None:
            self.due_ns = 0

    def send_file(self, ticket: int, kind: int, data: bytes) -> None:
        """Begin a transfer. Raises DeviceError while another one runs or when the reader is away."""
        if not self._ready:
            raise DeviceError("osdp", f"reader {self.settings.address} is not connected")
        if self._file is not None:
            raise DeviceError("osdp", f"reader {self.settings.address} is taking another file")
        size = self._capabilities.size(CapabilityCode.RECEIVE_SIZE) or 128
        self._file = FileSender(ticket, kind, data, message_size=min(size, 1024))

    def arm(self, install: Install) -> None:
        """Begin an install. Raises OutOfRange for a reader that may hold a key."""
        if self._secure_seen or any(key != install.key for key in self.channel.keys):
            raise OutOfRange("osdp", f"reader {self.settings.address} has a key of ours: rotate it instead")
        if self._install is not None:
            raise DeviceError("osdp", f"reader {self.settings.address} is being installed already")
        self._install = install
        self._begin(0)
        self.due_ns = 0

    def disarm(self, t_ns: int, reason: str) -> None:
        """Close the install window."""
        install, self._install = self._install, None
        if install is not None:
            outcome = Outcome.LOST if install.sent else Outcome.REFUSED
            self._finish(t_ns, install.ticket, outcome, None, reason)
            if install.sent:
                self.channel.perhaps(install.key)
            if self.channel.key == DEFAULT_KEY:
                self._begin(t_ns)

    def renewed(self) -> ReaderSettings:
        """The settings to begin anew with: what was learned since is kept."""
        return replace(self.settings, keys=self.channel.keys, secure_seen=self._secure_seen)

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
            self._retries += 1
        exchange.tries += 1
        exchange.sent_ns = t_ns
        return exchange.raw

    def _next(self, t_ns: int) -> Exchange:
        if not self._ready:
            return self._opening(t_ns)
        if self._queries:
            return self._sealed(t_ns, Purpose.QUERY, self._queries.popleft())
        if self._queue:
            waiting = self._queue.popleft()
            if isinstance(waiting.command, KeySet):
                self._new_key = waiting.command.key
            return self._sealed(t_ns, waiting.purpose, waiting.command, waiting.ticket)
        if self._file is not None and not self._poll_first:
            part = self._file.fragment(t_ns)
            if part is not None:
                self._poll_first = True
                return self._sealed(t_ns, Purpose.FILE, part, self._file.ticket)
        self._poll_first = False
        return self._sealed(t_ns, Purpose.POLL, Poll())

    def _opening(self, t_ns: int) -> Exchange:
        match self._stage:
            case Purpose.CAP:
                return self._plain(t_ns, Cap())
            case Purpose.CHALLENGE:
                command, slot = self.channel.challenge(installing=self._install is not None)
                return self._plain(t_ns, command, Scs.CHALLENGE, slot)
            case Purpose.PROOF:
                return self._plain(t_ns, self.channel.proof(), Scs.CRYPTOGRAM, self.channel.slot)
            case Purpose.SEALED_CAP:
                return self._sealed(t_ns, Purpose.SEALED_CAP, Cap())
            case Purpose.KEY:
                assert self._install is not None
                self._install.sent = True
                return self._sealed(t_ns, Purpose.KEY, KeySet(self._install.key), self._install.ticket)
            case _:
                self._sequence = -1
                return self._plain(t_ns, Id())

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

    def _plain(self, t_ns: int, payload: Payload, block: int | None = None, slot: bytes = b"") -> Exchange:
        frame = replace(self._frame(payload), block=block, block_data=slot)
        return Exchange(payload, self._stage, encode(frame), frame.sequence, False, 0, t_ns)

    def _sealed(self, t_ns: int, purpose: Purpose, payload: Payload, ticket: int = 0) -> Exchange:
        frame = self._frame(payload)
        session = self.channel.session
        raw = encode(frame) if session is None else session.seal(frame)
        return Exchange(payload, purpose, raw, frame.sequence, session is not None, ticket, t_ns)

    # what came back

    def garbled(self) -> None:
        """Something unreadable came while we waited."""
        self._check_errors += 1
        if self.exchange is not None:
            self.exchange.garbled += 1

    def missed(self, t_ns: int) -> None:
        """No answer in time: ask again, or give up."""
        exchange = self.exchange
        assert exchange is not None
        self.due_ns = t_ns + RETRY_NS * min(exchange.tries, 3)
        if exchange.purpose is Purpose.ID:
            self.exchange = None
            self.due_ns = t_ns + PROBE_NS
            if t_ns - (self._began_ns or 0) >= OFFLINE_NS or self._status.phase is LinkPhase.NOT_CONNECTED:
                self._refuse(t_ns, GARBLED if exchange.garbled else NO_ANSWER, PROBE_NS)
        elif exchange.purpose in OPENING and exchange.tries >= OPENING_TRIES:
            if self._status.phase is LinkPhase.CONNECTED:  # a rotation that led to nothing
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
        self._round_trip_us = max(0, t_ns - question_ns) // 1000
        self.exchange = None
        self.due_ns = t_ns
        try:
            reply = decode_reply(frame.code, data or b"")
        except Malformed:
            self._check_errors += 1
            reply = Nak(NakCode.LENGTH)
        self._took(t_ns, exchange, frame, reply)
        self._judge(t_ns)
        return True

    def _wait(self, t_ns: int, exchange: Exchange) -> bool:
        """Busy: the same bytes again, a little later, for a limited time."""
        if exchange.busy_ns is None:
            exchange.busy_ns = t_ns
        exchange.since_ns = t_ns
        self.due_ns = t_ns + BUSY_NS
        if t_ns - exchange.busy_ns >= BUSY_LONGEST_NS:
            self._lose(t_ns, "the reader stayed busy")
            self._begin(t_ns)
        return True

    def _unsealed(self, t_ns: int, exchange: Exchange, frame: Frame) -> bool:
        """A clear answer to a sealed question: a refusal means that the channel is gone, anything else is ignored."""
        if frame.code != ReplyCode.NAK:
            self._check_errors += 1
            return False
        self._refusals += 1
        self._lost_channel(t_ns)
        return True

    def _forged(self, t_ns: int, exchange: Exchange) -> bool:
        """An answer that is not genuine is ignored; several mean that both ends have lost each other."""
        self._check_errors += 1
        exchange.forged += 1
        if exchange.forged < FORGED_MOST:
            return False
        self._lost_channel(t_ns)
        return True

    def _lost_channel(self, t_ns: int) -> None:
        self._lose(t_ns, LOST_CHANNEL)
        self._begin(t_ns)
        self._judge(t_ns, LOST_CHANNEL)

    def _took(self, t_ns: int, exchange: Exchange, frame: Frame, reply: Payload) -> None:
        if isinstance(reply, Nak):
            self._refusals += 1
        match exchange.purpose:
            case Purpose.ID | Purpose.CAP | Purpose.SEALED_CAP:
                self._introduced(t_ns, exchange.purpose, reply)
            case Purpose.CHALLENGE | Purpose.PROOF:
                self._shook(t_ns, exchange.purpose, frame, reply)
            case Purpose.KEY:
                self._keyed(t_ns, exchange, reply)
            case Purpose.FILE:
                self._filed(t_ns, exchange, reply)
            case _:
                self._done(t_ns, exchange, reply)

    # opening

    def _begin(self, t_ns: int) -> None:
        """From the start, with sequence 0."""
        self._stage, self._ready = Purpose.ID, False
        self.exchange = None
        self.due_ns = t_ns
        self._began_ns = None
        self._challenges = 0
        self.channel.end()

    def _introduced(self, t_ns: int, purpose: Purpose, reply: Payload) -> None:
        if purpose is Purpose.ID:
            if not isinstance(reply, PdId):
                self._refuse(t_ns, f"the reader does not say who it is{because(reply)}", REFUSED_NS)
                return
            self._identity = reply
            self._stage = Purpose.CAP
            return
        found = reply if isinstance(reply, PdCap) else PdCap(())
        if purpose is Purpose.SEALED_CAP:
            if isinstance(reply, PdCap) and found != self._capabilities:
                self._downgrade(t_ns, "the reader's capabilities were changed on the wire")
                self._capabilities = found
            self._stand(t_ns)
            return
        self._capabilities = found
        self._decide(t_ns)

    def _decide(self, t_ns: int) -> None:
        """Who and what it is are known: how do we talk?"""
        can = self._capabilities.can_secure
        if self._secure_seen and not can:
            self._downgrade(t_ns, "the reader denies its secure channel")
            self._refuse(t_ns, DENIED, REFUSED_NS)
        elif self._install is not None or self.channel.keys:
            self._stage = Purpose.CHALLENGE
        elif self.settings.plain and not self._secure_seen:
            self._stand(t_ns)
        else:
            self._refuse(t_ns, NO_KEY if can else NO_CHANNEL, REFUSED_NS)

    def _shook(self, t_ns: int, purpose: Purpose, frame: Frame, reply: Payload) -> None:
        if isinstance(reply, Nak):
            reason = WRONG_KEY if purpose is Purpose.PROOF else f"{NO_CHANNEL}: {nak_text(reply.reason)}"
        elif purpose is Purpose.CHALLENGE:
            reason = self.channel.challenged(frame)
        else:
            reason = self.channel.proven(frame)
        if reason == WRONG_KEY and self._challenges < CHALLENGES:
            # A reader in the middle of a rotation answers with its other key next time.
            self._challenges += 1
            self._stage = Purpose.CHALLENGE
        elif reason:
            if reason == HAS_KEY:
                self.disarm(t_ns, reason)
            self._refuse(t_ns, reason, REFUSED_NS)
        elif purpose is Purpose.CHALLENGE:
            self._stage = Purpose.PROOF
        else:
            self._stage = Purpose.SEALED_CAP if self.channel.trusted else Purpose.KEY

    def _stand(self, t_ns: int) -> None:
        """The link stands."""
        self._ready = True
        self._challenges = 0
        self._new_session = True
        channel = self.channel
        if channel.trusted:
            assert channel.key is not None
            if self._new_key and channel.keys[channel.key] == self._new_key:
                self.facts.append(self._rekeyed(t_ns, self._new_key, installed=False))
                self._new_key = b""
            channel.keys = (channel.keys[channel.key],) if channel.key == 0 else channel.keys
            if not self._secure_seen:
                self._secure_seen = True
                self.facts.append(SecureSeen(t_ns=t_ns, address=self.settings.address))
        assert self._identity is not None
        self.facts.append(
            Identified(
                t_ns=t_ns,
                address=self.settings.address,
                identity=self._identity,
                capabilities=self._capabilities,
            )
        )
        self._queries = deque((LocalStatus(),))
        if self._capabilities.count(CapabilityCode.CONTACTS):
            self._queries.append(InputStatus())
        if self._capabilities.count(CapabilityCode.OUTPUTS):
            self._queries.append(OutputStatus())

    # ready

    def _done(self, t_ns: int, exchange: Exchange, reply: Payload) -> None:
        if isinstance(reply, Nak) and not exchange.sealed and reply.reason in RELINK:
            self._lose(t_ns, nak_text(reply.reason), exchange)
            self._begin(t_ns)
            return
        if exchange.purpose is Purpose.COMMAND:
            outcome = Outcome.REFUSED if isinstance(reply, Nak) else Outcome.DONE
            self._finish(t_ns, exchange.ticket, outcome, reply, because(reply).removeprefix(": "))
        elif not isinstance(reply, Nak | Ack):
            self._event(t_ns, reply)
        elif exchange.purpose is Purpose.POLL:
            self._new_session = False
        if not self._new_session and not isinstance(reply, EVENTS):
            self._told = None
        if exchange.purpose is not Purpose.POLL or isinstance(reply, Raw | Keypad) or self._queue or self._queries:
            return  # there is more: ask at once
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
        if isinstance(reply, Nak):
            self._new_key = b""
            self._finish(t_ns, exchange.ticket, Outcome.REFUSED, reply, nak_text(reply.reason))
            if install is not None:
                self._refuse(t_ns, f"the reader refused the key: {nak_text(reply.reason)}", REFUSED_NS)
            return
        key = self._new_key if install is None else install.key
        self._new_key = b""
        self.channel.took(key)
        self.facts.append(self._rekeyed(t_ns, key, installed=install is not None))
        self._finish(t_ns, exchange.ticket, Outcome.DONE, reply, "")
        self._ready, self._stage = False, Purpose.CHALLENGE

    def _rekeyed(self, t_ns: int, key: bytes, *, installed: bool) -> Rekeyed:
        return Rekeyed(t_ns=t_ns, address=self.settings.address, key=key, installed=installed)

    def _filed(self, t_ns: int, exchange: Exchange, reply: Payload) -> None:
        sender = self._file
        if sender is None:
            return
        if isinstance(reply, FileStatus):
            ended = sender.answered(t_ns, exchange.payload, reply)  # type: ignore[arg-type]
        else:
            ended = Ended(f"the reader takes no files{because(reply)}")
        self.facts.append(
            FileProgress(
                t_ns=t_ns,
                address=self.settings.address,
                ticket=sender.ticket,
                done=sender.done,
                total=sender.total,
            )
        )
        if ended is not None:
            self._file = None
            outcome = Outcome.REFUSED if ended.reason else Outcome.DONE
            self._finish(t_ns, sender.ticket, outcome, reply, ended.reason)

    # endings

    def _finish(self, t_ns: int, ticket: int, outcome: Outcome, reply: Payload | None, reason: str) -> None:
        self.facts.append(
            Finished(
                t_ns=t_ns,
                address=self.settings.address,
                ticket=ticket,
                outcome=outcome,
                reply=reply,
                reason=reason,
            )
        )

    def _lose(self, t_ns: int, reason: str, exchange: Exchange | None = None) -> None:
        """End every command as lost. A key that was on its way is tried from now on as well."""
        exchange = exchange or self.exchange
        if exchange is not None and exchange.purpose is Purpose.KEY and self._install is None and self._new_key:
            self.channel.perhaps(self._new_key)
        if exchange is not None and exchange.purpose in (Purpose.COMMAND, Purpose.KEY) and self._install is None:
            self._finish(t_ns, exchange.ticket, Outcome.LOST, None, reason)
        for waiting in self._queue:
            self._finish(t_ns, waiting.ticket, Outcome.LOST, None, reason)
        self._queue.clear()
        if self._file is not None:
            self._finish(t_ns, self._file.ticket, Outcome.LOST, None, reason)
            self._file = None
        if self._install is not None and self._install.sent:
            self.disarm(t_ns, reason)

    def _refuse(self, t_ns: int, reason: str, pause_ns: int) -> None:
        """The link does not stand; try again after a pause."""
        self._lose(t_ns, reason)
        self._begin(t_ns)
        self._began_ns = t_ns
        self.due_ns = t_ns + pause_ns
        self._judge(t_ns, reason)

    def _downgrade(self, t_ns: int, reason: str) -> None:
        self.facts.append(Downgrade(t_ns=t_ns, address=self.settings.address, reason=reason))

    def _judge(self, t_ns: int, reason: str = "") -> None:
        """Work out phase and reason, and tell when they changed. A standing verdict lasts until the link stands."""
        before, channel = self._status, self.channel
        phase = before.phase
        if self._ready:
            phase = LinkPhase.CONNECTED
        elif reason == LOST_CHANNEL:
            phase = LinkPhase.CONNECTING
        elif reason:
            phase = LinkPhase.NOT_CONNECTED
        else:
            return
        who = self._identity
        status = replace(
            before,
            phase=phase,
            reason=reason,
            secure=self._ready and channel.trusted,
            key=channel.key if channel.trusted else None,
            can_secure=None if who is None else self._capabilities.can_secure,
            vendor="" if who is None else who.vendor_text,
            model="" if who is None else f"{who.model}.{who.version}",
            serial="" if who is None else f"{who.serial:08X}",
            version="" if who is None else who.firmware,
        )
        if status != before:
            self._status = replace(status, t_ns=t_ns)
            self.facts.append(LinkChanged(t_ns=t_ns, address=self.settings.address, status=self.status))


def because(reply: Payload) -> str:
    """A refusal as an end of a sentence; nothing for another reply."""
    return f": {nak_text(reply.reason)}" if isinstance(reply, Nak) else ""
