"""Who sends a request: reads what it carries and asks the accounts, by private actions. No password is compared here.

Basic is taken over HTTPS and from this machine only; Digest everywhere; a session's cookie where the face takes
cookies, and then whatever changes something must carry the session's token in a header (hardening row 39).
"""

from __future__ import annotations

import hmac
import ipaddress
import math
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

from starlette.types import Scope

from firmware.core.actions import Caller, Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import NotFound, Unavailable
from firmware.core.vocabulary.security import (
    AnonymousState,
    Asked,
    ChallengeParams,
    Challenges,
    Login,
    SessionToken,
    SessionView,
    SetupState,
    Verdict,
    VerifyBasic,
    VerifyDigest,
    may_be_kept,
)
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.http.face import Policy, Visitor
from firmware.interfaces.http.fields import Fields

T = TypeVar("T")

SELF = Caller("http", Level.SYSTEM, "http")
SAFE = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER = b"x-csrf-token"
ANONYMOUS = "anonymous"
PAGE_CHARS = 128
# The name tells the schemes apart: cookies know no ports, and one of HTTPS is not to be replaced over HTTP.
COOKIES = {"http": "lintel", "ws": "lintel", "https": "__Host-lintel", "wss": "__Host-lintel"}


def address_of(scope: Scope) -> str:
    """The address of the client, as the socket knows it; no header can change it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def via_of(scope: Scope, policy: Policy) -> str:
    """The way a request came: the face's own, or `cloud` through the dispatcher."""
    return str(scope.get("remote", policy.via))


