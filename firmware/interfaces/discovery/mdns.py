"""A responder of multicast DNS (RFC 6762): claims its names, announces, answers, gives way, says goodbye.

It keeps nothing of what others say. What goes to everybody says each record at most once a second; what goes to one
asker is covered by what the asker sent (`post.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from firmware.interfaces.discovery import dns
from firmware.interfaces.discovery.dns import (
    AUTHORITATIVE,
    OPCODE,
    PTR,
    RESPONSE,
    TRUNCATED,
    Message,
    Record,
)
from firmware.interfaces.discovery.portrait import Portrait
from firmware.interfaces.discovery.post import Address, Group, Post
from firmware.interfaces.discovery.zone import Zone, claim, loses, zone_of
from hal.clock import Clock

GROUP = Group(address="224.0.0.251", port=5353, ttl=255)  # RFC 6762, 11: link-local by its address, not by hops
GROUP6 = Group(address="ff02::fb", port=5353, ttl=255)
LARGEST_BYTES = 1400
PROBES, PROBE_S = 3, 0.25
ANNOUNCEMENTS, ANNOUNCE_S = 2, 1.0
DEFERRED_S = 1.0  # 8.2: after losing a race
QUIET_NS, DEFEND_NS = 1_000_000_000, 250_000_000  # 6: each record at most so often
LEGACY_TTL_S = 10
CALM_S, MOST_CALM_S = 1.0, 60.0  # after a conflict, twice as long after each, back to the first when all was well
MOST_DEFERRED = 8

Tell = Callable[[str, str], None]
Key = tuple[dns.Name, int, bytes]


class Mdns:
    """One device at one adapter; `tell` hears the host name and instance name it goes by."""

    def __init__(self, portrait: Portrait, post: Post, clock: Clock, chance: random.Random, tell: Tell) -> None:
        self._portrait = portrait
        self._post = post
        self._clock = clock
        self._chance = chance
        self._tell = tell
        self._host_number = self._name_number = 1
        self.zone: Zone = zone_of(portrait)
        self._claimed = False
        self._disputed = asyncio.Event()
        self._late = False
        self._said: dict[Key, int] = {}
        self._more: dict[Address, set[Key]] = {}  # askers whose known answers come in further packets

    async def run(self) -> None:
        """Claim the names and keep them until cancelled; then say goodbye."""
        calm_s = CALM_S
        try:
            while True:
                if await self._claim():
                    await self._announce()
                    began_ns = self._clock.now_ns()
                    await self._disputed.wait()
                    if self._clock.now_ns() - began_ns > MOST_CALM_S * 1e9:
                        calm_s = CALM_S
                else:
                    self._rename()
                self._claimed = False
                await self._clock.sleep(calm_s)
                calm_s = min(MOST_CALM_S, calm_s * 2)
        finally:
            if self._claimed:
                self._say(dns.goodbye(self.zone.records), alone=True)

    async def _claim(self) -> bool:
        """Ask three times whether somebody has the names; whether nobody has."""
        await self._clock.sleep(self._chance.uniform(0.0, PROBE_S))
        sent = 0
        self._disputed.clear()
        self._late = False
        while sent < PROBES:
            self._post.say(dns.pack(claim(self.zone)))
            sent += 1
            await self._clock.sleep(PROBE_S)
            if self._disputed.is_set():
                return False
            if self._late:
                self._late = False
                sent = 0
                await self._clock.sleep(DEFERRED_S)
        self._claimed = True
        self._tell(self.zone.host, self.zone.instance)
        return True

    async def _announce(self) -> None:
        for number in range(ANNOUNCEMENTS):
            if number:
                await self._clock.sleep(ANNOUNCE_S)
            self._say(self.zone.records, alone=True)

    def _rename(self) -> None:
        """The next names; both, because the services follow their host."""
        self._host_number += 1
        self._name_number += 1
        self.zone = zone_of(self._portrait, self._host_number, self._name_number)
        self._said.clear()

    def heard(self, data: bytes, source: Address) -> None:
        """A packet. Raises Invalid."""
        message = dns.parse(data)
        if message.flags & OPCODE:
            return
        if message.flags & RESPONSE:
            if source[1] == GROUP.port:
                self._compare((*message.answers, *message.additionals))
            return
        if message.authorities and not self._claimed and loses(self.zone, message):
            self._late = True
        if self._claimed:
            self._answer(message, source)

    def _compare(self, records: Iterable[Record]) -> None:
        if any(record.ttl and self.zone.contradicts(record) for record in records):
            self._disputed.set()

    def _answer(self, message: Message, source: Address) -> None:
        known = {record.key for record in message.answers if record.kind == PTR and record.ttl}
        if not message.questions:
            if source in self._more:
                self._more[source] |= known
            return
        found: dict[Key, Record] = {}
        for question in message.questions:
            found.update({record.key: record for record in self.zone.answers(question)})
        answers = tuple(record for key, record in found.items() if key not in known)
        if not answers:
            return
        if source[1] != GROUP.port:
            self._post.answer(source, self._for_one(message, answers))
        elif all(question.unicast for question in message.questions) and self._fresh(answers):
            candidates = self._replies(answers)
            self._post.answer(source, candidates, self._patience(answers))
        else:
            self._to_all(message, answers, source)

    def _patience(self, answers: Iterable[Record]) -> float:
        """Nobody else answers for what is ours alone; for the rest others may answer at the same moment (6)."""
        return 0.0 if all(record.unique for record in answers) else self._chance.uniform(0.02, 0.12)

    def _to_all(self, message: Message, answers: tuple[Record, ...], source: Address) -> None:
        after_s = self._patience(answers)
        if message.flags & TRUNCATED and len(self._more) < MOST_DEFERRED:
            after_s = self._chance.uniform(0.4, 0.5)
            self._more[source] = set()
        defends = bool(message.authorities)

        def send() -> None:
            known = self._more.pop(source, set())
            self._say([record for record in answers if record.key not in known], DEFEND_NS if defends else QUIET_NS)

        if not self._post.later(after_s, send):
            self._more.pop(source, None)  # nobody would ever take it away

    def _fresh(self, answers: Iterable[Record]) -> bool:
        """Whether everybody heard these lately, so that one asker may have them alone (5.4)."""
        now_ns = self._clock.now_ns()
        return all(
            record.key in self._said and now_ns - self._said[record.key] < record.ttl * 1e9 / 4 for record in answers
        )

    def _replies(self, answers: tuple[Record, ...]) -> list[bytes]:
        """Answers for one asker: with what it would ask next, and without."""
        flags = RESPONSE | AUTHORITATIVE
        besides = self.zone.besides(answers)
        return [dns.pack(Message(flags=flags, answers=answers, additionals=more)) for more in (besides, ())]

    def _for_one(self, message: Message, answers: tuple[Record, ...]) -> list[bytes]:
        """The same for one that knows nothing of multicast DNS (6.7): its question again, nothing kept for long."""

        def plain(records: Iterable[Record]) -> tuple[Record, ...]:
            return tuple(replace(each, ttl=min(each.ttl, LEGACY_TTL_S), unique=False) for each in records)

        head = Message(
            id=message.id, flags=RESPONSE | AUTHORITATIVE, questions=message.questions, answers=plain(answers)
        )
        return [dns.pack(replace(head, additionals=plain(self.zone.besides(answers)))), dns.pack(head)]

    def _say(self, records: Iterable[Record], quiet_ns: int = QUIET_NS, *, alone: bool = False) -> None:
        """To everybody, without what was just said; goodbyes always. `alone`: nothing is added."""
        now_ns = self._clock.now_ns()

        def due(record: Record) -> bool:
            return not record.ttl or now_ns - self._said.get(record.key, now_ns - quiet_ns) >= quiet_ns

        for part in dns.split([record for record in records if due(record)], LARGEST_BYTES):
            more = () if alone else tuple(record for record in self.zone.besides(part) if due(record))
            message = Message(flags=RESPONSE | AUTHORITATIVE, answers=part, additionals=more)
            if len(data := dns.pack(message)) > LARGEST_BYTES:
                message = replace(message, additionals=())
                data = dns.pack(message)
            if self._post.say(data):
                self._said.update({record.key: now_ns for record in (*message.answers, *message.additionals)})
