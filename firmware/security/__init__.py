"""Security: accounts, log-in, the first administrator. Interfaces reach it by actions only."""

from firmware.security.accounts import AccountsService
from firmware.security.throttle import Throttle

__all__ = ["AccountsService", "Throttle"]
