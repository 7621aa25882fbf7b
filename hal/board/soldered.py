"""What every model of a board file is: strict and frozen; and what everything soldered has: a kind and its places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

from hal.board.fields import Name
from hal.types import LineRef


class Frozen(BaseModel):
    """Strict, frozen, and deaf to nothing: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Soldered(Frozen):
    """Anything on a board: `kind` is what it is to a service, `line_fields` take lines.

    The lines of each of `group_fields` are requested together, and so lie on one chip.
    """

    kind: ClassVar[str]
    group_fields: ClassVar[tuple[tuple[str, ...], ...]] = ()
    line_fields: ClassVar[tuple[str, ...]] = ()
    channel_fields: ClassVar[tuple[str, ...]] = ()

    alias: Name | None = None

    def lines(self) -> Iterator[tuple[str, LineRef]]:
        """Every line this node takes, with the field that says so."""
        return self._places(self.line_fields)

    def converter_channels(self) -> Iterator[tuple[str, LineRef]]:
        """Every converter channel this node takes, with the field that says so."""
        return self._places(self.channel_fields)

    @model_validator(mode="after")
    def _groups_are_on_one_chip(self) -> Self:
        for group in self.group_fields:
            places = dict(self._places(group))
            if len({place.bus for place in places.values()}) > 1:
                raise ValueError(f"{' and '.join(places)} must be lines of one chip: they are one request")
        return self

    def _places(self, names: tuple[str, ...]) -> Iterator[tuple[str, LineRef]]:
        for name in names:
            place = getattr(self, name)
            if place is not None:
                yield name, place
