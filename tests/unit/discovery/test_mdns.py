"""Multicast DNS and DNS-SD: names are claimed, announced, answered for, given up and ended (RFC 6762, 6763)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from firmware.interfaces.discovery import dns, mdns
from firmware.interfaces.discovery.dns import ANY, PTR, RESPONSE, SRV, TRUNCATED, TXT, A, Message, Question, Record
from firmware.interfaces.discovery.portrait import Portrait
from firmware.interfaces.discovery.post import Post
from firmware.interfaces.discovery.ration import FACTOR, OVERHEAD_BYTES
from firmware.interfaces.discovery.zone import zone_of
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.discovery.wire import ASKER, OTHER, PORTRAIT, Wire, chance

HTTP = dns.name("_http", "_tcp", "local")
HOST = dns.name("lintel-0a1b2c3d4e5f", "local")
NAMED = dns.name("Front door", "_http", "_tcp", "local")
PEER = ("192.168.0.7", 5353)
FOREIGN = [Question(dns.name("x" * 60, str(number), "local"), A) for number in range(4)]
SETTLED_S = 4.0  # names are claimed and announced by then


@dataclass
class Device:
    """A responder with its post, and the names it got."""

    post: Post
    engine: mdns.Mdns
    names: list[tuple[str, str]] = field(default_factory=list)

    def joined(self, portrait: Portrait = PORTRAIT) -> tuple[str, Post, mdns.Mdns]:
        """As the wire takes it."""
        return portrait.address, self.post, self.engine


def device(wire: Wire, portrait: Portrait = PORTRAIT) -> Device:
    """A device on the wire."""
    names: list[tuple[str, str]] = []
    post = wire.post(portrait.address)
    engine = mdns.Mdns(portrait, post, wire.clock, chance(), lambda *got: names.append(got))
    return Device(post, engine, names)


def asked(*questions: Question, answers: tuple[Record, ...] = (), flags: int = 0, number: int = 0) -> bytes:
    """A question."""
    return dns.pack(Message(id=number, flags=flags, questions=questions, answers=answers))


def read(packets: list[bytes]) -> list[Message]:
    """What was said in answers."""
    return [message for message in map(dns.parse, packets) if message.flags & RESPONSE]


def spoken(wire: Wire, since: int = 0) -> list[Record]:
    """The answers that went to everybody, from packet number `since` on."""
    return [record for message in read(wire.to_all()[since:]) for record in message.answers]


def test_a_device_claims_its_names_three_times_and_then_announces_them_twice() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        one = device(wire)
        async with wire.running(one.joined()):
            await clock.sleep(SETTLED_S)
            said = [dns.parse(packet) for packet in wire.to_all()]
            claims = [message for message in said if not message.flags & RESPONSE]
            assert len(claims) == 3
            assert all(question.kind == ANY for each in claims for question in each.questions)
            assert {record.kind for record in claims[0].authorities} == {A, SRV, TXT}
            told = [record for message in said if message.flags & RESPONSE for record in message.answers]
            assert len(told) == 2 * len(one.engine.zone.records)
            assert one.names == [("lintel-0a1b2c3d4e5f", "Front door")]

    virtual_run(main)


def test_a_browser_gets_the_service_with_its_place_and_address_in_one_answer() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        async with wire.running(device(wire).joined()):
            await clock.sleep(SETTLED_S)
            before = len(wire.to_all())
            wire.put(asked(Question(HTTP, PTR)), PEER)
            await clock.sleep(0.2)
            (answer,) = read(wire.to_all()[before:])
            assert [(record.name, record.data) for record in answer.answers] == [(HTTP, dns.pointer(NAMED))]
            besides = {record.kind: record for record in answer.additionals}
            assert besides[SRV].data == dns.service(HOST, 8080)
            assert besides[A].data == bytes((192, 168, 0, 90))
            assert b"\x17macaddress=0A1B2C3D4E5F" in besides[TXT].data

    virtual_run(main)


def test_what_the_asker_knows_already_is_not_said() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        async with wire.running(device(wire).joined()):
            await clock.sleep(SETTLED_S)
            before = len(wire.to_all())
            known = Record(HTTP, PTR, 4500, dns.pointer(NAMED))
            wire.put(asked(Question(HTTP, PTR), answers=(known,)), PEER)
            await clock.sleep(1)
            # What it knows may also follow in packets of their own.
            wire.put(asked(Question(HTTP, PTR), flags=TRUNCATED), PEER)
            await clock.sleep(0.1)
            wire.put(asked(answers=(known,)), PEER)
            await clock.sleep(1)
            assert spoken(wire, before) == []

    virtual_run(main)


def test_row_50_what_a_flood_left_waiting_is_forgotten_with_it() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        async with wire.running(device(wire).joined()):
            await clock.sleep(SETTLED_S)
            for number in range(100):  # more than may wait, and then some who would say more
                flags = TRUNCATED if number > 70 else 0
                wire.put(asked(Question(HTTP, PTR), flags=flags), (f"192.168.0.{100 + number}", 5353))
            await clock.sleep(10)
            before = len(wire.to_all())
            wire.put(asked(Question(HTTP, PTR), flags=TRUNCATED), PEER)
            await clock.sleep(0.1)
            wire.put(asked(answers=(Record(HTTP, PTR, 4500, dns.pointer(NAMED)),)), PEER)
            await clock.sleep(1)
            assert spoken(wire, before) == []

    virtual_run(main)


def test_row_50_a_flood_of_questions_gets_each_record_said_once_a_second() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        async with wire.running(device(wire).joined()):
            await clock.sleep(SETTLED_S)
            before = len(wire.to_all())
            for number in range(1000):  # ten seconds, from a hundred places
                wire.put(asked(Question(HTTP, PTR)), (f"192.168.0.{100 + number % 100}", 5353))
                await clock.sleep(0.01)
            await clock.sleep(1)
            assert 9 <= len(spoken(wire, before)) <= 12

    virtual_run(main)


def test_row_50_one_that_asks_alone_gets_at_most_twice_its_bytes_and_nothing_from_far_away() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        async with wire.running(device(wire).joined()):
            await clock.sleep(SETTLED_S)
            short, long = asked(Question(HTTP, PTR), number=77), asked(Question(HTTP, PTR), *FOREIGN, number=78)
            wire.put(short, ASKER)
            await clock.sleep(1)
            (answer,) = read(wire.to(ASKER))
            assert (answer.id, answer.questions) == (77, (Question(HTTP, PTR),))
            assert answer.answers[0].ttl <= 10
            assert answer.additionals == ()  # they would have been more than it paid for
            other = ("192.168.0.8", 40000)
            wire.put(long, other)
            await clock.sleep(1)
            assert {record.kind for record in read(wire.to(other))[0].additionals} == {A, SRV, TXT}
            for source, question in ((ASKER, short), (other, long)):
                went = sum(len(data) + OVERHEAD_BYTES for data in wire.to(source))
                assert went <= FACTOR * (len(question) + OVERHEAD_BYTES)
            before = len(wire.sent)
            wire.put(long, ("203.0.113.9", 40000))
            wire.put(long, ("203.0.113.9", 5353))
            await clock.sleep(2)
            assert len(wire.sent) == before

    virtual_run(main)


def test_for_a_kind_that_our_name_does_not_have_it_says_so() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        async with wire.running(device(wire).joined()):
            await clock.sleep(SETTLED_S)
            before = len(wire.to_all())
            wire.put(asked(Question(dns.name("LINTEL-0A1B2C3D4E5F", "Local"), dns.AAAA)), PEER)
            wire.put(asked(Question(dns.name("somebody-else", "local"), A)), PEER)
            await clock.sleep(1)
            (record,) = spoken(wire, before)
            assert (record.kind, record.name, record.data) == (dns.NSEC, HOST, dns.nothing_but(HOST, [A]))

    virtual_run(main)


def test_two_devices_that_want_the_same_name_at_the_same_moment_end_with_two_names() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        first = device(wire)
        second = device(wire, OTHER)
        async with wire.running(first.joined(), second.joined(OTHER)):
            await clock.sleep(30)
            names = sorted(each.names[-1][1] for each in (first, second))
            assert names == ["Front door", "Front door (2)"]
            # and from now on there is peace
            before = len(wire.sent)
            await clock.sleep(120)
            assert len(wire.sent) == before

    virtual_run(main)


def test_a_device_that_comes_later_takes_another_name_and_the_first_keeps_its_own() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        first = device(wire)
        async with wire.running(first.joined()):
            await clock.sleep(SETTLED_S)
            second = device(wire, OTHER)
            async with wire.running(second.joined(OTHER)):
                await clock.sleep(30)
                assert first.names[-1] == ("lintel-0a1b2c3d4e5f", "Front door")
                assert second.names[-1] == ("lintel-aabbccddeeff-2", "Front door (2)")

    virtual_run(main)


def test_somebody_who_claims_our_address_all_the_time_does_not_make_us_shout() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        one = device(wire)
        lie = dns.pack(Message(flags=RESPONSE, answers=(Record(HOST, A, 120, bytes(4), unique=True),)))
        async with wire.running(one.joined()):
            for _ in range(600):
                wire.put(lie, PEER)
                await clock.sleep(0.5)
            mine = len(wire.to_all())
            assert mine < 150  # in five minutes
            await clock.sleep(120)
            assert one.names  # and when it is over the device is there again

    virtual_run(main)


def test_whoever_leaves_takes_all_its_records_with_it() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, mdns.GROUP)
        one = device(wire)
        async with wire.running(one.joined()):
            await clock.sleep(SETTLED_S)
            before = len(wire.to_all())
        gone = spoken(wire, before)
        assert {record.key for record in gone} == {record.key for record in one.engine.zone.records}
        assert all(record.ttl == 0 for record in gone)

    virtual_run(main)


def test_a_name_of_many_letters_keeps_its_number_and_stays_a_label() -> None:
    zone = zone_of(replace(PORTRAIT, name="ä" * 31), 1, 12)
    assert zone.instance == "ä" * 29 + " (12)"
    assert all(len(label) <= dns.LONGEST_LABEL for record in zone.unique for label in record.name)


def test_a_device_without_http_is_found_by_https_alone() -> None:
    kinds = {record.name[0] for record in zone_of(replace(PORTRAIT, http_port=0)).shared}
    assert kinds == {b"_https", b"_vapix-https", b"_services"}
