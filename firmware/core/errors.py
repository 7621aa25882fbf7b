"""What goes wrong in the firmware, as one tree; every interface has one table error -> its own code.

    StationError
    +-- Invalid        the words are wrong: place, value, nearest valid one
    +-- NotFound       no such thing
    +-- Refused        understood, and not allowed
    |   +-- Forbidden  not for this caller
    +-- Busy           somebody else is at it; try again
    +-- Unsupported    this board or version cannot
    +-- Exhausted      a limit is reached: space, entries, connections
    +-- Unavailable    the owner does not answer (its process is restarting, its storage fails)

Expected outcomes (a denied card, an unreadable frame) are values, not exceptions.
"""

from __future__ import annotations


class StationError(Exception):
    """An answer that is no. `where` names the place (parameter, field, action), `code` the kind."""

    code = "error"

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
        self.message = message


class Invalid(StationError):
    """The words are wrong."""

    code = "invalid"


class NotFound(StationError):
    """No such thing."""

    code = "not_found"


class Refused(StationError):
    """Understood, and not allowed in this state."""

    code = "refused"


class Forbidden(Refused):
    """Not allowed for this caller."""

    code = "forbidden"


class SetupCodeRequired(Refused):
    """The first administrator must now prove to be at the device (hardening row 29)."""

    code = "setup_code_required"


class SetupDone(Refused):
    """There is an administrator already; only a factory reset goes back."""

    code = "setup_done"


class Busy(StationError):
    """Somebody else is at it."""

    code = "busy"


class Unsupported(StationError):
    """This board or this version cannot."""

    code = "unsupported"


class Exhausted(StationError):
    """A limit is reached."""

    code = "exhausted"


class Unavailable(StationError):
    """The owner does not answer, or its storage fails."""

    code = "unavailable"


ERRORS: dict[str, type[StationError]] = {
    kind.code: kind
    for kind in (
        Invalid,
        NotFound,
        Refused,
        Forbidden,
        SetupCodeRequired,
        SetupDone,
        Busy,
        Unsupported,
        Exhausted,
        Unavailable,
    )
}
