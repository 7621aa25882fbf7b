"""Sessions of the web interface: a secret in a cookie instead of a password in every request. In memory only.

The secret is kept as its hash; with it goes a second token that every change has to carry in a header, which a page
of another site cannot read (docs: hardening row 39). A session ends by log-out, by rest, by age, by a change of
its account, and with the process.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from firmware.core.vocabulary.security import SessionEnd

IDLE_S = 1800.0
LONGEST_S = 12 * 3600.0
KEPT = 256
PER_ACCOUNT = 16
TOKEN_BYTES = 32


@dataclass(slots=True)
class Session:
    """One browser that is logged in; `id` names it to others, and does not open it."""

    id: str
    name: str
    csrf: str
    born_ns: int
    seen_ns: int

    def over(self, now_ns: int) -> SessionEnd | None:
        """Why its time is over; None while it is not."""
        if now_ns - self.seen_ns > IDLE_S * 1e9:
            return SessionEnd.REST
        return SessionEnd.AGE if now_ns - self.born_ns > LONGEST_S * 1e9 else None


Ended = Callable[[Session, SessionEnd], None]


class Sessions:
    """Open sessions by the hash of their secret; the one unused for longest makes room. `ended` hears of every end."""

    def __init__(self, ended: Ended = lambda session, why: None) -> None:
        self._open: OrderedDict[bytes, Session] = OrderedDict()
        self._ended = ended

    def open(self, name: str, now_ns: int) -> tuple[str, str]:
        """A new session: its secret, and the token of its changes."""
        token, csrf = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
        own = [tag for tag, each in self._open.items() if each.name == name]
        if len(own) >= PER_ACCOUNT:
            self._end(own[0], SessionEnd.CROWDED)
        self._open[_tag(token)] = Session(secrets.token_hex(8), name, csrf, now_ns, now_ns)
        while len(self._open) > KEPT:
            self._end(next(iter(self._open)), SessionEnd.CROWDED)
        return token, csrf

    def find(self, token: str, now_ns: int, *, peek: bool = False) -> Session | None:
        """The session of a secret, used now unless only peeked at; None when there is none or its time is over."""
        tag = _tag(token)
        session = self._open.get(tag)
        if session is None:
            return None
        if (why := session.over(now_ns)) is not None:
            self._end(tag, why)
            return None
        if peek:
            return session
        session.seen_ns = now_ns
        self._open.move_to_end(tag)
        return session

    def close(self, token: str) -> None:
        """End a session; harmless when there is none."""
        if (tag := _tag(token)) in self._open:
            self._end(tag, SessionEnd.LOGGED_OUT)

    def expire(self, now_ns: int) -> None:
        """End those whose time is over: nobody has to ask for one."""
        for tag, session in tuple(self._open.items()):
            if (why := session.over(now_ns)) is not None:
                self._end(tag, why)

    def end_all_of(self, name: str) -> None:
        """The account is no longer what it was."""
        for tag in [tag for tag, each in self._open.items() if each.name == name]:
            self._end(tag, SessionEnd.ACCOUNT)

    def end_all(self) -> None:
        """None outlives the service."""
        for tag in tuple(self._open):
            self._end(tag, SessionEnd.STOPPED)

    def _end(self, tag: bytes, why: SessionEnd) -> None:
        self._ended(self._open.pop(tag), why)

    def __len__(self) -> int:
        return len(self._open)


def _tag(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
