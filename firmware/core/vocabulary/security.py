"""Words of the security room: accounts, first set-up, log-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from firmware.core.events import Pulse, State, topic


@topic("security/setup")
@dataclass(frozen=True, slots=True, kw_only=True)
class SetupState(State):
    """Whether an administrator exists; while none does, whether the setup code is asked (hardening row 29)."""

    needed: bool
    code_required: bool


@topic("security/account")
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged(Pulse):
    """An account was created, changed or removed."""

    name: str
    level: str
    change: str
    by: str


@topic("security/login/failed")
@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Pulse):
    """A log-in failed; the name as sent is not repeated when no such account exists."""

    name: str
    address: str
    via: str


AccountName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,32}$")]
Password = Annotated[str, Field(pattern=r"^[ -~]{1,64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupParams:
    """The first administrator; `code` once the open window has passed."""

    name: AccountName
    password: Password
    code: Annotated[str, Field(max_length=64)] | None = None
