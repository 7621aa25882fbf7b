"""The accounts of this device in memory and on disk: read once, saved before they are used.

Everything that changes them goes through `writing`, one at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from firmware.core.errors import NotFound, Refused, Unavailable
from firmware.core.store import Damaged, Store
from firmware.core.vocabulary.security import AccountLevel
from firmware.security.digest import Algorithm
from firmware.security.passwords import Worker
from firmware.security.records import KEY_BYTES, Account, Vault, new_key, read_accounts, write_accounts
from hal.errors import nearest

log = logging.getLogger("lintel.security")

ACCOUNTS_FILE = "accounts"
KEY_FILE = "device-key"


class AccountBook:
    """Accounts by name; `realm` is the Digest realm their secrets are sealed for."""

    def __init__(self, store: Store, worker: Worker, realm: str) -> None:
        self.realm = realm
        self.writing = asyncio.Lock()
        self._store = store
        self._worker = worker
        self._accounts: dict[str, Account] = {}
        self._vault = Vault(new_key())
        # Secrets that were opened, each with the very account it was sealed in: every request of Digest asks for one.
        self._opened: dict[tuple[str, Algorithm], tuple[Account, str]] = {}

    async def load(self) -> bool:
        """Read the accounts; False when none were ever saved. Raises Invalid, Damaged, Unavailable."""
        data = await self._store.load(ACCOUNTS_FILE)
        self._take(read_accounts(data) if data is not None else {})
        self._vault = Vault(await self._load_key())
        return data is not None

    async def _load_key(self) -> bytes:
        """The device key; a damaged one is replaced, and the next log-in of each account seals anew with it."""
        try:
            key = await self._store.load(KEY_FILE)
        except Damaged:
            key = None  # the store has raised the alarm
        if key is None or len(key) != KEY_BYTES:
            key = new_key()
            await self._store.save(KEY_FILE, key)
        return key

    def get(self, name: str) -> Account | None:
        """The account of that name."""
        return self._accounts.get(name)

    def find(self, where: str, name: str) -> Account:
        """The account of that name. Raises NotFound with the nearest one."""
        account = self._accounts.get(name)
        if account is None:
            raise NotFound(where, f"no account {name!r}{nearest(name, self._accounts)}")
        return account

    def all(self) -> tuple[Account, ...]:
        """All accounts, by name."""
        return tuple(self._accounts[name] for name in sorted(self._accounts))

    def __len__(self) -> int:
        return len(self._accounts)

    def check_not_last(self, account: Account) -> None:
        """Raises Refused when without this account nobody could administer the device."""
        if [each for each in self._accounts.values() if each.level is AccountLevel.ADMIN] == [account]:
            raise Refused("accounts", f"{account.name!r} is the last administrator")

    async def new(self, name: str, password: str, level: AccountLevel, *, ptz: bool = False) -> Account:
        """An account, not kept yet. Raises Unavailable when too many hashes wait."""
        blank = Account(name=name, level=level, hash="", realm=self.realm, sha256="", md5="", ptz=ptz)
        return await self.with_password(blank, password)

    async def with_password(self, account: Account, password: str) -> Account:
        """An account with another password, not kept yet. Raises Unavailable when too many hashes wait."""
        return self._sealed(replace(account, hash=await self._worker.hash(password)), password)

    def _sealed(self, account: Account, password: str) -> Account:
        sealed = {each: self._vault.seal(account.name, self.realm, each, password) for each in Algorithm}
        return replace(account, realm=self.realm, sha256=sealed[Algorithm.SHA256], md5=sealed[Algorithm.MD5])

    def secret(self, account: Account, algorithm: Algorithm) -> str | None:
        """The HA1 of an account; None when its seal is of another key or realm."""
        place = (account.name, algorithm)
        known = self._opened.get(place)
        if known is not None and known[0] is account:
            return known[1]
        secret = self._vault.open(account, algorithm) if account.realm == self.realm else None
        if secret is not None and self.get(account.name) is account:
            self._opened[place] = (account, secret)
        return secret

    async def keep(self, account: Account) -> None:
        """Add or replace an account, durably. Raises Unavailable; then nothing has changed."""
        await self._save({**self._accounts, account.name: account})

    async def remove(self, account: Account) -> None:
        """Remove an account, durably. Raises Unavailable; then nothing has changed."""
        await self._save({name: kept for name, kept in self._accounts.items() if name != account.name})

    async def _save(self, accounts: Mapping[str, Account]) -> None:
        await self._store.save(ACCOUNTS_FILE, write_accounts(accounts.values()))
        self._take(dict(accounts))

    def _take(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts
        self._opened.clear()

    async def reseal(self, account: Account, password: str) -> None:
        """Make the Digest secrets anew when they were sealed for another realm or with a lost key."""
        if all(self.secret(account, algorithm) is not None for algorithm in Algorithm):
            return
        async with self.writing:
            if self.get(account.name) != account:
                return
            try:
                await self.keep(self._sealed(account, password))
            except Unavailable as error:
                # The log-in itself is good; Digest waits for the storage to work again.
                log.warning("Digest secrets of an account could not be renewed: %s", error)
