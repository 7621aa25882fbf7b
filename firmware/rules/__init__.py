"""The rules room: facts in, commands out. Locked rules are the product's, the others are written by people.

Manual 001, door schedule of the relay, for the locked ones.
"""

from firmware.rules.service import RulesService

__all__ = ["RulesService"]
