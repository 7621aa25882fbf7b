"""The private actions by which interfaces ask who somebody is: passwords, Digest answers, sessions.

There is one such desk on a device, so all interfaces share its throttle, whatever protocol they speak.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware.core.actions import NOTHING, ActionTable, Invocation, Level, Nothing
from firmware.core.vocabulary.security import (
    ChallengeParams,
    Challenges,
    SessionOpened,
    SessionToken,
    SessionView,
    Verdict,
    VerifyBasic,
    VerifyDigest,
)
from firmware.security.digest import Algorithm, challenge
from firmware.security.login import Doorkeeper
from hal.clock import Clock


class LoginDesk:
    """Owner of the log-in's actions; `check` raises while the accounts cannot be used."""

    def __init__(self, doorkeeper: Doorkeeper, realm: str, clock: Clock, check: Callable[[], None]) -> None:
        self._doorkeeper = doorkeeper
        self._realm = realm
        self._clock = clock
        self._check = check

    def register(self, actions: ActionTable) -> None:
        """Add the actions."""
        for name, params, owner, answer, summary in (
            ("accounts.verify_basic", VerifyBasic, self._basic, Verdict, "Check a name and password."),
            ("accounts.verify_digest", VerifyDigest, self._digest, Verdict, "Check a Digest answer."),
            ("accounts.challenge", ChallengeParams, self._challenge, Challenges, "Make Digest challenges."),
            ("accounts.session_open", VerifyBasic, self._open, SessionOpened, "Check a password, open a session."),
            ("accounts.session", SessionToken, self._session, SessionView, "Whose session it is."),
            ("accounts.session_close", SessionToken, self._close, Nothing, "End a session."),
        ):
            actions.register(name, params, owner, summary=summary, answer=answer, private=True, level=Level.SYSTEM)

    async def _basic(self, invocation: Invocation) -> Verdict:
        assert isinstance(invocation.params, VerifyBasic)
        self._check()
        return await self._doorkeeper.basic(invocation.params)

    async def _digest(self, invocation: Invocation) -> Verdict:
        assert isinstance(invocation.params, VerifyDigest)
        self._check()
        return self._doorkeeper.digest(invocation.params)

    async def _challenge(self, invocation: Invocation) -> Challenges:
        params = invocation.params
        assert isinstance(params, ChallengeParams)
        nonce = self._doorkeeper.nonces.fresh(self._clock.now_ns())
        offered = [each for each in Algorithm if self._doorkeeper.md5 or each is not Algorithm.MD5]
        if params.compatible and Algorithm.MD5 in offered:
            offered = [Algorithm.MD5]
        offers = tuple(
            challenge(self._realm, nonce, each, stale=params.stale, counted=params.counted) for each in offered
        )
        return Challenges(digest=offers, realm=self._realm)

    async def _open(self, invocation: Invocation) -> SessionOpened:
        assert isinstance(invocation.params, VerifyBasic)
        self._check()
        return await self._doorkeeper.open_session(invocation.params)

    async def _session(self, invocation: Invocation) -> SessionView:
        assert isinstance(invocation.params, SessionToken)
        self._check()
        return self._doorkeeper.session(invocation.params.token)

    async def _close(self, invocation: Invocation) -> Nothing:
        assert isinstance(invocation.params, SessionToken)
        self._doorkeeper.sessions.close(invocation.params.token)
        return NOTHING
