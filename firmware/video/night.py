"""Service `night_pictures`: cameras show colour behind their IR-cut filter, and black and white without it.

Manual 003, IR-cut filter: "Off: the image is in black and white". The filter itself is moved in control.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.vocabulary.watch import DayNightState
from firmware.video.source import Source


class NightPicturesService:
    """Follows `DayNightState`."""

    name: ClassVar[str] = "night_pictures"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"camera", "ir_cut"})

    def __init__(self, core: Core, sources: Mapping[str, Source]) -> None:
        self._core = core
        self._sources = sources

    async def start(self) -> None:
        """Show what fits the filter now."""
        self._follow(self._core.bus.state(DayNightState))

    async def run(self) -> None:
        """Follow the filter until cancelled."""
        with self._core.bus.subscribe(DayNightState) as notices:
            async for notice in notices:
                if isinstance(notice.event, DayNightState):
                    self._follow(notice.event)

    async def stop(self) -> None:
        """Colour again."""
        self._follow(None)

    def _follow(self, state: DayNightState | None) -> None:
        """A filter of which nothing is known is taken to be in its place."""
        for source in self._sources.values():
            source.show_colour(state is None or state.filter_in is not False)
