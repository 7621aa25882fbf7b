"""Accounts for programs: pwdgrp.cgi and usergroup.cgi.

The sentences of the answers are what clients look for. Names are shorter and plainer here than in the native API: the
limits of this address are those its clients know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.responses import Response

from firmware.core.actions import Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Forbidden, Invalid, NotFound, Refused, StationError
from firmware.core.vocabulary.security import (
    AccountAdd,
    AccountChange,
    AccountLevel,
    AccountList,
    AccountRef,
    AccountView,
    SetupParams,
    SetupState,
)
from firmware.interfaces.vapix.asked import Address, Asked, plain

HTML = "text/html; charset=utf-8"
NAME = re.compile(r"[a-zA-Z0-9]{1,14}")
PASSWORD = re.compile(r"[ -~]{1,64}")
GROUPS = {"admin", "operator", "viewer", "ptz"}
# Every group a level stands for, the highest first.
LEVELS = ((AccountLevel.ADMIN, "admin"), (AccountLevel.OPERATOR, "operator"), (AccountLevel.VIEWER, "viewer"))
REACH = {
    AccountLevel.ADMIN: ("admin", "operator", "viewer"),
    AccountLevel.OPERATOR: ("operator", "viewer"),
    AccountLevel.VIEWER: ("viewer",),
}
RANKS = (Level.ADMIN, Level.OPERATOR, Level.VIEWER)
NO_NAME = "Error: account user name."
NO_LOG = "Error: consult the system log file."
TAKEN = "Error: this user name already exists, consult the system log file"
NOT_FIRST = "Error: not a valid initial admin user."
FIRST = "Error: initial admin user must be created first."


class UserCgis:
    """Accounts as groups of names."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def addresses(self) -> tuple[Address, ...]:
        """The addresses; the first account is made by somebody without log-in."""
        return (
            Address(path="/axis-cgi/pwdgrp.cgi", endpoint=self._pwdgrp, level=Level.ANONYMOUS),
            Address(path="/axis-cgi/admin/pwdgrp.cgi", endpoint=self._pwdgrp, level=Level.ANONYMOUS),
            Address(path="/axis-cgi/usergroup.cgi", endpoint=self._usergroup, level=Level.VIEWER),
        )

    async def _usergroup(self, asked: Asked) -> Response:
        """Who asks, and which groups that is."""
        caller = asked.caller
        words = [
            name
            for level, name in zip((3, 2, 1), ("admin", "operator", "viewer"), strict=True)
            if caller.level >= level
        ]
        if caller.level >= Level.OPERATOR or caller.ptz:
            words.append("ptz")
        return plain(f"{caller.name}\n{' '.join([caller.name, *words])}\n")

    async def _pwdgrp(self, asked: Asked) -> Response:
        """get, add, update, remove. Raises Forbidden."""
        words = await asked.arguments()
        action = words.get("action", "")
        setup = self._core.bus.state(SetupState)
        if setup is not None and setup.needed:
            return await self._first(asked, words) if action == "add" else html(FIRST)
        asked.needs(Level.ADMIN)
        doing = {"get": self._get, "add": self._add, "update": self._update, "remove": self._remove}.get(action)
        if doing is None:
            return html(
                f"Error: malformed action operation, {one(action)}." if action else "Error: action operation type."
            )
        try:
            return await doing(asked, words)
        except Forbidden:
            raise
        except Refused as error:
            return html(TAKEN if "exists" in error.message else NO_LOG)
        except NotFound:
            return html(NO_NAME)
        except (Invalid, StationError):
            return html(NO_LOG)

    async def _first(self, asked: Asked, words: Mapping[str, str]) -> Response:
        """The first administrator, as the native API makes it: only within the open window, or with the code."""
        groups = set(words.get("sgrp", "").split(":")) & GROUPS
        name, password = words.get("user", ""), words.get("pwd", "")
        if "admin" not in groups or not NAME.fullmatch(name) or not PASSWORD.fullmatch(password):
            return html(NOT_FIRST)
        params = SetupParams(name=name, password=password, code=words.get("code"))
        invocation = Invocation(action="accounts.setup", params=params, caller=asked.caller)
        try:
            await self._core.link.invoke(invocation, AccountView)
        except Refused as error:
            return html(f"Error: {error.message}.", 403)
        return html(f"Created account {name}.")

    async def _get(self, asked: Asked, _: Mapping[str, str]) -> Response:
        listed = await self._core.link.invoke(self._ask(asked, "accounts.list"), AccountList)
        names: dict[str, list[str]] = {group: [] for group in ("admin", "operator", "viewer", "ptz", "digusers")}
        for account in listed.accounts:
            for group in REACH[account.level]:
                names[group].append(account.name)
            if account.ptz or account.level is not AccountLevel.VIEWER:
                names["ptz"].append(account.name)
            names["digusers"].append(account.name)
        return plain("".join(f'{group}="{",".join(members)}"\n' for group, members in names.items()))

    async def _add(self, asked: Asked, words: Mapping[str, str]) -> Response:
        name, password = words.get("user", ""), words.get("pwd", "")
        level = level_of(words.get("sgrp", ""))
        if not NAME.fullmatch(name):
            return html(NO_NAME)
        if level is None or not PASSWORD.fullmatch(password):
            return html(NO_LOG)
        listed = await self._core.link.invoke(self._ask(asked, "accounts.list"), AccountList)
        if any(account.name == name for account in listed.accounts):
            return html(TAKEN)
        add = AccountAdd(name=name, password=password, level=level, ptz="ptz" in words["sgrp"].split(":"))
        await self._core.link.invoke(self._ask(asked, "accounts.add", add), AccountView)
        return html(f"Created account {name}.")

    async def _update(self, asked: Asked, words: Mapping[str, str]) -> Response:
        """Password, groups or both."""
        name = words.get("user", "")
        password = words.get("pwd")
        level = level_of(words["sgrp"]) if "sgrp" in words else None
        if not NAME.fullmatch(name):
            return html(NO_NAME)
        if ("sgrp" in words and level is None) or (password is not None and not PASSWORD.fullmatch(password)):
            return html(NO_LOG)
        ptz = "ptz" in words["sgrp"].split(":") if "sgrp" in words else None
        change = AccountChange(name=name, password=password, level=level, ptz=ptz)
        await self._core.link.invoke(self._ask(asked, "accounts.change", change), AccountView)
        return html(f"Modified account {name}.")

    async def _remove(self, asked: Asked, words: Mapping[str, str]) -> Response:
        name = words.get("user", "")
        if not NAME.fullmatch(name):
            return html(NO_NAME)
        await self._core.link.invoke(self._ask(asked, "accounts.remove", AccountRef(name=name)), Nothing)
        return html(f"Removed account {name}.")

    def _ask(self, asked: Asked, action: str, params: object | None = None) -> Invocation:
        if params is None:
            return Invocation(action=action, caller=asked.caller)
        return Invocation(action=action, params=params, caller=asked.caller)


def level_of(sgrp: str) -> AccountLevel | None:
    """The level that a list of groups stands for; None for a list with an unknown group or no role."""
    groups = set(sgrp.split(":"))
    if not groups <= GROUPS:
        return None
    return next((level for level, group in LEVELS if group in groups), None)


def one(text: str) -> str:
    """Outside text in an answer that browsers show: letters, digits and underscores only."""
    return re.sub(r"[^A-Za-z0-9_]", "?", text[:40])


def html(text: str, status: int = 200) -> Response:
    """A sentence, in the media type that clients look for."""
    return plain(f"<html><body>{text}</body></html>\n", status, HTML)
