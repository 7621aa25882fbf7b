"""The pages: one file each, with one function `build(view)`; this table is the navigation.

To add a page: write `pages/NAME.py` with `async def build(view: View) -> None`, add its line here, its texts to the
catalogues (`make messages`) and a line to docs/web.md. Whoever is below `level` neither sees it nor gets it; a page
whose `needs` the board has not is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from firmware.core.actions import Level
from firmware.interfaces.web.words import N_

if TYPE_CHECKING:
    from firmware.interfaces.web.view import View

Build = Callable[["View"], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: where it is, what it is called, its symbol (Material), who gets it, what it takes of the board.

    `needs`: any one of these capabilities; empty: none. `listed`: in the navigation.
    """

    name: str
    path: str
    title: str
    icon: str
    level: Level = Level.VIEWER
    needs: frozenset[str] = frozenset()
    listed: bool = True

    def fits(self, capabilities: Collection[str]) -> bool:
        """Whether the board has what the page is about."""
        return not self.needs or not self.needs.isdisjoint(capabilities)

    def builder(self) -> Build:
        """The function that builds it; its module is loaded now."""
        return cast(Build, import_module(f"{__name__}.{self.name}").build)


READER = frozenset({"reader"})
TERMINALS = frozenset({"relay", "port"})

PAGES = (
    Page(name="status", path="/", title=N_("Status"), icon="home"),
    Page(name="reader", path="/reader", title=N_("Reader"), icon="contactless", level=Level.OPERATOR, needs=READER),
    Page(name="doors", path="/doors", title=N_("Door and I/O ports"), icon="door_front", needs=TERMINALS),
    Page(name="video", path="/video", title=N_("Video"), icon="videocam", needs=frozenset({"camera"})),
    Page(name="audio", path="/audio", title=N_("Audio"), icon="volume_up", needs=frozenset({"speaker", "microphone"})),
    Page(name="check", path="/check", title=N_("Configuration check"), icon="fact_check", level=Level.OPERATOR),
    Page(name="accounts", path="/accounts", title=N_("Accounts"), icon="group", level=Level.ADMIN),
    Page(name="certificates", path="/certificates", title=N_("Certificates"), icon="badge", level=Level.ADMIN),
    Page(name="network", path="/network", title=N_("Network and discovery"), icon="lan", level=Level.ADMIN),
    Page(name="time", path="/time", title=N_("Time and location"), icon="schedule", level=Level.ADMIN),
    Page(name="maintenance", path="/maintenance", title=N_("Maintenance"), icon="build", level=Level.ADMIN),
    Page(name="logs", path="/logs", title=N_("Logs and reports"), icon="receipt_long", level=Level.ADMIN),
    Page(name="config", path="/config", title=N_("Plain config"), icon="tune", level=Level.ADMIN),
    Page(name="wizard", path="/wizard", title=N_("First steps"), icon="flag", level=Level.ADMIN, listed=False),
    Page(name="password", path="/password", title=N_("Own password"), icon="key", listed=False),
)  # fmt: skip
