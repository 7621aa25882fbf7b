"""What is wrong with a rule, and where in it; the parameter group and the log say it in their own form."""

from __future__ import annotations

Place = tuple[str | int, ...]


class Misplaced(ValueError):
    """Something in a rule that cannot be: `place` within the rule or rules, the value `got`, `missing` without one."""

    def __init__(self, place: Place, message: str, got: object, *, missing: bool = False) -> None:
        super().__init__(f"{'.'.join(str(part) for part in place)}: {message}")
        self.place = place
        self.message = message
        self.got = got
        self.missing = missing

    def within(self, *outer: str | int) -> Misplaced:
        """The same, seen from further out."""
        return Misplaced((*outer, *self.place), self.message, self.got, missing=self.missing)
