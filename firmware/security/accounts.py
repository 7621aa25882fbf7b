"""Service `accounts`: who may do what on this device. There is no account until somebody makes one.

Interfaces meet it in the action table only: log-in (`firmware.security.desk`) and `.setup` are private actions;
accounts themselves are kept by listed ones, for administrators.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

from firmware.core.actions import NOTHING, Handler, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.deletions import deletions_kept
from firmware.core.errors import Busy, Exhausted, Invalid, Refused, SetupCodeRequired, SetupDone, Unavailable
from firmware.core.store import Damaged, Store
from firmware.core.vocabulary.security import (
    OWN_NAMES,
    AccountAdd,
    AccountChange,
    AccountChanged,
    AccountLevel,
    AccountList,
    AccountRef,
    AccountView,
    AnonymousState,
    Login,
    OwnPassword,
    SetupCode,
    SetupParams,
    SetupState,
    VerifyBasic,
)
from firmware.core.vocabulary.station import ParamsChanged, StorageAlarm, StorageProblem
from firmware.security.blocking import BlockRules
from firmware.security.book import ACCOUNTS_FILE, AccountBook
from firmware.security.desk import LoginDesk
from firmware.security.login import SETUP_TRY, Doorkeeper
from firmware.security.passwords import Worker
from firmware.security.records import Account
from firmware.security.settings import AccountSettings, BruteForceSettings
from firmware.security.setup import SetupWindow
from firmware.security.throttle import Throttle

log = logging.getLogger("lintel.security")

MAX_ACCOUNTS = 100
SESSIONS_FILE = "sessions"
SWEEP_S = 15.0
Row = tuple[str, type[Any], Handler, type[Any], str]


class AccountsService:
    """Accounts, log-in and first set-up; `realm` is the Digest realm, `LINTEL_<serial>`."""

    name: ClassVar[str] = "accounts"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, core: Core, realm: str, throttle: Throttle | None = None, *, memory: Store | None = None
    ) -> None:
        """`memory` keeps what outlives a killed process and no power cut: the sessions."""
        self._core = core
        self._worker = Worker(core.clock)
        self._book = AccountBook(core.store, self._worker, realm)
        self._throttle = throttle if throttle is not None else Throttle()
        self._doorkeeper = Doorkeeper(self._book, self._worker, core.bus, core.clock, self._throttle)
        self._desk = LoginDesk(self._doorkeeper, realm, core.clock, self._check_usable)
        self._window = SetupWindow(core.store, core.clock, self._say_setup)
        self._memory = memory
        self._damage = ""

    @property
    def setup_code(self) -> str:
        """The set-up code while no administrator exists, for the console; empty afterwards."""
        return self._window.code

    async def start(self) -> None:
        """Read the accounts; open the set-up window when this is a first boot, and only then.

        Raises Unavailable when the storage does not answer: that is no verdict, and is tried again.
        """
        self._worker.start()
        for group in (AccountSettings, BruteForceSettings):
            if group.group not in self._core.params:
                self._core.params.declare(group)
            await self._core.params.load(group)
        self._obey()
        try:
            await self._load()
        except (Damaged, Invalid) as error:
            self._close_down(f"{error.where}: {error.message}")
        await self._recall()
        self._say_setup()
        self._register()

    async def run(self) -> None:
        """Count the set-up window, end sessions, and follow the settings."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._window.run(), name="set-up window")
            if self._memory is not None:
                group.create_task(self._remember(self._memory), name="sessions")
            group.create_task(self._expire(), name="sessions")
            with self._core.bus.subscribe(ParamsChanged) as changes:
                self._obey()  # what changed before somebody listened
                async for notice in changes:
                    if getattr(notice.event, "group", "") in (AccountSettings.group, BruteForceSettings.group):
                        self._obey()

    async def _expire(self) -> None:
        """Sessions end when their time is over, also when nobody asks for them any more."""
        while True:
            await self._core.clock.sleep(SWEEP_S)
            self._doorkeeper.sessions.expire(self._core.clock.now_ns())

    def _obey(self) -> None:
        """Take the settings as they are now."""
        accounts = self._core.params.get(AccountSettings)
        force = self._core.params.get(BruteForceSettings)
        self._doorkeeper.md5 = accounts.digest_md5
        self._throttle.blocks.rules = BlockRules(
            on=force.blocking,
            period_s=force.period_s,
            page_per_s=force.page_failures_per_s,
            device_per_s=force.device_failures_per_s,
        )
        self._core.bus.publish(AnonymousState(viewing=accounts.anonymous_viewing, ptz=accounts.anonymous_ptz))

    async def stop(self) -> None:
        """Let the running hash finish; forget verified passwords."""
        self._worker.close()
        if self._memory is not None:
            # As they are now: a restart goes on with those that are open, and never with one that has ended.
            await self._write_down(self._memory)
        self._doorkeeper.forget_all()
        if self._memory is not None:
            await self._memory.close()

    async def _recall(self) -> None:
        """Go on with the sessions of a process that was killed; what cannot be read is forgotten."""
        if self._memory is None:
            return
        await self._memory.start()
        try:
            if (data := await self._memory.load(SESSIONS_FILE)) is not None:
                self._doorkeeper.sessions.read(data, self._core.clock.now_ns())
        except (Damaged, Unavailable, ValueError) as error:
            log.warning("the sessions are forgotten: %s", error)

    async def _remember(self, memory: Store) -> None:
        while True:
            await self._doorkeeper.to_write.wait()
            self._doorkeeper.to_write.clear()
            if not await self._write_down(memory):
                await self._core.clock.sleep(SWEEP_S)
                self._doorkeeper.to_write.set()

    async def _write_down(self, memory: Store) -> bool:
        try:
            await memory.save(SESSIONS_FILE, self._doorkeeper.sessions.written())
        except Unavailable as error:
            log.warning("the sessions cannot be written down: %s", error)
            return False
        return True

    async def _load(self) -> None:
        saved = await self._book.load()
        known = await self._window.load()
        if len(self._book):
            if not (known and self._window.done):
                await self._window.finish()
            for name in sorted(account.name for account in self._book.all() if account.name.lower() in OWN_NAMES):
                log.warning("the logs cannot tell the account %r from a part of the device: remove it", name)
        elif saved or (known and self._window.done):
            raise Invalid(ACCOUNTS_FILE, "they are gone although set-up was done")
        else:
            await self._window.begin(fresh=not known)

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

    def _register(self) -> None:
        listed: tuple[Row, ...] = (
            ("accounts.list", Nothing, self._list, AccountList, "All accounts."),
            ("accounts.add", AccountAdd, self._add, AccountView, "Make an account."),
            ("accounts.change", AccountChange, self._change, AccountView, "Change a password or a level."),
            ("accounts.remove", AccountRef, self._remove, Nothing, "Remove an account."),
        )
        add = self._core.actions.register
        self._desk.register(self._core.actions)
        add("setup.code", Nothing, self._code, summary="The set-up code, for the console.", answer=SetupCode,
            private=True, level=Level.SYSTEM)  # fmt: skip
        for name, params, owner, answer, summary in listed:
            add(name, params, owner, summary=summary, answer=answer, level=Level.ADMIN)
        add("accounts.password", OwnPassword, self._own_password, summary="Change the caller's own password.",
            answer=AccountView, level=Level.VIEWER)  # fmt: skip
        summary = "Make the first administrator."
        add("accounts.setup", SetupParams, self._setup, summary=summary, answer=AccountView, private=True,
            level=Level.ANONYMOUS)  # fmt: skip

    async def _code(self, _: Invocation) -> SetupCode:
        return SetupCode(code=self.setup_code)

    # first set-up

    async def _setup(self, invocation: Invocation) -> AccountView:
        params = invocation.params
        assert isinstance(params, SetupParams)
        async with self._book.writing:
            self._check_usable()
            if self._window.done:
                raise SetupDone("setup", "an administrator exists already")
            if self._window.code_required():
                self._check_code(params, invocation)
            check_own("accounts.setup.name", params.name)
            account = await self._book.new(params.name, params.password, AccountLevel.ADMIN)
            await self._book.keep(account)
            try:
                await self._window.finish()
            except Unavailable as error:
                # The saved account is proof enough; the mark is written again at the next start.
                log.warning("the end of set-up could not be saved: %s", error)
        self._say_setup()
        return self._announce(account, "created", account.name)

    def _check_code(self, params: SetupParams, invocation: Invocation) -> None:
        """Check the set-up code; the caller's name is the address it came from."""
        address = invocation.caller.name
        if not params.code:
            raise SetupCodeRequired("code", "is needed now: 30 minutes have passed since the first start")
        if self._doorkeeper.throttled(SETUP_TRY, address) is not None:
            raise Busy("code", "too many wrong codes; try again later")
        if not self._window.fits(params.code):
            self._doorkeeper.failed(SETUP_TRY, address, invocation.caller.via)
            raise SetupCodeRequired("code", "is not the code of this device")
        self._doorkeeper.succeeded(SETUP_TRY, address)

    # accounts

    async def _list(self, _: Invocation) -> AccountList:
        self._check_usable()
        return AccountList(accounts=tuple(view(account) for account in self._book.all()))

    async def _add(self, invocation: Invocation) -> AccountView:
        params = invocation.params
        assert isinstance(params, AccountAdd)
        async with self._editing():
            check_own("accounts.add.name", params.name)
            if self._book.get(params.name) is not None:
                raise Refused("accounts.add.name", f"there is an account {params.name!r} already")
            if len(self._book) >= MAX_ACCOUNTS:
                raise Exhausted("accounts.add", f"there are {MAX_ACCOUNTS} accounts already")
            account = await self._book.new(params.name, params.password, params.level, ptz=params.ptz)
            await self._book.keep(account)
        return self._announce(account, "created", invocation.caller.name, invocation.cause)

    async def _change(self, invocation: Invocation) -> AccountView:
        params = invocation.params
        assert isinstance(params, AccountChange)
        async with self._editing():
            account = self._book.find("accounts.change.name", params.name)
            if params.level is not None and params.level is not account.level:
                self._book.check_not_last(account)
                account = replace(account, level=params.level)
            if params.ptz is not None:
                account = replace(account, ptz=params.ptz)
            if params.password is not None:
                account = await self._book.with_password(account, params.password)
            await self._book.keep(account)
            self._doorkeeper.forget(account.name)
        return self._announce(account, "changed", invocation.caller.name, invocation.cause)

    async def _remove(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, AccountRef)
        async with self._editing():
            account = self._book.find("accounts.remove.name", params.name)
            self._book.check_not_last(account)
            await self._book.remove(account)
            self._doorkeeper.forget(account.name)
        self._announce(account, "removed", invocation.caller.name, invocation.cause)
        await deletions_kept(self._core, cause=invocation.cause)
        return NOTHING

    async def _own_password(self, invocation: Invocation) -> AccountView:
        """The present password is asked for again: a browser left open changes none."""
        params, caller = invocation.params, invocation.caller
        assert isinstance(params, OwnPassword)
        # Counted under the account alone: the owner has its session already, and no address is told of here.
        asked = VerifyBasic(name=caller.name, password=params.current, address="", via=caller.via, page="own password")
        verdict = await self._doorkeeper.basic(asked)
        if verdict.login is Login.THROTTLED:
            raise Busy("accounts.password.current", "was wrong too often; try again later")
        if verdict.login is not Login.GRANTED:
            raise Refused("accounts.password.current", "is not the present password")
        async with self._editing():
            account = self._book.find("accounts.password", caller.name)
            account = await self._book.with_password(account, params.new)
            await self._book.keep(account)
            self._doorkeeper.forget(account.name)
        return self._announce(account, "changed", caller.name, invocation.cause)

    @asynccontextmanager
    async def _editing(self) -> AsyncIterator[None]:
        async with self._book.writing:
            self._check_usable()
            if not self._window.done:
                raise Refused("accounts", "make the first administrator by set-up")
            yield

    def _announce(self, account: Account, change: str, by: str, cause: str | None = None) -> AccountView:
        level = account.level.value
        self._core.bus.publish(AccountChanged(name=account.name, level=level, change=change, by=by), cause=cause)
        return view(account)


def check_own(where: str, name: str) -> None:
    """Raises Invalid for a name that the device uses itself, in whichever letters."""
    if name.lower() in OWN_NAMES:
        raise Invalid(where, f"{name!r} is what this device calls one of its own parts in the logs; take another name")


def view(account: Account) -> AccountView:
    """An account without its secrets."""
    return AccountView(name=account.name, level=account.level, ptz=account.ptz)
