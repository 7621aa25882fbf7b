"""Which addresses this device may connect to as a client (hardening row 38).

A door controller stands on the local network, so private addresses are its normal case; for whoever is on the
internet they need `local`. Always refused without it: this device itself and the loopback, and link-local addresses;
and in any case the well-known addresses of cloud metadata services, and what is no single host. An IPv6 address that
carries an IPv4 one is judged by that one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200"))
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# The discard port: connecting a datagram socket sends nothing, it only asks which address we would speak from.
PROBE_PORT = 9


class Unreachable(Exception):
    """The address may not be connected to, or the name has none; says why in words."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: the address that was judged, so that no second look-up can answer another."""

    address: str
    port: int


def inner(address: Address) -> Address:
    """The IPv4 address inside a mapped, translated (NAT64) or 6to4 one; else the same."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Whom we look for: `what` it is, whether `local` is ticked, whether a private network is where it is at home."""

    what: str
    local: bool
    private: bool


def refusal(text: str, peer: Peer, *, own: bool) -> str:
    """Why an address may not be connected to; empty when it may. `own` says that it is one of this device."""
    address = inner(ipaddress.ip_address(text.partition("%")[0]))
    if address in METADATA:
        return f"{text} is a metadata service, never a {peer.what}"
    if address.is_unspecified or address.is_multicast or (address.is_reserved and not address.is_loopback):
        return f"{text} is not the address of one host"
    if peer.local:
        return ""
    if address.is_loopback or own:
        return f"{text} is this device itself; tick `local` when a {peer.what} runs on it"
    if address.is_link_local:
        return f"{text} is link-local; tick `local` when the {peer.what} really is there"
    if not peer.private and not address.is_global:
        return f"{text} is on a private network; tick `local` when the {peer.what} really is there"
    return ""


def is_own(text: str) -> bool:
    """Whether an address belongs to this device: the kernel would speak to it from itself. Sends nothing."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((text, PROBE_PORT))
        except OSError:
            return False  # no way to it at all: connecting will say so
        speaks_from = str(probe.getsockname()[0])
    return _same(speaks_from, text)


def _same(one: str, other: str) -> bool:
    first, second = (inner(ipaddress.ip_address(each.partition("%")[0])) for each in (one, other))
    return first == second


async def find(host: str, port: int, peer: Peer) -> Target:
    """Resolve a host once and judge every address it has; the first is used. Raises Unreachable.

    One refused address refuses the name: a name that points at us and elsewhere is an attack.
    """
    addresses = [host] if _is_address(host) else await _look_up(host, port)
    if not addresses:
        raise Unreachable(f"the name {host!r} has no address")
    for address in addresses:
        if why := refusal(address, peer, own=is_own(address)):
            raise Unreachable(why)
    return Target(addresses[0], port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _look_up(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the name {host!r} cannot be resolved ({error})") from error
    return [str(each[4][0]) for each in found]
