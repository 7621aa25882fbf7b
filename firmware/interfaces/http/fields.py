"""Header fields of a request by name: looked up in one step, because every request passes here."""

from __future__ import annotations

from collections.abc import Sequence


class Fields:
    """The first field of each name, as text; names are lower-case bytes, as the server gives them."""

    __slots__ = ("_found", "_raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._found: dict[bytes, bytes] = dict(reversed(raw))  # the last to come stays, so the first of the request

    def get(self, name: bytes, default: str = "") -> str:
        """The value of a field, or the default when it was not sent."""
        value = self._found.get(name)
        return default if value is None else value.decode("latin-1")

    def is_twice(self, name: bytes) -> bool:
        """Whether there is more than one field of that name."""
        return len(self._found) < len(self._raw) and sum(each == name for each, _ in self._raw) > 1

    def __contains__(self, name: bytes) -> bool:
        return name in self._found
