"""The peripheral's end of a bus (PD): we are the reader of somebody's panel.

Usage: `Peripheral(settings, identity)`, then `receive`, `step`, `report` as `hal.osdp.facts` tells. The answer to a
command is in the `Step` that follows its last byte.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hal.errors import OutOfRange
from hal.osdp.codes import CONFIG_ADDRESS, LAST_ADDRESS, CommandCode, NakCode
from hal.osdp.commands import KeySet, code_of, decode_command
from hal.osdp.describe import describe, mask
from hal.osdp.doing import Doing
from hal.osdp.facts import Fact, FrameSeen, KeyWanted, LinkChanged, PeripheralSettings, Step
from hal.osdp.frame import Decoder, Frame, encode, parse
from hal.osdp.guard import Guard
from hal.osdp.keys import weak_key
from hal.osdp.payload import Malformed, Payload
from hal.osdp.replies import Ack, Busy, Com, Keypad, MfgError, MfgReply, MfgStatus, Nak, PdId, Raw
from hal.types import LinkPhase, LinkStatus, PanelPlace

MS = 1_000_000
# A panel that is silent for so long is away. Slow panels poll twice a second.
SILENT_NS = 3_000 * MS
# How long a panel waits for an answer while our owner keeps a key, before it is told that we are busy.
HOLD_NS = 100 * MS
KEY_LONGEST_NS = 10_000 * MS
# Traced frames that wait for a step; more are not traced.
MOST_FACTS = 256
HANDSHAKE = (CommandCode.CHLNG, CommandCode.SCRYPT)
REPORTABLE = (Raw, Keypad, MfgReply, MfgStatus, MfgError)


@dataclass(slots=True)
class Held:
    """A KEYSET that waits for the owner. `asked` is the frame, `told_ns` when the panel must be told something."""

    asked: Frame
    key: bytes
    tell_ns: int | None
    end_ns: int


class Peripheral:
    """One reader as a panel sees it. Nothing blocks, all queues are bounded.

    `respond` answers commands that the engine does not know itself (MFG, XWR, BIO, PIV): a pure function from the
    command to the reply, None to refuse it as unknown. Raises OutOfRange for an impossible address, rate or key.
    """

    def __init__(
        self,
        settings: PeripheralSettings,
        identity: PdId,
        *,
        random: Callable[[int], bytes] = secrets.token_bytes,
        respond: Callable[[Payload], Payload | None] | None = None,
        trace: bool = False,
    ) -> None:
        if not 0 <= settings.address <= LAST_ADDRESS:
            raise OutOfRange("osdp", f"address {settings.address} is not between 0 and {LAST_ADDRESS}")
        if settings.baud not in settings.bauds:
            raise OutOfRange("osdp", f"rate {settings.baud} is none of {', '.join(map(str, settings.bauds))}")
        self._settings = settings
        self._identity = identity
        self._trace = trace
        self._decoder = Decoder(settings.baud, longest=settings.longest)
        self._guard = Guard(settings, identity.encode()[:8], random)
        self._doing = Doing(settings, identity, respond)
        self._sequence: int | None = None
        self._asked = b""
        self._answer = b""
        self._held: Held | None = None
        self._send = b""
        self._facts: list[Fact] = []
        self._heard_ns: int | None = None
        self._since_ns: int | None = None
        self._refusals = 0
        self._repeats = 0
        self._status = LinkStatus(t_ns=0, phase=LinkPhase.CONNECTING, address=settings.address, baud=settings.baud)

    # what the owner says

    def arm_install(self, t_ns: int, until_ns: int) -> None:
        """Let a panel set our first key over the published install key, at most 10 minutes, once.

        Raises OutOfRange when we hold a key already or the window is too long.
        """
        self._guard.arm(t_ns, until_ns)

    def disarm_install(self) -> None:
        """Close the window."""
        self._guard.close_window()

    def set_trace(self, on: bool) -> None:
        """Report every frame, or stop it."""
        self._trace = on

    def report(self, t_ns: int, event: Payload) -> int:
        """Queue a card (Raw), keys (Keypad) or a maker's reply; its ticket ends as Delivered or Dropped.

        Raises DeviceError when the queue is full, OutOfRange for an event that does not fit.
        """
        if not isinstance(event, REPORTABLE):
            raise OutOfRange("osdp", f"{type(event).__name__} is no event; valid: Raw, Keypad, MfgReply")
        event.encode()
        return self._doing.reports.add(t_ns, event)

    def set_tamper(self, tampered: bool) -> None:
        """Say whether the housing is open."""
        self._doing.reports.set_local(tamper=tampered)

    def set_power(self, failed: bool) -> None:
        """Say whether power failed."""
        self._doing.reports.set_local(power=failed)

    def set_inputs(self, levels: Sequence[bool]) -> None:
        """Say how our inputs are. Raises OutOfRange for another number of them."""
        if len(levels) != self._settings.inputs:
            raise OutOfRange("osdp", f"{len(levels)} inputs instead of {self._settings.inputs}")
        self._doing.reports.set_inputs(tuple(map(bool, levels)))

    def set_outputs(self, levels: Sequence[bool]) -> None:
        """Say how our outputs really are. Raises OutOfRange for another number of them."""
        if len(levels) != self._settings.outputs:
            raise OutOfRange("osdp", f"{len(levels)} outputs instead of {self._settings.outputs}")
        self._doing.reports.set_outputs(tuple(map(bool, levels)))

    def accept_key(self, t_ns: int) -> None:
        """The key of KeyWanted is kept: tell the panel. Without a key that waits it does nothing."""
        held, self._held = self._held, None
        if held is not None:
            self._guard.took(held.key)
            self._settings = replace(self._settings, keys=self._guard.keys)
            self._doing.moved(self._settings)
            self._settle(t_ns, held, Ack())

    def refuse_key(self, t_ns: int) -> None:
        """The key of KeyWanted could not be kept: refuse it. Without a key that waits it does nothing."""
        held, self._held = self._held, None
        if held is not None:
            self._settle(t_ns, held, Nak(NakCode.RECORD))

    def _settle(self, t_ns: int, held: Held, reply: Payload) -> None:
        if self._asked != held.asked.raw:  # the panel went on without the answer
            return
        self._answer = self._encoded(held.asked, reply, sealed=True, t_ns=t_ns)
        if held.tell_ns is not None:
            self._send = self._answer

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys held now, the one in use first."""
        return self._guard.keys

    @property
    def status(self) -> LinkStatus:
        """How the link stands, with its counters."""
        return replace(
            self._status,
            retries=self._repeats,
            check_errors=self._decoder.check_errors,
            refusals=self._refusals,
        )

    # bytes and time

    def receive(self, t_ns: int, data: bytes) -> None:
        """Take bytes that arrived by `t_ns`."""
        for found in self._decoder.feed(t_ns, data):
            if not isinstance(found, Frame) or found.reply:
                continue
            if found.address in (self._settings.address, CONFIG_ADDRESS):
                self._take(t_ns, found)

    def step(self, t_ns: int) -> Step:
        """Say what to do now."""
        if self._since_ns is None:
            self._since_ns = t_ns
        held = self._held
        if held is not None and t_ns >= held.end_ns:
            self.refuse_key(t_ns)
        elif held is not None and held.tell_ns is not None and t_ns >= held.tell_ns:
            held.tell_ns = None
            self._send = self._busy(t_ns, held.asked)
        self._facts += self._doing.tick(t_ns)
        self._judge(t_ns)
        step = Step(self._send, tuple(self._facts), self._next_ns(t_ns))
        self._send = b""
        self._facts.clear()
        return step

    def _next_ns(self, t_ns: int) -> int | None:
        times = [self._doing.next_ns]
        heard_ns = self._heard_ns if self._heard_ns is not None else self._since_ns
        if self._status.phase is not LinkPhase.NOT_CONNECTED and heard_ns is not None:
            times.append(heard_ns + SILENT_NS)
        if self._held is not None:
            times += [self._held.tell_ns, self._held.end_ns]
        return min((at_ns for at_ns in times if at_ns is not None), default=None)

    # one command

    def _take(self, t_ns: int, frame: Frame) -> None:
        if frame.sequence == 0:
            self._begin(t_ns, frame)
        elif frame.raw == self._asked and frame.sequence == self._sequence:
            self._repeat(t_ns, frame)
            return
        elif self._sequence is None or frame.sequence != self._sequence % 3 + 1:
            self._refuse_sequence(t_ns, frame)
            return
        self._send = self._command(t_ns, frame)

    def _begin(self, t_ns: int, frame: Frame) -> None:
        """Sequence 0: the panel begins anew. A genuine message of the session does not end it."""
        if not frame.secured:
            self._guard.end()
        self._doing.reports.again()

    def _repeat(self, t_ns: int, frame: Frame) -> None:
        self._heard_ns = t_ns
        self._repeats += 1
        self._seen(t_ns, frame.raw, None)
        if self._held is not None and self._held.asked.raw == frame.raw:
            self._held.tell_ns = None
            self._send = self._busy(t_ns, frame)
            return
        self._send = self._answer
        self._seen(t_ns, self._answer, None)

    def _refuse_sequence(self, t_ns: int, frame: Frame) -> None:
        """A number that cannot follow is refused in the clear, and nothing else changes."""
        lost = frame.secured and self._guard.session is None
        reply = Nak(NakCode.NOT_SECURE if lost else NakCode.SEQUENCE)
        self._seen(t_ns, frame.raw, None)
        self._send = self._encoded(frame, reply, sealed=False, t_ns=t_ns)

    def _command(self, t_ns: int, frame: Frame) -> bytes:
        data: bytes | None = frame.data
        sealed = frame.secured
        if sealed:
            session = self._guard.session
            data = None if session is None else session.open(frame)
        self._seen(t_ns, frame.raw, data)
        self._sequence, self._asked, self._answer = frame.sequence, frame.raw, b""
        if self._held is not None:  # the panel did not wait for it
            self._held.tell_ns = None
        if data is None:
            # Not genuine, or from a session that is gone: the panel must begin anew.
            self._guard.end()
            self._guard.reason = self._guard.reason or "lost secure channel"
            reply: Payload | Frame | None = Nak(NakCode.NOT_SECURE)
            sealed = False
        else:
            self._heard_ns = t_ns
            if frame.sequence:
                self._facts += self._doing.reports.confirm(t_ns)
            reply = self._reply(t_ns, frame, data, sealed=sealed)
        if reply is None:
            return b""
        self._answer = self._encoded(frame, reply, sealed=sealed, t_ns=t_ns)
        self._after(t_ns, reply)
        return self._answer

    def _reply(self, t_ns: int, frame: Frame, data: bytes, *, sealed: bool) -> Payload | Frame | None:
        """What to answer; None while the owner is asked."""
        guard = self._guard
        try:
            if frame.code in HANDSHAKE and not sealed:
                answer = guard.handshake(t_ns, frame)
                return answer if isinstance(answer, Frame) else Nak(answer)
            if frame.block is not None and not sealed:
                return Nak(NakCode.SECURITY)
            if not guard.allowed(frame.code, sealed=sealed, t_ns=t_ns):
                if not sealed and not guard.reason:
                    guard.reason = "no secure channel"
                return Nak(NakCode.NOT_SECURE)
            command = decode_command(frame.code, data)
            if isinstance(command, KeySet):
                return self._key(t_ns, frame, command)
            trusted = guard.trusted if sealed else not guard.required
            answered, facts = self._doing.do(t_ns, command, trusted=trusted)
        except Malformed as error:
            return Nak(error.nak)
        self._facts += facts
        return answered

    def _key(self, t_ns: int, frame: Frame, command: KeySet) -> Payload | None:
        if command.kind != 1 or weak_key(command.key) is not None:
            return Nak(NakCode.RECORD)
        held = self._held
        if held is not None:  # the owner still works on one: the same again waits for it, another cannot
            if held.key != command.key:
                return Nak(NakCode.RECORD)
            held.asked, held.tell_ns = frame, t_ns + HOLD_NS
            return None
        self._held = Held(frame, command.key, t_ns + HOLD_NS, t_ns + KEY_LONGEST_NS)
        self._facts.append(KeyWanted(t_ns=t_ns, key=command.key))
        return None

    def _after(self, t_ns: int, reply: Payload | Frame) -> None:
        """A COM answer moves us, once it is sent."""
        if not isinstance(reply, Com):
            return
        if (reply.address, reply.baud) == (self._settings.address, self._settings.baud):
            return
        self._settings = replace(self._settings, address=reply.address, baud=reply.baud)
        self._status = replace(self._status, address=reply.address, baud=reply.baud)
        self._doing.moved(self._settings)
        self._decoder.set_baud(reply.baud)
        self._guard.end()
        self._sequence = None
        self._facts.append(PanelPlace(t_ns=t_ns, address=reply.address, baud=reply.baud))

    # answers

    def _encoded(self, asked: Frame, reply: Payload | Frame, *, sealed: bool, t_ns: int) -> bytes:
        address = self._settings.address
        if isinstance(reply, Frame):
            raw = encode(replace(reply, address=address))
            self._seen(t_ns, raw, None)
            return raw
        if isinstance(reply, Nak):
            self._refusals += 1
        frame = Frame(
            address=address,
            reply=True,
            sequence=asked.sequence,
            code=code_of(reply),
            data=reply.encode(),
            crc=asked.crc,
        )
        session = self._guard.session
        raw = session.seal(frame) if sealed and session is not None else encode(frame)
        self._seen(t_ns, raw, frame.data)
        return raw

    def _busy(self, t_ns: int, asked: Frame) -> bytes:
        return self._encoded(replace(asked, sequence=0), Busy(), sealed=False, t_ns=t_ns)

    def _seen(self, t_ns: int, raw: bytes, data: bytes | None) -> None:
        if not self._trace or not raw or len(self._facts) >= MOST_FACTS:
            return
        frame = parse(raw)
        if isinstance(frame, Frame):
            text = describe(frame, data)
            seen = FrameSeen(t_ns=t_ns, address=frame.address, sent=frame.reply, data=mask(raw), text=text)
            self._facts.append(seen)

    def _judge(self, t_ns: int) -> None:
        """Work out phase and reason, and tell when they changed."""
        guard = self._guard
        heard_ns = self._heard_ns
        silent_ns = t_ns - (heard_ns if heard_ns is not None else self._since_ns or t_ns)
        phase, reason = LinkPhase.CONNECTING, ""
        if silent_ns >= SILENT_NS:
            phase, reason = LinkPhase.NOT_CONNECTED, "no panel asks"
        elif heard_ns is not None and (guard.trusted or not guard.required):
            phase = LinkPhase.CONNECTED
        elif guard.reason:
            phase, reason = LinkPhase.NOT_CONNECTED, guard.reason
        before = self._status
        key = guard.key if guard.trusted else None
        if (before.phase, before.reason, before.secure, before.key) == (phase, reason, guard.trusted, key):
            return
        self._status = replace(before, t_ns=t_ns, phase=phase, reason=reason, secure=guard.trusted, key=key)
        if phase is LinkPhase.NOT_CONNECTED and before.phase is not phase:
            self._facts += self._doing.wishes.quiet(t_ns)
        self._facts.append(LinkChanged(t_ns=t_ns, address=self._settings.address, status=self.status))
