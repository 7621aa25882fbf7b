"""Slowing down guessers: who has failed often must wait before the next try is even looked at.

Three counts stand for three attacks: one account from one address, many accounts from one address, one
account from many addresses. The last holds up only addresses that have failed at this account themselves, each
from its own last failure, so that nobody can lock the owner out from elsewhere (docs: hardening row 30).

This object is the one throttle of the device: every interface asks it through the accounts.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from firmware.security.blocking import Blocks, Reach

KEPT = 8192


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


@lru_cache(1024)
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
    """Failures by account and address, in memory, shared by all interfaces of the device."""

    def __init__(self) -> None:
        self.blocks = Blocks()
        self._counts: OrderedDict[tuple[str, str, str], _Count] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def is_empty(self) -> bool:
        """Whether nobody has failed lately: then nobody waits."""
        return not self._counts and self.blocks.is_empty()

    def wait_s(self, account: str, address: str, now_ns: int) -> float:
        """Seconds until a try of this account from this address is looked at; 0 is now."""
        place = origin(address)
        longest = self.blocks.wait_s(place, now_ns)
        if ("address", "", place) not in self._counts:
            return longest  # whoever has failed with any account is counted there too
        pair = self._counts.get(("pair", account, place))
        longest = max(longest, _left_s(pair, PAIR, pair, now_ns))
        longest = max(longest, self._address_s(place, now_ns))
        if pair is not None and (account, place) not in self._trusted:
            longest = max(longest, _left_s(self._counts.get(("account", account, "")), ACCOUNT, pair, now_ns))
        return longest

    def _address_s(self, place: str, now_ns: int) -> float:
        count = self._counts.get(("address", "", place))
        return _left_s(count, ADDRESS, count, now_ns)

    def is_clean(self, address: str) -> bool:
        """Whether no failure of this address is remembered: its tries go before those of guessers."""
        return ("address", "", origin(address)) not in self._counts

    def turned_away(self, address: str, page: str, now_ns: int) -> Reach | None:
        """A try that was not looked at: it counts for the blocking only. Answers the reach when a block begins."""
        return self.blocks.failed(origin(address), page, now_ns)

    def failed(self, account: str, address: str, now_ns: int, page: str = "") -> Reach | None:
        """Count a failed try. Answers the reach when a block begins with it."""
        place = origin(address)
        keys = [("pair", account, place), ("address", "", place)]
        if (account, place) not in self._trusted:
            keys.append(("account", account, ""))
        for key in keys:
            count = self._counts.pop(key, None)
            if count is None or now_ns - count.last_ns > FORGET_S * 1e9:
                count = _Count()
            count.failures += 1
            count.last_ns = now_ns
            self._counts[key] = count
        while len(self._counts) > KEPT:
            self._counts.popitem(last=False)
        return self.blocks.failed(place, page, now_ns)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of this pair; failures with other accounts stay counted for the address."""
        place = origin(address)
        if self._counts:
            self._counts.pop(("pair", account, place), None)
        trusted = (account, place)
        if trusted in self._trusted:
            self._trusted.move_to_end(trusted)
            return
        self._trusted[trusted] = None
        while len(self._trusted) > KEPT:
            self._trusted.popitem(last=False)


def _left_s(count: _Count | None, pace: Pace, since: _Count | None, now_ns: int) -> float:
    """What is left of the wait that `count` failures cost, from the last failure of `since`."""
    if count is None or since is None:
        return 0.0
    return pace.wait_s(count.failures) - (now_ns - since.last_ns) / 1e9
