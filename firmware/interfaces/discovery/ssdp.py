"""SSDP: found by search and by announcement (UPnP Device Architecture 1.0, chapter 1).

Answers are as short as the standard lets them be, because nobody gets back more than twice what it sent.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from firmware.core.errors import Invalid
from firmware.interfaces.discovery.portrait import DESCRIPTION, Portrait
from firmware.interfaces.discovery.post import Address, Group, Post
from hal.clock import Clock

GROUP = Group(address="239.255.255.250", port=1900, ttl=1)
GROUP6 = Group(address="ff02::c", port=1900, ttl=1)  # UPnP Device Architecture 2.0, annex A: of the link alone
ALL = "ssdp:all"
ROOT = "upnp:rootdevice"
DEVICE = "urn:schemas-upnp-org:device:Basic:1"
MAX_AGE_S = 1800
AGAIN_S = 0.4  # what is said once may be lost
LONGEST_WAIT_S = 5
MOST_HEADERS = 32
SERVER = "Lintel UPnP/1.0"


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for, and within how many seconds it wants answers."""

    target: str
    within_s: int


def read_search(data: bytes) -> Search | None:
    """A search; None for another message of the protocol. Raises Invalid for what is none, or is wrong."""
    head, _, rest = data.partition(b"\r\n")
    if head in (b"NOTIFY * HTTP/1.1", b"HTTP/1.1 200 OK"):
        return None
    if head != b"M-SEARCH * HTTP/1.1":
        raise Invalid("ssdp", "has no known first line")
    lines = rest.split(b"\r\n", MOST_HEADERS + 1)
    headers: dict[str, str] = {}
    for line in lines[:MOST_HEADERS]:
        if not line:
            break
        name, colon, value = line.partition(b":")
        if not colon:
            raise Invalid("ssdp", "has a line without a colon")
        headers[name.decode("latin-1").strip().upper()] = value.decode("latin-1").strip()
    if headers.get("MAN", "").strip('"') != "ssdp:discover":
        raise Invalid("ssdp.man", "is not ssdp:discover")
    wait = headers.get("MX", "")
    if not (wait.isascii() and wait.isdecimal() and len(wait) <= 5 and int(wait) >= 1):
        raise Invalid("ssdp.mx", "is not a number of seconds from 1")
    return Search(headers.get("ST", ""), min(int(wait), LONGEST_WAIT_S))


class Ssdp:
    """One device at one adapter."""

    def __init__(self, portrait: Portrait, post: Post, clock: Clock, chance: random.Random) -> None:
        self._post = post
        self._clock = clock
        self._chance = chance
        self._location = f"{portrait.url}{DESCRIPTION}"
        self._device = f"uuid:{portrait.uuid}"
        # What it can be looked for as, the most useful first, each with its unique name.
        self._names = {
            ROOT: f"{self._device}::{ROOT}",
            self._device: self._device,
            DEVICE: f"{self._device}::{DEVICE}",
        }

    async def run(self) -> None:
        """Say that the device is here, again and again, until cancelled; then that it goes."""
        try:
            self._tell("ssdp:alive")
            await self._clock.sleep(AGAIN_S)
            while True:
                self._tell("ssdp:alive")
                # Well before the last word expires, and never in step with others.
                await self._clock.sleep(MAX_AGE_S * self._chance.uniform(0.3, 0.45))
        finally:
            self._tell("ssdp:byebye")

    def heard(self, data: bytes, source: Address) -> None:
        """Answer a search that means us. Raises Invalid."""
        search = read_search(data)
        if search is None:
            return
        wanted = [name for name in self._names if search.target in (name, ALL)]
        # In the order of their use: where the credit ends, the root device has been told.
        delays = sorted(self._chance.uniform(0.0, search.within_s * 0.9) for _ in wanted)
        for target, after_s in zip(wanted, delays, strict=True):
            self._post.answer(source, (self._found(target),), after_s)

    def _found(self, target: str) -> bytes:
        return _message(
            "HTTP/1.1 200 OK",
            f"CACHE-CONTROL:max-age={MAX_AGE_S}",
            "EXT:",
            f"LOCATION:{self._location}",
            f"SERVER:{SERVER}",
            f"ST:{target}",
            f"USN:{self._names[target]}",
        )

    def _tell(self, what: str) -> None:
        for target, name in self._names.items():
            lines = [f"HOST:{self._post.group.shown}", f"NT:{target}", f"NTS:{what}", f"USN:{name}"]
            if what == "ssdp:alive":
                lines += [f"CACHE-CONTROL:max-age={MAX_AGE_S}", f"LOCATION:{self._location}", f"SERVER:{SERVER}"]
            self._post.say(_message("NOTIFY * HTTP/1.1", *lines))


def _message(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
