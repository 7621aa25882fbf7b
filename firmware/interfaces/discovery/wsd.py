"""WS-Discovery, April 2005, as network video programs use it: Probe, Resolve, Hello and Bye over UDP.

Envelopes are SOAP 1.2. A device is found by its types and scopes; the address is where ONVIF programs ask first.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Mapping
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

from firmware.core.errors import Invalid
from firmware.interfaces.discovery.portrait import Portrait
from firmware.interfaces.discovery.post import Address, Group, Post
from firmware.interfaces.vapix.xml import Element, parse
from hal.clock import Clock

GROUP = Group(address="239.255.255.250", port=3702, ttl=1)
GROUP6 = Group(address="ff02::c", port=3702, ttl=1)  # WS-Discovery, 2.4
SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
NETWORK = "http://www.onvif.org/ver10/network/wsdl"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
TO_ALL = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
ANONYMOUS = f"{ADDRESSING}/role/anonymous"
SERVICE = "/onvif/device_service"
BY_PATH = f"{DISCOVERY}/rfc3986"
EXACTLY = f"{DISCOVERY}/strcmp0"
WITHOUT = f"{DISCOVERY}/none"
LONGEST_WAIT_S = 0.5  # APP_MAX_DELAY
AGAIN_S = 0.4
LONGEST_ID = 256
MOST_WORDS = 32

QName = tuple[str, str]


def words_of(element: Element | None) -> tuple[str, ...]:
    """The words of a list. Raises Invalid for more than anybody needs."""
    words = () if element is None else tuple(element.text.split())
    if len(words) > MOST_WORDS:
        raise Invalid("wsd", f"has a list of more than {MOST_WORDS}")
    return words


def names_of(element: Element | None) -> tuple[QName, ...]:
    """Qualified names as namespace and local name; a prefix nobody declared has an empty namespace."""
    found = []
    for word in words_of(element):
        prefix, _, local = word.rpartition(":")
        found.append((element.prefixes.get(prefix, "") if element is not None else "", local))
    return tuple(found)


def is_scope(mine: str, wanted: str) -> bool:
    """Whether a scope is the wanted one or below it, segment by segment (WS-Discovery, 5.1, rfc3986)."""
    try:
        own, other = urlsplit(mine), urlsplit(wanted)
    except ValueError:
        return False
    if (own.scheme.lower(), own.netloc.lower()) != (other.scheme.lower(), other.netloc.lower()):
        return False
    path, asked = own.path.rstrip("/").split("/"), other.path.rstrip("/").split("/")
    return path[: len(asked)] == asked


def fits(scopes: tuple[str, ...], wanted: tuple[str, ...], rule: str) -> bool:
    """Whether a device with `scopes` has all the wanted ones under a rule; an unknown rule fits nobody."""
    if rule == BY_PATH:
        return all(any(is_scope(mine, one) for mine in scopes) for one in wanted)
    if rule == EXACTLY:
        return all(one in scopes for one in wanted)
    return rule == WITHOUT and not scopes


class WsDiscovery:
    """One device at one adapter; `instance` grows with every start."""

    def __init__(self, portrait: Portrait, post: Post, clock: Clock, chance: random.Random, instance: int) -> None:
        self._post = post
        self._clock = clock
        self._chance = chance
        self._instance = instance
        self._number = 0
        self._me = f"urn:uuid:{portrait.uuid}"
        self._address = f"{portrait.url}{SERVICE}"
        self.types: dict[QName, str] = {(DEVICE, "Device"): "tds:Device"}
        if portrait.sees:
            self.types = {(NETWORK, "NetworkVideoTransmitter"): "dn:NetworkVideoTransmitter", **self.types}
        kinds = [("video_encoder", portrait.sees), ("audio_encoder", portrait.hears)]
        self._brief = (
            f"onvif://www.onvif.org/name/{quote(portrait.name, safe='')}",
            f"onvif://www.onvif.org/hardware/{quote(portrait.model, safe='')}",
        )
        self.scopes = (*self._brief, *(f"onvif://www.onvif.org/type/{kind}" for kind, has in kinds if has))

    async def run(self) -> None:
        """Say hello, and bye when cancelled."""
        try:
            for after_s in (self._chance.uniform(0.0, LONGEST_WAIT_S), AGAIN_S):
                await self._clock.sleep(after_s)
                hello = f"<d:Hello>{self._self(self.types, self.scopes)}</d:Hello>"
                self._post.say(self._envelope("Hello", TO_ALL, hello, types=self.types))
            await asyncio.Event().wait()
        finally:
            bye = f"<d:Bye>{self._endpoint()}</d:Bye>"
            self._post.say(self._envelope("Bye", TO_ALL, bye, types={}))

    def heard(self, data: bytes, source: Address) -> None:
        """Answer a Probe or Resolve that means us. Raises Invalid."""
        top = parse(data, "wsd")
        header, body = top.child("Header"), top.child("Body")
        if top.space != SOAP or header is None or body is None or not body.children:
            raise Invalid("wsd", "is not an envelope of SOAP 1.2 with Header and Body")
        asked = body.children[0]
        if asked.space != DISCOVERY:
            return
        message_id = header.words("MessageID")
        if not message_id or len(message_id) > LONGEST_ID:
            raise Invalid("wsd", "has no usable MessageID")
        if asked.name == "Probe" and self._meant(asked):
            self._answer(source, message_id, "ProbeMatches", "ProbeMatch")
        elif asked.name == "Resolve" and self._named(asked):
            self._answer(source, message_id, "ResolveMatches", "ResolveMatch")

    def _meant(self, probe: Element) -> bool:
        scopes = probe.child("Scopes")
        rule = BY_PATH if scopes is None else scopes.attributes.get("MatchBy", BY_PATH)
        types = names_of(probe.child("Types"))
        return all(each in self.types for each in types) and fits(self.scopes, words_of(scopes), rule)

    def _named(self, resolve: Element) -> bool:
        endpoint = resolve.child("EndpointReference")
        return endpoint is not None and endpoint.words("Address") == self._me

    def _answer(self, source: Address, message_id: str, kind: str, one: str) -> None:
        """With all that is known, or where that is more than its sender may get, with less: the address at least."""
        first = dict(tuple(self.types.items())[:1])
        candidates = [
            self._envelope(kind, ANONYMOUS, f"<d:{kind}><d:{one}>{self._self(types, scopes)}</d:{one}></d:{kind}>",
                           types=types, relates=message_id)
            for types, scopes in ((self.types, self.scopes), (self.types, self._brief), (first, ()))
        ]  # fmt: skip
        self._post.answer(source, candidates, self._chance.uniform(0.0, LONGEST_WAIT_S))

    def _endpoint(self) -> str:
        return f"<a:EndpointReference><a:Address>{self._me}</a:Address></a:EndpointReference>"

    def _self(self, types: Mapping[QName, str], scopes: tuple[str, ...]) -> str:
        listed = f"<d:Scopes>{' '.join(scopes)}</d:Scopes>" if scopes else ""
        return (
            f"{self._endpoint()}<d:Types>{' '.join(types.values())}</d:Types>{listed}"
            f"<d:XAddrs>{escape(self._address)}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>"
        )

    def _envelope(self, kind: str, to: str, body: str, *, types: Mapping[QName, str], relates: str = "") -> bytes:
        self._number += 1
        message_id = uuid.UUID(int=self._chance.getrandbits(128), version=4)
        related = f"<a:RelatesTo>{escape(relates)}</a:RelatesTo>" if relates else ""
        spaces = "".join(f' xmlns:{word.partition(":")[0]}="{space}"' for (space, _), word in types.items())
        return (
            f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:d="{DISCOVERY}"{spaces}><s:Header>'
            f"<a:MessageID>urn:uuid:{message_id}</a:MessageID>{related}<a:To>{to}</a:To>"
            f"<a:Action>{DISCOVERY}/{kind}</a:Action>"
            f'<d:AppSequence InstanceId="{self._instance}" MessageNumber="{self._number}"/></s:Header>'
            f"<s:Body>{body}</s:Body></s:Envelope>"
        ).encode()