@lru_cache(1024)
def from_here(address: str) -> bool:
    """Whether an address is of this machine."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def target_of(scope: Scope) -> str:
    """The request target as sent: path and query, still encoded."""
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    if query := scope.get("query_string"):
        target += b"?" + query
    return target.decode("latin-1")


def page_of(scope: Scope) -> str:
    """What is asked for, as logs name it: the path without its query."""
    return str(scope["path"])[:PAGE_CHARS]


def password_allowed(scope: Scope) -> bool:
    """Whether a password may come as it is: nobody on the way can read it."""
    return scope["scheme"] in ("https", "wss") or from_here(address_of(scope))


def session_of(scope: Scope) -> str:
    """The session in which a request was let in, as facts call it; empty without one."""
    visitor: Visitor | None = scope.get("visitor")
    return visitor.session if visitor is not None else ""


def cookie_of(scope: Scope) -> str:
    """The session's secret in the request's cookies; empty when there is none."""
    wanted = COOKIES[scope["scheme"]]
    # Not by http.cookies: unquoting a long value takes it seconds (CVE-2024-7592), and ours is never quoted.
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for header in (value.decode("latin-1") for field, value in headers if field == b"cookie"):
        for pair in header.split(";"):
            name, _, value = pair.partition("=")
            if name.strip() == wanted:
                return str(value.strip())
    return ""


def basic_of(text: str) -> tuple[str, str] | None:
    """Name and password of a Basic header; None when it cannot be read."""
    try:
        name, colon, password = b64decode(text.strip(), validate=True).decode().partition(":")
    except (NotBase64, UnicodeDecodeError, ValueError):
        return None
    return (name, password) if colon else None


def asked(
    method: str, target: str, path: str, address: str, via: str, compatible: bool, also: tuple[str, ...]
) -> Asked:
    """What a request asks for."""
    return Asked(
        method=method, target=target, address=address, via=via, page=path[:PAGE_CHARS], compatible=compatible,
        also=also,
    )  # fmt: skip


# Made once for those that ask the same; so few, because strangers fill them too.
known_asked = lru_cache(128)(asked)


def digest_of(scope: Scope, text: str, policy: Policy) -> VerifyDigest:
    """What the accounts are asked about a Digest header, whose scheme is left out of `text`."""
    target = target_of(scope)
    make = known_asked if may_be_kept(target) else asked
    found = make(
        scope.get("method", "GET"), target, scope["path"], address_of(scope), via_of(scope, policy),
        policy.compatible, scope.get("also", ()),
    )  # fmt: skip
    return VerifyDigest(fields=text, asked=found)


def throttled(verdict: Verdict) -> HttpRefusal:
    """The refusal of whoever has to wait."""
    wait = str(math.ceil(verdict.retry_s))
    message = f"too many failures; try again in {wait} s"
    return HttpRefusal(429, "throttled", "authorization", message, [("retry-after", wait)])


@lru_cache(1024)
def known(name: str, level: Level, via: str, ptz: bool, scheme: str, address: str) -> Visitor:
    """Somebody who showed name and password, the same for each of its requests."""
    return Visitor(caller=Caller(name, level, via, ptz), scheme=scheme, address=address)


class Credentials:
    """Turns requests into visitors, or into a 401 with challenges."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def visitor(self, scope: Scope, fields: Fields, policy: Policy, *, optional: bool = False) -> Visitor:
        """Who asks; `optional`: without credentials it is nobody. Raises HttpRefusal (401, 403, 429), Unavailable."""
        scheme, _, rest = fields.get(b"authorization").partition(" ")
        scheme = scheme.lower()
        if scheme == "digest":
            question = digest_of(scope, rest, policy)
            verdict = await self.ask("accounts.verify_digest", question, Verdict)
            if verdict.login is not Login.GRANTED:
                raise await self._refusal(scope, policy, verdict)
            by = question.asked
            return known(verdict.name, verdict.level, by.via, verdict.ptz, scheme, by.address)
        if scheme == "basic" and password_allowed(scope):
            verdict = await self._basic(scope, rest, policy)
            if verdict.login is not Login.GRANTED:
                raise await self._refusal(scope, policy, verdict)
            via, address = via_of(scope, policy), address_of(scope)
            return known(verdict.name, verdict.level, via, verdict.ptz, scheme, address)
        if not scheme:
            found = await self._session(scope, fields, policy) if policy.cookies else None
            found = found or self._anonymous(scope, policy, optional=optional)
            if found is not None:
                return found
        raise await self.challenge(scope, policy, self._missing())

    async def challenge(self, scope: Scope, policy: Policy, message: str, *, stale: bool = False) -> HttpRefusal:
        """The question for a name and password."""
        params = ChallengeParams(stale=stale, compatible=policy.compatible, counted=policy.counted)
        challenges = await self.ask("accounts.challenge", params, Challenges)
        offers = [("www-authenticate", offer) for offer in challenges.digest]
        if password_allowed(scope):
            offers.append(("www-authenticate", f'Basic realm="{challenges.realm}", charset="UTF-8"'))
        return HttpRefusal(401, "unauthenticated", "authorization", message, offers)

    async def _refusal(self, scope: Scope, policy: Policy, verdict: Verdict) -> HttpRefusal:
        """What is said to whoever was not let in."""
        if verdict.login is Login.THROTTLED:
            return throttled(verdict)
        stale = verdict.login is Login.STALE
        message = "the nonce is spent; answer the new challenge" if stale else "name or password is wrong"
        return await self.challenge(scope, policy, message, stale=stale)

    def _missing(self) -> str:
        setup = self._core.bus.state(SetupState)
        if setup is not None and setup.needed:
            return "there is no administrator yet: POST /api/v1/setup makes one"
        return "log in"

    def _anonymous(self, scope: Scope, policy: Policy, *, optional: bool) -> Visitor | None:
        if "remote" in scope:
            return None  # whoever comes from the cloud always logs in
        allowed = self._core.bus.state(AnonymousState)
        address = address_of(scope)
        if allowed is not None and allowed.viewing:
            caller = Caller(ANONYMOUS, Level.VIEWER, via_of(scope, policy), allowed.ptz)
            return Visitor(caller=caller, scheme="anonymous", address=address)
        if optional:
            return Visitor(
                caller=Caller(address, Level.ANONYMOUS, via_of(scope, policy)), scheme="none", address=address
            )
        return None

    async def _session(self, scope: Scope, fields: Fields, policy: Policy) -> Visitor | None:
        token = cookie_of(scope)
        if not token:
            return None
        session = await self.ask("accounts.session", SessionToken(token=token), SessionView)
        if not session.name:
            return None
        if scope["type"] == "http" and scope["method"] not in SAFE:
            sent = fields.get(CSRF_HEADER)
            if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
                raise HttpRefusal(403, "forbidden", CSRF_HEADER.decode(), "is not the token of this session")
        caller = Caller(session.name, session.level, via_of(scope, policy), session.ptz)
        return Visitor(caller=caller, scheme="session", address=address_of(scope), session=session.id)

    async def _basic(self, scope: Scope, text: str, policy: Policy) -> Verdict:
        found = basic_of(text)
        if found is None:
            return Verdict(login=Login.REFUSED)
        asked = VerifyBasic(
            name=found[0], password=found[1], address=address_of(scope), via=via_of(scope, policy), page=page_of(scope)
        )
        return await self.ask("accounts.verify_basic", asked, Verdict)

    async def ask(self, action: str, params: object, answer: type[T]) -> T:
        """Ask the accounts. Raises Unavailable while they are not there."""
        try:
            return await self._core.link.invoke(Invocation(action=action, params=params, caller=SELF), answer)
        except NotFound:
            raise Unavailable("accounts", "the accounts are not there; try again in a moment") from None
