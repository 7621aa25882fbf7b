"""Before a deletion is answered: it has to survive a later rollback to older settings as well.

The room of upgrades keeps a list of deletions for that (docs/upgrade.md, Revocations). Owners of things that can be
deleted ask here after the deletion and before they answer.
"""

from __future__ import annotations

from firmware.core.actions import SYSTEM, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.errors import NotFound

KEPT = "deletions.kept"


async def deletions_kept(core: Core, *, cause: str | None = None) -> None:
    """Return once every deletion published so far is on the medium; at once where there are no upgrades.

    Raises Unavailable: it was deleted, and a rollback could bring it back until the medium works again.
    """
    try:
        await core.link.invoke(Invocation(action=KEPT, caller=SYSTEM, cause=cause), Nothing)
    except NotFound:
        return  # this device cannot go back to older settings
