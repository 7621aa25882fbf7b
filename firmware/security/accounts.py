"""Service `accounts`: who may do what on this device. There is no account until somebody makes one.

Interfaces meet it in the action table only: `accounts.verify_basic`, `.verify_digest`, `.challenge` and
`.setup` are private actions; accounts themselves are kept by listed ones, for administrators.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import (
    Busy,
    Exhausted,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    SetupCodeRequired,
    SetupDone,
    Unavailable,
)
from firmware.core.store import Damaged
from firmware.core.vocabulary.security import (
    AccountAdd,
    AccountChange,
    AccountChanged,
    AccountLevel,
    AccountList,
    AccountRef,
    AccountView,
    ChallengeParams,
    Challenges,
    Login,
    LoginFailed,
    SetupCode,
    SetupParams,
    SetupState,
    Verdict,
    VerifyBasic,
    VerifyDigest,
)
from firmware.core.vocabulary.station import StorageAlarm, StorageProblem
from firmware.security.digest import Algorithm, Answer, Nonces, challenge, ha1, read_answer
from firmware.security.passwords import Remembered, Worker
from firmware.security.records import KEY_BYTES, Account, Vault, new_key, read_accounts, write_accounts
from firmware.security.setup import SetupWindow
from firmware.security.throttle import Throttle
from hal.errors import nearest

log = logging.getLogger("lintel.security")

ACCOUNTS_FILE = "accounts"
KEY_FILE = "device-key"
MAX_ACCOUNTS = 64
LEVELS = {
    AccountLevel.VIEWER: Level.VIEWER,
    AccountLevel.OPERATOR: Level.OPERATOR,
    AccountLevel.ADMIN: Level.ADMIN,
}
# Stands in for accounts that do not exist, so that a wrong name takes as long as a wrong password.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$s5F8g7dhoKNsOo536xQ+3Q$lDyopJROff6u/T743fMiwvwdvYZGSUl5i61lKzUdDbM"
NO_SUCH_ACCOUNT = "unknown"
SETUP_TRY = "set-up code"


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


class AccountsService:
    """Accounts, log-in and first set-up; `realm` is the Digest realm, `LINTEL_<serial>`."""

    name: ClassVar[str] = "accounts"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, realm: str, throttle: Throttle | None = None) -> None:
        self._core = core
        self._realm = realm
        self._throttle = throttle if throttle is not None else Throttle()
        self._worker = Worker(core.clock)
        self._remembered = Remembered()
        self._nonces = Nonces()
        self._turns = Turns()
        self._writing = asyncio.Lock()
        self._accounts: dict[str, Account] = {}
        self._vault = Vault(new_key())
        self._damage = ""
        self._window = SetupWindow(core.store, core.clock, self._say_setup)

    @property
    def setup_code(self) -> str:
        """The set-up code while no administrator exists, for the console; empty afterwards."""
        return self._window.code

    async def start(self) -> None:
        """Read the accounts; open the set-up window when this is a first boot, and only then.

        Raises Unavailable when the storage does not answer: that is no verdict, and is tried again.
        """
        self._worker.start()
        try:
            await self._load()
        except (Damaged, Invalid) as error:
            self._close_down(f"{error.where}: {error.message}")
        self._say_setup()
        self._register()

    async def run(self) -> None:
        """Count the set-up window, then wait."""
        await self._window.run()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Let the running hash finish; forget verified passwords."""
        self._worker.close()
        self._remembered = Remembered()

    # start-up

    async def _load(self) -> None:
        store = self._core.store
        data = await store.load(ACCOUNTS_FILE)
        accounts = read_accounts(data) if data is not None else {}
        self._vault = Vault(await self._load_key())
        known = await self._window.load()
        if accounts:
            self._accounts = accounts
            if not (known and self._window.done):
                await self._window.finish()
        elif data is not None or (known and self._window.done):
            raise Invalid(ACCOUNTS_FILE, "the accounts are gone although set-up was done")
        else:
            await self._window.begin(fresh=not known)

    async def _load_key(self) -> bytes:
        """The device key; a damaged one is replaced, and the next log-in of each account seals anew with it."""
        try:
            key = await self._core.store.load(KEY_FILE)
        except Damaged:
            key = None  # the store has raised the alarm
        if key is None or len(key) != KEY_BYTES:
            key = new_key()
            await self._core.store.save(KEY_FILE, key)
        return key

    def _close_down(self, why: str) -> None:
        """Damaged accounts are no first boot: nobody gets in, and the alarm stands (hardening row 21)."""
        self._damage = why
        self._core.bus.publish(
            StorageAlarm(role=self._core.role, what=ACCOUNTS_FILE, problem=StorageProblem.DAMAGED, detail=why)
        )
        log.error("accounts cannot be used: %s", why)

    def _say_setup(self) -> None:
        needed = not self._damage and not self._window.done
        self._core.bus.publish(SetupState(needed=needed, code_required=needed and self._window.code_required()))

    def _check_usable(self) -> None:
        if self._damage:
            raise Unavailable("accounts", f"the account store is damaged ({self._damage}); reset the device")

    # actions

    def _register(self) -> None:
        add = self._core.actions.register
        for name, params, owner, answer, summary in (
            ("accounts.verify_basic", VerifyBasic, self._verify_basic, Verdict, "Check a name and password."),
            ("accounts.verify_digest", VerifyDigest, self._verify_digest, Verdict, "Check a Digest answer."),
            ("accounts.challenge", ChallengeParams, self._challenge, Challenges, "Make Digest challenges."),
            ("setup.code", Nothing, self._code, SetupCode, "The set-up code, for the console."),
        ):
            add(name, params, owner, summary=summary, answer=answer, private=True, level=Level.SYSTEM)
        summary = "Make the first administrator."
        add("accounts.setup", SetupParams, self._setup, summary=summary, answer=AccountView, private=True,
            level=Level.ANONYMOUS)  # fmt: skip
        for name, params, owner, answer, summary in (
            ("accounts.list", Nothing, self._list, AccountList, "All accounts."),
            ("accounts.add", AccountAdd, self._add, AccountView, "Make an account."),
            ("accounts.change", AccountChange, self._change, AccountView, "Change a password or a level."),
            ("accounts.remove", AccountRef, self._remove, Nothing, "Remove an account."),
        ):
            add(name, params, owner, summary=summary, answer=answer, level=Level.ADMIN)

    async def _code(self, _: Invocation) -> SetupCode:
        return SetupCode(code=self.setup_code)

    async def _challenge(self, invocation: Invocation) -> Challenges:
        params = invocation.params
        assert isinstance(params, ChallengeParams)
        nonce = self._nonces.fresh(self._core.clock.now_ns())
        offers = tuple(challenge(self._realm, nonce, algorithm, stale=params.stale) for algorithm in Algorithm)
        return Challenges(digest=offers, realm=self._realm)

    # log-in

    async def _verify_basic(self, invocation: Invocation) -> Verdict:
        params = invocation.params
        assert isinstance(params, VerifyBasic)
        self._check_usable()
        async with self._turns.turn((params.name, params.address)):
            if (wait := self._throttled(params.name, params.address)) is not None:
                return wait
            account = self._accounts.get(params.name)
            known = account is not None and self._remembered.knows(account.name, params.password, self._now_ns())
            if not known:
                fits = await self._worker.verify(account.hash if account is not None else NOBODY, params.password)
                # The account may have been changed or removed while the hash was computed.
                if account is None or not fits or self._accounts.get(account.name) != account:
                    return self._failed(params.name, params.address, params.via)
                self._remembered.add(account.name, params.password, self._now_ns())
                await self._reseal(account, params.password)
            assert account is not None
            return self._granted(account, params.address)

    async def _verify_digest(self, invocation: Invocation) -> Verdict:
        params = invocation.params
        assert isinstance(params, VerifyDigest)
        self._check_usable()
        answer = read_answer(params.fields)
        name = answer.name if answer is not None else ""
        if (wait := self._throttled(name, params.address)) is not None:
            return wait
        account = self._accounts.get(name)
        if answer is None or not self._answers(answer, params, account):
            return self._failed(name, params.address, params.via)
        assert account is not None
        if not self._nonces.take(answer.nonce, int(answer.nc, 16), self._now_ns()):
            return Verdict(login=Login.STALE)
        return self._granted(account, params.address)

    def _answers(self, answer: Answer, params: VerifyDigest, account: Account | None) -> bool:
        """Whether the answer is right for this request; takes as long when there is no such account."""
        secret = self._vault.open(account, answer.algorithm) if account is not None else None
        stand_in = ha1(answer.algorithm, answer.name, self._realm, NOBODY)
        expected = answer.expected(secret if secret is not None else stand_in, params.method)
        right = hmac.compare_digest(expected.encode(), answer.response.encode())
        return right and secret is not None and answer.uri == params.target and answer.realm == self._realm

    def _now_ns(self) -> int:
        return self._core.clock.now_ns()

    def _throttled(self, name: str, address: str) -> Verdict | None:
        wait_s = self._throttle.wait_s(self._counted(name), address, self._now_ns())
        return Verdict(login=Login.THROTTLED, retry_s=wait_s) if wait_s > 0 else None

    def _counted(self, name: str) -> str:
        """The name failures are counted under: all that do not exist are one."""
        return name if name in self._accounts or name == SETUP_TRY else NO_SUCH_ACCOUNT

    def _failed(self, name: str, address: str, via: str) -> Verdict:
        counted = self._counted(name)
        self._throttle.failed(counted, address, self._now_ns())
        self._core.bus.publish(LoginFailed(name=counted, address=address, via=via))
        return Verdict(login=Login.REFUSED)

    def _granted(self, account: Account, address: str) -> Verdict:
        self._throttle.succeeded(account.name, address)
        return Verdict(login=Login.GRANTED, name=account.name, level=LEVELS[account.level])

    async def _reseal(self, account: Account, password: str) -> None:
        """Make the Digest secrets anew when the device key or the realm is not the one they were sealed with."""
        fresh = account.realm == self._realm
        if fresh and all(self._vault.open(account, algorithm) is not None for algorithm in Algorithm):
            return
        async with self._writing:
            if self._accounts.get(account.name) != account:
                return
            try:
                await self._save({**self._accounts, account.name: self._sealed(account, password)})
            except Unavailable as error:
                # The log-in itself is good; Digest stays unusable for this account until storage works again.
                log.warning("Digest secrets of an account could not be renewed: %s", error)

    # first set-up

    async def _setup(self, invocation: Invocation) -> AccountView:
        params = invocation.params
        assert isinstance(params, SetupParams)
        async with self._writing:
            self._check_usable()
            if self._window.done:
                raise SetupDone("setup", "an administrator exists already")
            if self._window.code_required():
                self._check_code(params, invocation)
            account = await self._new(params.name, params.password, AccountLevel.ADMIN)
            await self._save({account.name: account})
            try:
                await self._window.finish()
            except Unavailable as error:
                # The saved account is proof enough; the mark is written again at the next start.
                log.warning("the end of set-up could not be saved: %s", error)
        self._say_setup()
        return self._announce(account, "created", account.name)

    def _check_code(self, params: SetupParams, invocation: Invocation) -> None:
        if not params.code:
            raise SetupCodeRequired("code", "is needed now: 30 minutes have passed since the first start")
        address = invocation.caller.name
        if self._throttled(SETUP_TRY, address) is not None:
            raise Busy("code", "too many wrong codes; try again later")
        if not self._window.fits(params.code):
            self._failed(SETUP_TRY, address, invocation.caller.via)
            raise SetupCodeRequired("code", "is not the code of this device")
        self._throttle.succeeded(SETUP_TRY, address)

    # accounts

    async def _list(self, _: Invocation) -> AccountList:
        self._check_usable()
        return AccountList(accounts=tuple(view(self._accounts[name]) for name in sorted(self._accounts)))

    async def _add(self, invocation: Invocation) -> AccountView:
        params = invocation.params
        assert isinstance(params, AccountAdd)
        async with self._edit(invocation):
            if params.name in self._accounts:
                raise Refused("accounts.add.name", f"there is an account {params.name!r} already")
            if len(self._accounts) >= MAX_ACCOUNTS:
                raise Exhausted("accounts.add", f"there are {MAX_ACCOUNTS} accounts already")
            account = await self._new(params.name, params.password, params.level)
            await self._save({**self._accounts, account.name: account})
        return self._announce(account, "created", invocation.caller.name, invocation.cause)

    async def _change(self, invocation: Invocation) -> AccountView:
        params = invocation.params
        assert isinstance(params, AccountChange)
        async with self._edit(invocation):
            account = self._find("accounts.change.name", params.name)
            if params.level is not None and params.level is not account.level:
                self._check_not_last(account)
                account = replace(account, level=params.level)
            if params.password is not None:
                account = self._sealed(
                    replace(account, hash=await self._worker.hash(params.password)), params.password
                )
            await self._save({**self._accounts, account.name: account})
            self._remembered.forget(account.name)
        return self._announce(account, "changed", invocation.caller.name, invocation.cause)

    async def _remove(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, AccountRef)
        async with self._edit(invocation):
            account = self._find("accounts.remove.name", params.name)
            self._check_not_last(account)
            await self._save({name: kept for name, kept in self._accounts.items() if name != account.name})
            self._remembered.forget(account.name)
        self._announce(account, "removed", invocation.caller.name, invocation.cause)
        return NOTHING

    @asynccontextmanager
    async def _edit(self, invocation: Invocation) -> AsyncIterator[None]:
        async with self._writing:
            self._check_usable()
            if not self._window.done:
                raise Forbidden(invocation.action, "there is no administrator yet")
            yield

    def _find(self, where: str, name: str) -> Account:
        if name not in self._accounts:
            raise NotFound(where, f"no account {name!r}{nearest(name, self._accounts)}")
        return self._accounts[name]

    def _check_not_last(self, account: Account) -> None:
        admins = [each for each in self._accounts.values() if each.level is AccountLevel.ADMIN]
        if admins == [account]:
            raise Refused("accounts", f"{account.name!r} is the last administrator")

    async def _new(self, name: str, password: str, level: AccountLevel) -> Account:
        encoded = await self._worker.hash(password)
        blank = Account(name=name, level=level, hash=encoded, realm=self._realm, sha256="", md5="")
        return self._sealed(blank, password)

    def _sealed(self, account: Account, password: str) -> Account:
        sealed = {each: self._vault.seal(account.name, self._realm, each, password) for each in Algorithm}
        return replace(account, realm=self._realm, sha256=sealed[Algorithm.SHA256], md5=sealed[Algorithm.MD5])

    async def _save(self, accounts: dict[str, Account]) -> None:
        """Save durably, then use. Raises Unavailable; then nothing has changed."""
        await self._core.store.save(ACCOUNTS_FILE, write_accounts(accounts.values()))
        self._accounts = accounts

    def _announce(self, account: Account, change: str, by: str, cause: str | None = None) -> AccountView:
        self._core.bus.publish(
            AccountChanged(name=account.name, level=account.level.value, change=change, by=by), cause=cause
        )
        return view(account)


def view(account: Account) -> AccountView:
    """An account without its secrets."""
    return AccountView(name=account.name, level=account.level)
