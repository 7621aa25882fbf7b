"""Who sends a request: reads the Authorization header and asks the accounts, by private actions.

Basic is taken over HTTPS and from this machine only; Digest everywhere. Nothing here compares a secret.
"""

from __future__ import annotations

import ipaddress
import math
from base64 import b64decode
from binascii import Error as NotBase64
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import Scope

from firmware.core.actions import Caller, Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import NotFound, Unavailable
from firmware.core.vocabulary.security import (
    ChallengeParams,
    Challenges,
    Login,
    SetupState,
    Verdict,
    VerifyBasic,
    VerifyDigest,
)
from firmware.interfaces.api.errors import HttpRefusal

T = TypeVar("T")

VIA = "api"
SELF = Caller(VIA, Level.SYSTEM, VIA)


def address_of(scope: Scope) -> str:
    """The address of the client, as the socket knows it; no header can change it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def via_of(scope: Scope) -> str:
    """The way a request came: `api`, or `cloud` through the dispatcher."""
    return str(scope.get("remote", VIA))


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
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    return bytes(path + (b"?" + query if query else b"")).decode("latin-1")


class Credentials:
    """Turns requests into callers, or into a 401 with challenges."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def caller(self, scope: Scope) -> Caller:
        """Who asks. Raises HttpRefusal (401, 429), Unavailable."""
        header = Headers(scope=scope).get("authorization", "")
        scheme, _, rest = header.partition(" ")
        if scheme.lower() == "digest":
            verdict = await self._digest(scope, rest)
        elif scheme.lower() == "basic" and self._basic_allowed(scope):
            verdict = await self._basic(scope, rest)
        else:
            raise await self._challenge(scope, self._missing())
        if verdict.login is Login.GRANTED:
            return Caller(verdict.name, verdict.level, via_of(scope))
        if verdict.login is Login.THROTTLED:
            wait = str(math.ceil(verdict.retry_s))
            message = f"too many failures; try again in {wait} s"
            raise HttpRefusal(429, "throttled", "authorization", message, [("retry-after", wait)])
        stale = verdict.login is Login.STALE
        message = "the nonce is spent; answer the new challenge" if stale else "name or password is wrong"
        raise await self._challenge(scope, message, stale=stale)

    def _missing(self) -> str:
        setup = self._core.bus.state(SetupState)
        if setup is not None and setup.needed:
            return "there is no administrator yet: POST /api/v1/setup makes one"
        return "log in"

    def _basic_allowed(self, scope: Scope) -> bool:
        return scope["scheme"] in ("https", "wss") or from_here(address_of(scope))

    async def _basic(self, scope: Scope, text: str) -> Verdict:
        try:
            name, colon, password = b64decode(text.strip(), validate=True).decode().partition(":")
        except (NotBase64, UnicodeDecodeError, ValueError):
            return Verdict(login=Login.REFUSED)
        if not colon:
            return Verdict(login=Login.REFUSED)
        asked = VerifyBasic(name=name, password=password, address=address_of(scope), via=via_of(scope))
        return await self._ask("accounts.verify_basic", asked, Verdict)

    async def _digest(self, scope: Scope, text: str) -> Verdict:
        asked = VerifyDigest(
            method=scope.get("method", "GET"),
            target=target_of(scope),
            fields=text,
            address=address_of(scope),
            via=via_of(scope),
        )
        return await self._ask("accounts.verify_digest", asked, Verdict)

    async def _challenge(self, scope: Scope, message: str, *, stale: bool = False) -> HttpRefusal:
        challenges = await self._ask("accounts.challenge", ChallengeParams(stale=stale), Challenges)
        offers = [("www-authenticate", offer) for offer in challenges.digest]
        if self._basic_allowed(scope):
            offers.append(("www-authenticate", f'Basic realm="{challenges.realm}", charset="UTF-8"'))
        return HttpRefusal(401, "unauthenticated", "authorization", message, offers)

    async def _ask(self, action: str, params: object, answer: type[T]) -> T:
        try:
            return await self._core.link.invoke(Invocation(action=action, params=params, caller=SELF), answer)
        except NotFound:
            raise Unavailable("accounts", "the accounts are not there; try again in a moment") from None
