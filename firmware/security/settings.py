"""Parameters of the accounts and of the log-in."""

from __future__ import annotations

from typing import ClassVar

from firmware.core.actions import Level
from firmware.core.params import Group, param


class AccountSettings(Group):
    """Who gets in without an account, and what Digest may use."""

    group: ClassVar[str] = "accounts"

    anonymous_viewing: bool = param(False, "Anybody may watch as a viewer without logging in.")
    anonymous_ptz: bool = param(False, "Anybody may pan, tilt and zoom without logging in.")
    digest_md5: bool = param(True, "Digest with MD5 is offered and taken; older clients know nothing else.")


class BruteForceSettings(Group):
    """When an address that guesses passwords is blocked, besides the waits that always grow."""

    group: ClassVar[str] = "brute_force"
    level: ClassVar[Level] = Level.ADMIN

    blocking: bool = param(True, "Block an address that fails too often.")
    period_s: int = param(10, "How long a block lasts, in seconds.", ge=1, le=86400)
    page_failures_per_s: int = param(10, "Failures a second that one address may have on one page.", ge=1, le=1000)
    device_failures_per_s: int = param(20, "Failures a second that one address may have altogether.", ge=1, le=1000)
