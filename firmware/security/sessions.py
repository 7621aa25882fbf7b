"""Sessions of the web interface: a secret in a cookie instead of a password in every request. In memory only.

The secret is kept as its hash; with it goes a second token that every change has to carry in a header, which a page
of another site cannot read (docs: hardening row 39). A session ends by log-out, by rest, by age, by a change of
its account, and with the process.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

IDLE_S = 1800.0
LONGEST_S = 12 * 3600.0
KEPT = 256
PER_ACCOUNT = 16
TOKEN_BYTES = 32


@dataclass(slots=True)
class Session:
    """One browser that is logged in."""

    name: str
    csrf: str
    born_ns: int
    seen_ns: int


class Sessions:
    """Open sessions by the hash of their secret; the one unused for longest makes room."""

    def __init__(self) -> None:
        self._open: OrderedDict[bytes, Session] = OrderedDict()

    def open(self, name: str, now_ns: int) -> tuple[str, str]:
        """A new session: its secret, and the token of its changes."""
        token, csrf = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
        own = [tag for tag, each in self._open.items() if each.name == name]
        if len(own) >= PER_ACCOUNT:
            del self._open[own[0]]
        self._open[_tag(token)] = Session(name, csrf, now_ns, now_ns)
        while len(self._open) > KEPT:
            self._open.popitem(last=False)
        return token, csrf

    def find(self, token: str, now_ns: int, *, peek: bool = False) -> Session | None:
        """The session of a secret, used now unless only peeked at; None when there is none or its time is over."""
        tag = _tag(token)
        session = self._open.get(tag)
        if session is None:
            return None
        if now_ns - session.seen_ns > IDLE_S * 1e9 or now_ns - session.born_ns > LONGEST_S * 1e9:
            del self._open[tag]
            return None
        if peek:
            return session
        session.seen_ns = now_ns
        self._open.move_to_end(tag)
        return session

    def close(self, token: str) -> None:
        """End a session; harmless when there is none."""
        self._open.pop(_tag(token), None)

    def end_all_of(self, name: str) -> None:
        """The account is no longer what it was."""
        for tag in [tag for tag, each in self._open.items() if each.name == name]:
            del self._open[tag]

    def __len__(self) -> int:
        return len(self._open)


def _tag(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
