"""Log-in: a name with a password, or a Digest answer, against the accounts.

The throttle is asked before anything is compared, a name that does not exist costs as much as one that
does, and a password verified lately is not hashed again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from firmware.core.actions import Level
from firmware.core.bus import Bus
from firmware.core.vocabulary.device import DevicePhase, Phase
from firmware.core.vocabulary.security import (
    AccountLevel,
    Asked,
    Login,
    LoginSeen,
    SessionEnd,
    SessionEnded,
    SessionOpened,
    SessionView,
    Verdict,
    VerifyBasic,
    VerifyDigest,
)
from firmware.security.blocking import Reach
from firmware.security.book import AccountBook
from firmware.security.digest import Algorithm, Answer, Nonces, read_answer
from firmware.security.passwords import Remembered, Worker
from firmware.security.records import Account
from firmware.security.sessions import Session, Sessions
from firmware.security.throttle import Throttle
from firmware.security.told import Teller
from hal.clock import Clock

LEVELS = {
    AccountLevel.VIEWER: Level.VIEWER,
    AccountLevel.OPERATOR: Level.OPERATOR,
    AccountLevel.ADMIN: Level.ADMIN,
}
# The hash of a password nobody knows, for names that do not exist.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$43UYB+azvCzQZzeiFlehGA$IXeTyUXdH6wOwfjM2pErIXpKZQYcD6mlzsu7/SulKqs"
NO_SUCH_ACCOUNT = "unknown"
SETUP_TRY = "set-up code"


def mark_of(account: Account) -> str:
    """What a session remembers its account by: it ends with another password or level, whatever was written down."""
    return hashlib.sha256(f"{account.name}:{account.level.value}:{account.hash}".encode()).hexdigest()[:32]


@lru_cache(256)
def _welcome(name: str, level: AccountLevel, ptz: bool) -> Verdict:
    """The verdict for an account that has shown who it is: the same for every one of its requests."""
    return Verdict(login=Login.GRANTED, name=name, level=LEVELS[level], ptz=ptz)


class Turns:
    """One at a time per key, so that tries of one account from one address are counted exactly."""

    def __init__(self) -> None:
        self._locks: dict[object, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, key: object) -> AsyncIterator[None]:
        """Wait for the turn of this key."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = (lock, users - 1)


