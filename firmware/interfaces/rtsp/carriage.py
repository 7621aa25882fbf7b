"""The Transport header: how a client wants its packets (RFC 2326, clause 12.39). Pure.

Packets go to the address that asked and to no other, on ports that are not privileged: nobody can have them sent to a
third party.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_ALTERNATIVES = 16
LEAST_PORT, MOST_PORT = 1024, 65_535
MOST_CHANNEL = 255


@dataclass(frozen=True, slots=True)
class Udp:
    """RTP over UDP to these ports of the client."""

    rtp: int
    rtcp: int


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Within the connection, on these channels."""

    rtp: int
    rtcp: int


def choose(header: str, peer: str) -> Udp | Interleaved | None:
    """The first alternative that can be had, for a client at `peer`; None when there is none."""
    for alternative in header.split(",")[:MOST_ALTERNATIVES]:
        if (found := _read(alternative, peer)) is not None:
            return found
    return None


def _read(text: str, peer: str) -> Udp | Interleaved | None:
    profile, *rest = (part.strip() for part in text.split(";"))
    pairs = (each.partition("=") for each in rest)
    options = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    elsewhere = options.get("destination", "") not in ("", peer)
    if "multicast" in options or elsewhere or options.get("mode", "PLAY").upper() != "PLAY":
        return None
    match profile.upper():
        case "RTP/AVP" | "RTP/AVP/UDP":
            ports = _pair(options, "client_port", LEAST_PORT, MOST_PORT)
            return None if ports is None else Udp(*ports)
        case "RTP/AVP/TCP":
            channels = _pair({"interleaved": "0-1"} | options, "interleaved", 0, MOST_CHANNEL)
            return None if channels is None else Interleaved(*channels)
    return None


def _pair(options: Mapping[str, str], name: str, least: int, most: int) -> tuple[int, int] | None:
    """Two different numbers, `a-b` or `a` for a and the next."""
    found = re.fullmatch("([0-9]{1,5})(?:-([0-9]{1,5}))?", options.get(name, ""))
    if found is None:
        return None
    first = int(found[1])
    second = first + 1 if found[2] is None else int(found[2])
    good = all(least <= number <= most for number in (first, second)) and first != second
    return (first, second) if good else None
