"""Words of the security room: accounts, first set-up, log-in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from firmware.core.actions import Level
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
    """A log-in failed; the name as sent is not repeated when no such account exists.

    `page` is what was asked for; `unsaid` counts failures before this one that a flood left no room to tell of.
    """

    name: str
    address: str
    via: str
    page: str = ""
    unsaid: int = 0


@topic("security/login/granted")
@dataclass(frozen=True, slots=True, kw_only=True)
class LoginGranted(Pulse):
    """Somebody logged in: once for an account, address, interface and scheme, and again after a quiet while."""

    name: str
    address: str
    via: str
    scheme: str


@topic("security/login/blocked")
@dataclass(frozen=True, slots=True, kw_only=True)
class LoginBlocked(Pulse):
    """No log-in is taken from an address for `period_s` seconds: it failed too often in a second (`reach`)."""

    address: str
    reach: str
    period_s: float


@topic("security/refused")
@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRefused(Pulse):
    """A known account asked for what it may not do."""

    name: str
    address: str
    via: str
    page: str


class SessionEnd(StrEnum):
    """Why a session of the web is over."""

    LOGGED_OUT = "logged_out"
    REST = "rest"
    AGE = "age"
    ACCOUNT = "account"
    CROWDED = "crowded"
    STOPPED = "stopped"


@topic("security/session/ended")
@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Pulse):
    """A session of the web is over, and with it every stream that was opened in it; `session` is no secret."""

    name: str
    session: str
    why: SessionEnd


@topic("security/anonymous")
@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymousState(State):
    """What somebody may do without an account: watch, and move the camera."""

    viewing: bool
    ptz: bool


@topic("security/login/seen")
@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSeen(Pulse):
    """An administrator has logged in while the device shows a failure of an upgrade: somebody knows of it."""

    name: str


# Who does something without an account, as events and logs call them: nobody may pass for one of these.
OWN_NAMES = frozenset({"anonymous", "cloud", "console", "http", "panel", "rules", "system", "unknown", "web"})
AccountName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,32}$")]
Password = Annotated[str, Field(pattern=r"^[ -~]{1,64}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupParams:
    """The first administrator; `code` once the open window has passed."""

    name: AccountName
    password: Password = field(repr=False)
    code: Annotated[str, Field(max_length=64)] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupCode:
    """The code that the first administrator is asked for, for the console; empty when set-up is done."""

    code: str = field(repr=False)


class AccountLevel(StrEnum):
    """What an account may do: watch; work doors and entries; everything."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAdd:
    """A new account; `ptz` lets a viewer move the camera."""

    name: AccountName
    password: Password = field(repr=False)
    level: AccountLevel = AccountLevel.VIEWER
    ptz: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What changes of an account; None stays."""

    name: AccountName
    password: Password | None = field(default=None, repr=False)
    level: AccountLevel | None = None
    ptz: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPassword:
    """A new password for the caller's own account, who proves to know the present one."""

    current: Annotated[str, Field(max_length=64)] = field(repr=False)
    new: Password = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRef:
    """One account by name."""

    name: AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account as shown."""

    name: str
    level: AccountLevel
    ptz: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountList:
    """All accounts, by name."""

    accounts: tuple[AccountView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyBasic:
    """A name and a password as an interface received them, from `address`, over the interface `via`.

    `page` is what was asked for (a path without its query); `scheme` how the password came.
    """

    name: str
    password: str = field(repr=False)
    address: str
    via: str
    page: str = ""
    scheme: str = "basic"


# What is longer is made anew each time: strangers fill what is remembered, too.
KEPT_CHARS = 256


def may_be_kept(target: str) -> bool:
    """Whether what is asked for may be remembered: short, and without a query, which may hold a password."""
    return len(target) <= KEPT_CHARS and "?" not in target


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, and whence it came: a Digest answer is good for this request alone.

    `target` is the request target as sent: path and query, still encoded; `page` the path; `also` what else a client
    may call the same thing. `compatible` takes what older clients send: no `qop`, a `uri` without the query.
    """

    method: str
    target: str = field(repr=False)  # a query may hold a password
    address: str
    via: str
    page: str = ""
    compatible: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDigest:
    """The fields of a Digest header as received, with the request they came on (RFC 7616)."""

    fields: str = field(repr=False)
    asked: Asked


class Login(StrEnum):
    """How a log-in went. STALE: the secret was right, the nonce is spent; ask again with a new one."""

    GRANTED = "granted"
    REFUSED = "refused"
    STALE = "stale"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who it is, when `login` is GRANTED; when THROTTLED, after how many seconds to try again."""

    login: Login
    name: str = ""
    level: Level = Level.ANONYMOUS
    ptz: bool = False
    retry_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeParams:
    """What a Digest challenge says besides its nonce; `compatible`: MD5 alone, because older clients know no other.

    Without `counted` it asks for no count (no `qop`), in the words of RFC 2069: clients of RTSP know nothing else.
    """

    stale: bool = False
    compatible: bool = False
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenges:
    """Values of WWW-Authenticate in order of preference; `realm` for the interface's own schemes."""

    digest: tuple[str, ...]
    realm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionToken:
    """The secret of a session, as its cookie carries it."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """How opening a session went; when GRANTED, its secret and the token that changes must carry (row 39)."""

    verdict: Verdict
    token: str = field(default="", repr=False)
    csrf: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """Whose session it is; `name` is empty when there is no such session (any more). `id` is what facts call it."""

    name: str = ""
    id: str = ""
    level: Level = Level.ANONYMOUS
    ptz: bool = False
    csrf: str = field(default="", repr=False)
