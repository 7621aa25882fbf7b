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

IDLE_S = 1800.0
LONGEST_S = 12 * 3600.0
KEPT = 256
PER_ACCOUNT = 16
TOKEN_BYTES = 32
# Uses closer together than this are written down once.
NOTED_S = 60.0


@dataclass(slots=True)
class Session:
    """One browser that is logged in; `mark` is that of its account when it did."""

    name: str
    csrf: str
    mark: str
    born_ns: int
    seen_ns: int


class Sessions:
    """Open sessions by the hash of their secret; the one unused for longest makes room."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called when something is to be written down."""
        self._changed = changed
        self._noted_ns = 0
        self._open: OrderedDict[bytes, Session] = OrderedDict()

    def open(self, name: str, mark: str, now_ns: int) -> tuple[str, str]:
        """A new session: its secret, and the token of its changes."""
        token, csrf = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
        own = [tag for tag, each in self._open.items() if each.name == name]
        if len(own) >= PER_ACCOUNT:
            del self._open[own[0]]
        self._open[_tag(token)] = Session(name, csrf, mark, now_ns, now_ns)
        while len(self._open) > KEPT:
            self._open.popitem(last=False)
        self._changed()
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
        if now_ns - self._noted_ns > NOTED_S * 1e9:
            self._noted_ns = now_ns
            self._changed()
        return session

    def close(self, token: str) -> None:
        """End a session; harmless when there is none."""
        if self._open.pop(_tag(token), None) is not None:
            self._changed()

    def end_all_of(self, name: str) -> None:
        """The account is no longer what it was."""
        for tag in [tag for tag, each in self._open.items() if each.name == name]:
            del self._open[tag]
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
