"""Slowing down guessers: who has failed often must wait before the next try is even looked at.

Three counts stand for three attacks: one account from one address, many accounts from one address, one
account from many addresses. The last never holds up an address that has logged in before, so that
nobody can lock the owner out (docs: hardening row 30).
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

KEPT = 4096


@dataclass(frozen=True, slots=True)
class Pace:
    """`free` failures cost nothing; from then on the wait doubles from `first_s` up to `longest_s`."""

    free: int
    first_s: float
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """How long after the last of `failures` in a row nothing is looked at."""
        if failures < self.free:
            return 0.0
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - self.free, 32))


PAIR = Pace(free=5, first_s=1.0, longest_s=900.0)
ADDRESS = Pace(free=20, first_s=1.0, longest_s=900.0)
ACCOUNT = Pace(free=50, first_s=1.0, longest_s=60.0)
# Failures are forgotten after twice the longest wait without another.
FORGET_S = 1800.0


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last_ns: int = 0


def origin(address: str) -> str:
    """What one attacker can be assumed to own: an IPv4 address, or the /64 around an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


class Throttle:
    """Failures by account and address, in memory, shared by all interfaces of a role."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str, str], _Count] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def _rows(self, account: str, address: str) -> tuple[tuple[tuple[str, str, str], Pace], ...]:
        place = origin(address)
        rows = ((("pair", account, place), PAIR), (("address", "", place), ADDRESS))
        if (account, place) in self._trusted:
            return rows
        return (*rows, (("account", account, ""), ACCOUNT))

    def wait_s(self, account: str, address: str, now_ns: int) -> float:
        """Seconds until a try of this account from this address is looked at; 0 is now."""
        longest = 0.0
        for key, pace in self._rows(account, address):
            count = self._counts.get(key)
            if count is not None:
                longest = max(longest, pace.wait_s(count.failures) - (now_ns - count.last_ns) / 1e9)
        return longest

    def failed(self, account: str, address: str, now_ns: int) -> None:
        """Count a failed try."""
        for key, _ in self._rows(account, address):
            count = self._counts.pop(key, None)
            if count is None or now_ns - count.last_ns > FORGET_S * 1e9:
                count = _Count()
            count.failures += 1
            count.last_ns = now_ns
            self._counts[key] = count
        while len(self._counts) > KEPT:
            self._counts.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of this pair; failures with other accounts stay counted for the address."""
        place = origin(address)
        self._counts.pop(("pair", account, place), None)
        self._trusted.pop((account, place), None)
        self._trusted[account, place] = None
        while len(self._trusted) > KEPT:
            self._trusted.popitem(last=False)
