"""The records this device answers multicast DNS with: its host, and its services by DNS-SD (RFC 6763). Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from firmware.interfaces.discovery import dns
from firmware.interfaces.discovery.dns import AAAA, ANY, NSEC, PTR, SRV, TXT, A, Message, Name, Question, Record, folded
from firmware.interfaces.discovery.portrait import Portrait

LOCAL = "local"
HOST_TTL_S, OTHER_TTL_S = 120, 4500  # RFC 6762, chapter 10
TYPES = dns.name("_services", "_dns-sd", "_udp", LOCAL)
# Service types by the way in: what browsers look for, what programs look for that speak this interface, and our own.
SERVICES = {"http": ("_http", "_vapix-http", "_lintel"), "https": ("_https", "_vapix-https")}


def label(text: str, number: int) -> str:
    """A label with a number behind it from the second on, cut so that it fits."""
    behind = "" if number == 1 else f" ({number})"
    return text.encode()[: dns.LONGEST_LABEL - len(behind)].decode(errors="ignore") + behind


@dataclass(frozen=True, slots=True)
class Zone:
    """All records. The unique ones are this device's alone, the shared ones are added to those of others."""

    host: str
    instance: str
    unique: tuple[Record, ...]
    shared: tuple[Record, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """All, as they are announced."""
        return self.shared + self.unique

    def answers(self, question: Question) -> tuple[Record, ...]:
        """What is to be said to a question; of a name that is ours, that there is nothing of the kind."""
        asked = folded(question.name)
        ours = [record for record in self.records if folded(record.name) == asked]
        found = tuple(record for record in ours if question.kind in (record.kind, ANY))
        if found or not ours or not ours[0].unique:
            return found
        kinds = [record.kind for record in ours]
        return (Record(ours[0].name, NSEC, HOST_TTL_S, dns.nothing_but(ours[0].name, kinds), unique=True),)

    def besides(self, answers: Iterable[Record]) -> tuple[Record, ...]:
        """What whoever gets these answers asks next (RFC 6763, chapter 12)."""
        wanted: list[Record] = []
        for answer in answers:
            if answer.kind == PTR:
                target = answer.data.lower()
                wanted += [
                    each for each in self.unique if each.kind in (SRV, TXT) and dns.pointer(each.name).lower() == target
                ]
            if answer.kind in (PTR, SRV) and folded(answer.name) != folded(TYPES):
                wanted += [each for each in self.unique if each.kind in (A, AAAA)]
        said = {each.key for each in answers}
        return tuple({each.key: each for each in wanted if each.key not in said}.values())

    def contradicts(self, record: Record) -> bool:
        """Whether somebody else claims a name of ours with another content."""
        named = folded(record.name)
        mine = [each for each in self.unique if folded(each.name) == named and each.kind == record.kind]
        return bool(mine) and all(each.data.lower() != record.data.lower() for each in mine)


def zone_of(portrait: Portrait, host_number: int = 1, name_number: int = 1) -> Zone:
    """The records of a device; the numbers tell it apart from others of the same name."""
    host = portrait.host if host_number == 1 else f"{portrait.host}-{host_number}"
    instance = label(portrait.name, name_number)
    at = dns.name(host, LOCAL)
    found = map(ipaddress.ip_address, portrait.addresses or (portrait.address,))
    kinds = {4: A, 6: AAAA}
    unique = [Record(at, kinds[each.version], HOST_TTL_S, each.packed, unique=True) for each in found]
    shared: list[Record] = []
    about = {"macaddress": portrait.serial, "model": portrait.model, "product": portrait.product}
    for scheme, port in (("http", portrait.http_port), ("https", portrait.https_port)):
        for kind in SERVICES[scheme] if port else ():
            place = dns.name(kind, "_tcp", LOCAL)
            named: Name = (instance.encode(), *place)
            words = about if kind not in ("_http", "_https") else {"path": "/", **about}
            shared.append(Record(place, PTR, OTHER_TTL_S, dns.pointer(named)))
            shared.append(Record(TYPES, PTR, OTHER_TTL_S, dns.pointer(place)))
            unique.append(Record(named, SRV, HOST_TTL_S, dns.service(at, port), unique=True))
            unique.append(Record(named, TXT, OTHER_TTL_S, dns.text(**words), unique=True))
    return Zone(host, instance, tuple(unique), tuple(shared))


def claim(zone: Zone) -> Message:
    """The question whether our names are free, with what we would say of them (RFC 6762, 8.1).

    Asked of everybody and to be answered to everybody: what is sent to us alone is never read.
    """
    names = dict.fromkeys(record.name for record in zone.unique)
    questions = tuple(Question(each, ANY) for each in names)
    return Message(questions=questions, authorities=tuple(dns_plain(record) for record in zone.unique))


def dns_plain(record: Record) -> Record:
    """A record without the mark that it replaces others."""
    return Record(record.name, record.kind, record.ttl, record.data)


def loses(zone: Zone, message: Message) -> bool:
    """Whether somebody who claims the same names at the same moment goes first (RFC 6762, 8.2)."""
    for each in dict.fromkeys(folded(record.name) for record in zone.unique):
        mine = sorted((record.kind, record.data) for record in zone.unique if folded(record.name) == each)
        theirs = sorted((record.kind, record.data) for record in message.authorities if folded(record.name) == each)
        if theirs and theirs > mine:
            return True
    return False
