"""Sessions of the web interface: a secret in a cookie instead of a password in every request.

The secret is kept as its hash; with it goes a second token that every change has to carry in a header, which a page
of another site cannot read (docs: hardening row 39). A session ends by log-out, by rest, by age, by a change of
its account, and with the power: what is written down (hashes of secrets, never on the storage medium) lets a process
that was killed go on where it was.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass

from firmware.core.errors import Invalid
from firmware.core.values import decode
from firmware.core.vocabulary.security import SessionEnd

IDLE_S = 1800.0
LONGEST_S = 12 * 3600.0
KEPT = 256
PER_ACCOUNT = 16
TOKEN_BYTES = 32
# Uses closer together than this are written down once.
NOTED_S = 60.0


@dataclass(slots=True)
class Session:
    """One browser that is logged in. `id` names it to others, and does not open it; `mark` is that of its account."""

    id: str
    name: str
    csrf: str
    mark: str
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

    def __init__(self, ended: Ended = lambda session, why: None, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called when something is to be written down."""
        self._changed = changed
        self._noted_ns = 0
        self._open: OrderedDict[bytes, Session] = OrderedDict()
        self._ended = ended

    def open(self, name: str, mark: str, now_ns: int) -> tuple[str, str]:
        """A new session: its secret, and the token of its changes."""
        token, csrf = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
        own = [tag for tag, each in self._open.items() if each.name == name]
        if len(own) >= PER_ACCOUNT:
            self._end(own[0], SessionEnd.CROWDED)
        self._open[_tag(token)] = Session(secrets.token_hex(8), name, csrf, mark, now_ns, now_ns)
        while len(self._open) > KEPT:
            self._end(next(iter(self._open)), SessionEnd.CROWDED)
        self._changed()
        return token, csrf

    def find(self, token: str, now_ns: int) -> Session | None:
        """The session of a secret, used now; None when there is none or its time is over."""
        tag = _tag(token)
        session = self._open.get(tag)
        if session is None:
            return None
        if (why := session.over(now_ns)) is not None:
            self._end(tag, why)
            return None
        session.seen_ns = now_ns
        self._open.move_to_end(tag)
        if now_ns - self._noted_ns > NOTED_S * 1e9:
            self._noted_ns = now_ns
            self._changed()
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
        self._changed()

    def written(self) -> bytes:
        """All of it, to be read by the next process."""
        return json.dumps({tag.hex(): asdict(session) for tag, session in self._open.items()}).encode()

    def read(self, data: bytes, now_ns: int) -> None:
        """Take up what a former process has written, whose clock was the same. Raises ValueError for anything else."""
        found = OrderedDict((bytes.fromhex(tag), _session(each)) for tag, each in _table(data).items())
        for tag, session in found.items():
            if session.born_ns <= session.seen_ns <= now_ns:  # or it was another start of the machine
                self._open[tag] = session

    def __len__(self) -> int:
        return len(self._open)


def _table(data: bytes) -> dict[str, object]:
    table = json.loads(data)
    if not isinstance(table, dict) or len(table) > KEPT:
        raise ValueError("is no table of sessions")
    return table


def _session(each: object) -> Session:
    try:
        return decode(Session, each, where="sessions")
    except Invalid as error:
        raise ValueError(str(error)) from None


def _tag(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
