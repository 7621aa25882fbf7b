"""The panel's end of a bus (CP, ACU): one or more readers, asked in turn.

Usage: `Panel(readers)`, then `receive`, `step`, `submit` as `hal.osdp.facts` tells. One question is on the bus at a
time. Who waits longest is asked next; a reader that does not answer gets at most a third of the time of a bus on
which others live.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from hal.errors import Absent, DeviceError, OutOfRange
from hal.osdp.channel import Install
from hal.osdp.codes import LAST_ADDRESS, CommandCode
from hal.osdp.commands import KeySet, code_of
from hal.osdp.describe import describe, mask
from hal.osdp.exchange import Purpose
from hal.osdp.facts import INSTALL_LONGEST_NS, Fact, FrameSeen, LinkChanged, ReaderSettings, Step
from hal.osdp.frame import Decoder, Frame, gap_ns, parse, wire_ns
from hal.osdp.keys import weak_key
from hal.osdp.payload import Payload
from hal.osdp.reader import Reader
from hal.types import LinkStatus

MS = 1_000_000
REPLY_NS = 200 * MS
TURN_BYTES = 2
LONGEST_FILE = 16 * 1024 * 1024
OWN = frozenset({CommandCode.KEYSET, CommandCode.CHLNG, CommandCode.SCRYPT, CommandCode.FILETRANSFER})


class Panel:
    """The panel of one bus. Nothing blocks, all queues are bounded."""

    def __init__(
        self,
        readers: Sequence[ReaderSettings] = (),
        *,
        baud: int = 9600,
        random: Callable[[int], bytes] = secrets.token_bytes,
        trace: bool = False,
    ) -> None:
        self._random = random
        self._trace = trace
        self._readers: dict[int, Reader] = {}
        self._decoder = Decoder(baud)
        self._facts: list[Fact] = []
        self._asked: Reader | None = None
        self._question_ns = 0
        self._deadline_ns = 0
        self._heard_ns = 0
        self._free_ns = 0
        self._probe_ns = 0
        self._tickets = 0
        self._set_rate(baud)
        for settings in readers:
            self.add(settings)

    def _set_rate(self, baud: int) -> None:
        self._baud = baud
        self._gap_ns = gap_ns(baud)
        self._turn_ns = wire_ns(TURN_BYTES, baud)

    # what the owner says

    def add(self, settings: ReaderSettings) -> None:
        """Begin with a reader, or begin anew with other settings. Raises OutOfRange (address, weak key)."""
        if not 0 <= settings.address <= LAST_ADDRESS:
            raise OutOfRange("osdp", f"address {settings.address} is not between 0 and {LAST_ADDRESS}")
        reader = Reader(settings, self._random)
        if settings.address in self._readers:
            self.remove(settings.address)
        self._readers[settings.address] = reader

    def remove(self, address: int) -> None:
        """Stop talking to a reader; its commands end as lost. Raises Absent."""
        reader = self._reader(address)
        reader.close(self._heard_ns)
        self._collect(reader)
        if self._asked is reader:
            self._asked = None
        del self._readers[address]

    def set_baud(self, baud: int) -> None:
        """Say that the line runs at another rate now; every link begins anew."""
        self._set_rate(baud)
        self._decoder.set_baud(baud)
        for address in list(self._readers):
            self.add(self._readers[address].renewed())

    def set_trace(self, on: bool) -> None:
        """Report every frame, or stop it."""
        self._trace = on

    def submit(self, address: int, command: Payload) -> int:
        """Have a command sent; its ticket ends in a Finished fact.

        Raises Absent for an unknown address, DeviceError when the reader is not connected or its queue is full,
        OutOfRange for a command that does not fit or is the engine's own (KEYSET, CHLNG, SCRYPT, FILETRANSFER).
        """
        if code_of(command) in OWN:
            raise OutOfRange("osdp", f"{type(command).__name__} is the engine's own; see set_key and send_file")
        command.encode()
        return self._submit(address, command, Purpose.COMMAND)

    def set_key(self, address: int, key: bytes) -> int:
        """Rotate the key inside the secure channel that stands. Raises as `submit`, OutOfRange for a weak key."""
        reader = self._reader(address)
        refuse_weak(key)
        if not reader.channel.trusted:
            raise DeviceError("osdp", f"reader {address} has no secure channel to carry a key")
        return self._submit(address, KeySet(key), Purpose.KEY)

    def install(self, address: int, key: bytes, *, t_ns: int, until_ns: int) -> int:
        """Give a reader without a key its first one, over the published install key, at most until `until_ns`.

        Only for a reader that was never seen secure and whose settings hold no other key; closes after the first
        KEYSET. Raises OutOfRange for a weak key, a keyed reader or a window over 10 minutes.
        """
        reader = self._reader(address)
        refuse_weak(key)
        if until_ns - t_ns > INSTALL_LONGEST_NS:
            raise OutOfRange("osdp", f"an install window of {(until_ns - t_ns) / 1e9:.0f} s is longer than 600 s")
        ticket = self._ticket()
        reader.arm(t_ns, Install(key, until_ns, ticket))
        if self._asked is reader:
            self._asked = None
        return ticket

    def cancel_install(self, address: int) -> None:
        """Close the window. Raises Absent."""
        reader = self._reader(address)
        reader.disarm(self._heard_ns, "the install was cancelled")
        self._collect(reader)

    def send_file(self, address: int, kind: int, data: bytes) -> int:
        """Transfer a file; its ticket ends in a Finished fact. Raises as `submit`, OutOfRange over 16 MiB."""
        if not 0 < len(data) <= LONGEST_FILE:
            raise OutOfRange("osdp", f"a file of {len(data)} bytes is not 1 to {LONGEST_FILE}")
        ticket = self._ticket()
        self._reader(address).send_file(ticket, kind, data)
        return ticket

    def status(self, address: int) -> LinkStatus:
        """How the link with a reader stands, with its counters. Raises Absent."""
        return self._with_baud(self._reader(address).status)

    def keys(self, address: int) -> tuple[bytes, ...]:
        """The keys that are tried for a reader now, the one in use first. Raises Absent."""
        return self._reader(address).channel.keys

    def _reader(self, address: int) -> Reader:
        try:
            return self._readers[address]
        except KeyError:
            raise Absent("osdp", f"no reader has address {address}") from None

    def _ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def _submit(self, address: int, command: Payload, purpose: Purpose) -> int:
        reader = self._reader(address)
        ticket = self._ticket()
        reader.submit(ticket, command, purpose)
        return ticket

    def _with_baud(self, status: LinkStatus) -> LinkStatus:
        return replace(status, baud=self._baud)

    # bytes and time

    def receive(self, t_ns: int, data: bytes) -> None:
        """Take bytes that arrived by `t_ns`."""
        self._heard_ns = t_ns
        for found in self._decoder.feed(t_ns, data):
            asked = self._asked
            if asked is None:
                continue
            if not isinstance(found, Frame):
                asked.garbled()
                self._deadline_ns = min(self._deadline_ns, t_ns + self._gap_ns)
            elif found.reply and found.address == asked.settings.address:
                self._answer(t_ns, asked, found)

    def _answer(self, t_ns: int, asked: Reader, frame: Frame) -> None:
        done = asked.answered(t_ns, frame, self._question_ns)
        self._seen(t_ns, frame.raw, asked.clear)
        if done:
            self._asked = None
            self._free_ns = t_ns + self._turn_ns
        self._collect(asked)

    def step(self, t_ns: int) -> Step:
        """Say what to do now."""
        for reader in self._readers.values():
            reader.tick(t_ns)
            self._collect(reader)
        if self._asked is not None and t_ns >= self._deadline_ns:
            self._miss(t_ns, self._asked)
        send = b""
        if self._asked is None and t_ns >= self._free_ns:
            send = self._ask(t_ns)
        facts = tuple(self._facts)
        self._facts.clear()
        return Step(send, facts, self._next_ns())

    def _miss(self, t_ns: int, asked: Reader) -> None:
        if self._decoder.waiting and t_ns - self._heard_ns < self._gap_ns:  # an answer is still coming in
            self._deadline_ns = self._heard_ns + self._gap_ns
            return
        self._decoder.reset()
        self._asked = None
        alive = asked.alive
        asked.missed(t_ns)
        if not alive:
            self._probe_ns = t_ns + 2 * REPLY_NS
        self._collect(asked)

    def _due_ns(self, reader: Reader, living: bool) -> int:
        return reader.due_ns if reader.alive or not living else max(reader.due_ns, self._probe_ns)

    def _ask(self, t_ns: int) -> bytes:
        living = any(reader.alive for reader in self._readers.values())
        chosen, chosen_ns = None, t_ns + 1
        for reader in self._readers.values():
            due_ns = self._due_ns(reader, living)
            if due_ns < chosen_ns:
                chosen, chosen_ns = reader, due_ns
        if chosen is None:
            return b""
        raw = chosen.send(t_ns)
        self._asked = chosen
        self._question_ns = t_ns + wire_ns(len(raw), self._baud)
        self._deadline_ns = self._question_ns + REPLY_NS
        if self._trace:
            exchange = chosen.exchange
            self._seen(t_ns, raw, None if exchange is None else exchange.payload.encode())
        return raw

    def _next_ns(self) -> int | None:
        times = [reader.next_ns for reader in self._readers.values()]
        if self._asked is not None:
            times.append(self._deadline_ns)
        elif self._readers:
            living = any(reader.alive for reader in self._readers.values())
            first_ns = min(self._due_ns(reader, living) for reader in self._readers.values())
            times.append(max(self._free_ns, first_ns))
        return min((t_ns for t_ns in times if t_ns is not None), default=None)

    def _collect(self, reader: Reader) -> None:
        for fact in reader.facts:
            if isinstance(fact, LinkChanged):
                fact = replace(fact, status=self._with_baud(fact.status))
            self._facts.append(fact)
        reader.facts.clear()

    def _seen(self, t_ns: int, raw: bytes, data: bytes | None) -> None:
        if not self._trace:
            return
        frame = parse(raw)
        if isinstance(frame, Frame):
            text = describe(frame, data)
            seen = FrameSeen(t_ns=t_ns, address=frame.address, sent=not frame.reply, data=mask(raw), text=text)
            self._facts.append(seen)


def refuse_weak(key: bytes) -> None:
    """Raises OutOfRange for a key that must not protect a reader."""
    reason = weak_key(key)
    if reason is not None:
        raise OutOfRange("osdp", f"the key {reason}")