class Doorkeeper:
    """Decides log-ins; failures are counted in the `throttle` and said on the bus. `md5` is what Digest may use too."""

    def __init__(self, book: AccountBook, worker: Worker, bus: Bus, clock: Clock, throttle: Throttle) -> None:
        self.nonces = Nonces()
        self.to_write = asyncio.Event()
        self.sessions = Sessions(self._session_over, self.to_write.set)
        self.md5 = True
        self._book = book
        self._worker = worker
        self._bus = bus
        self._clock = clock
        self._throttle = throttle
        self._remembered = Remembered()
        self._turns = Turns()
        self._teller = Teller(bus, clock)
        # As long as the secret of an account, and nobody's: a name that does not exist costs the same hashes.
        self._stand_in = secrets.token_hex(32)

    async def basic(self, params: VerifyBasic) -> Verdict:
        """Decide about a password. Raises Unavailable when too many hashes wait."""
        async with self._turns.turn((params.name, params.address)):
            if (wait := self.throttled(params.name, params.address, params.page)) is not None:
                return wait
            account = self._book.get(params.name)
            if account is None or not self._remembered.knows(account.name, params.password, self._clock.now_ns()):
                guess = not self._throttle.is_clean(params.address)
                encoded = account.hash if account is not None else NOBODY
                fits = await self._worker.verify(encoded, params.password, guess=guess)
                # The account may have been changed or removed while the hash was computed.
                now = self._book.get(params.name)
                if account is None or not fits or now is None or now.hash != account.hash:
                    return self.failed(params.name, params.address, params.via, params.page)
                account = now
                self._remembered.add(account.name, params.password, self._clock.now_ns())
                await self._book.reseal(account, params.password)
            return self._granted(account, params.address, params.via, params.scheme, self._clock.now_ns())

    def digest(self, params: VerifyDigest) -> Verdict:
        """Decide about a Digest answer."""
        asked = params.asked
        answer = read_answer(params.fields, compatible=asked.compatible)
        name = answer.name if answer is not None else ""
        if (wait := self.throttled(name, asked.address, asked.page)) is not None:
            return wait
        account = self._book.get(name)
        if answer is None or not self._right(answer, asked, account) or account is None:
            return self.failed(name, asked.address, asked.via, asked.page)
        now_ns = self._clock.now_ns()
        if not self.nonces.take_answer(answer, now_ns):
            return Verdict(login=Login.STALE)
        return self._granted(account, asked.address, asked.via, "digest", now_ns)

    def _right(self, answer: Answer, asked: Asked, account: Account | None) -> bool:
        """Whether the answer is right for this very request."""
        secret = self._book.secret(account, answer.algorithm) if account is not None else None
        expected = answer.expected(self._stand_in if secret is None else secret, asked.method)
        if not hmac.compare_digest(expected.encode(), answer.response.encode()) or secret is None:
            return False
        if answer.realm != self._book.realm or not (self.md5 or answer.algorithm is not Algorithm.MD5):
            return False
        if answer.uri == asked.target or answer.uri in asked.also:
            return True
        return asked.compatible and answer.uri == asked.target.partition("?")[0]

    async def open_session(self, params: VerifyBasic) -> SessionOpened:
        """Decide about a password, and open a session when it is right. Raises Unavailable as `basic`."""
        verdict = await self.basic(params)
        if verdict.login is not Login.GRANTED:
            return SessionOpened(verdict=verdict)
        account = self._book.get(verdict.name)
        if account is None:  # removed while the verdict fell
            return SessionOpened(verdict=Verdict(login=Login.REFUSED))
        token, csrf = self.sessions.open(verdict.name, mark_of(account), self._clock.now_ns())
        return SessionOpened(verdict=verdict, token=token, csrf=csrf)

    def session(self, token: str) -> SessionView:
        """Whose session it is."""
        session = self.sessions.find(token, self._clock.now_ns())
        account = self._book.get(session.name) if session is not None else None
        if session is None or account is None or session.mark != mark_of(account):
            return SessionView()
        return SessionView(
            name=account.name, level=LEVELS[account.level], ptz=account.ptz, csrf=session.csrf,
            id=session.id,
        )  # fmt: skip

    def _session_over(self, session: Session, why: SessionEnd) -> None:
        self._bus.publish(SessionEnded(name=session.name, session=session.id, why=why))

    def throttled(self, name: str, address: str, page: str = "") -> Verdict | None:
        """The verdict when this name or address has failed too often lately."""
        if self._throttle.is_empty():
            return None
        now_ns = self._clock.now_ns()
        wait_s = self._throttle.wait_s(self._counted(name), address, now_ns)
        if wait_s <= 0:
            return None
        reach = self._throttle.turned_away(address, page, now_ns)
        if reach is not None:
            wait_s = max(wait_s, self._say_blocked(address, reach))
        return Verdict(login=Login.THROTTLED, retry_s=wait_s)

    def failed(self, name: str, address: str, via: str, page: str = "") -> Verdict:
        """Count and tell a failure."""
        counted = self._counted(name)
        reach = self._throttle.failed(counted, address, self._clock.now_ns(), page)
        self._teller.failed(counted, address, via, page)
        if reach is not None:
            self._say_blocked(address, reach)
        return Verdict(login=Login.REFUSED)

    def _say_blocked(self, address: str, reach: Reach) -> float:
        period_s = self._throttle.blocks.rules.period_s
        self._teller.blocked(address, reach, period_s)
        return period_s

    def succeeded(self, name: str, address: str) -> None:
        """Forget failures of this name from this address."""
        self._throttle.succeeded(name, address)

    def _granted(self, account: Account, address: str, via: str, scheme: str, now_ns: int) -> Verdict:
        goes_on = self._teller.granted(account.name, address, via, scheme, now_ns)
        if not (goes_on and self._throttle.is_empty()):
            self._throttle.succeeded(account.name, address)
        if account.level is AccountLevel.ADMIN:
            phase = self._bus.state(DevicePhase)
            if phase is not None and phase.phase is Phase.UPGRADE_FAILED:
                self._bus.publish(LoginSeen(name=account.name))
        return _welcome(account.name, account.level, account.ptz)

    def _counted(self, name: str) -> str:
        """What failures are counted under: all names that do not exist are one, and are not repeated."""
        return name if name == SETUP_TRY or self._book.get(name) is not None else NO_SUCH_ACCOUNT

    def forget(self, name: str) -> None:
        """An account is no longer what it was: its passwords are forgotten, its sessions end."""
        self._remembered.forget(name)
        self.sessions.end_all_of(name)

    def forget_all(self) -> None:
        """Verified passwords and sessions do not outlive the service."""
        self._remembered = Remembered()
        self.sessions.end_all()
