"""All pages of the reference by the names of their files."""

from __future__ import annotations

import importlib
import pkgutil

import firmware
from firmware.paths import CHECKOUT
from tools.reference.boards import nodes_page, pins_pages
from tools.reference.faces import api_page, cli_page, described
from tools.reference.parameters import parameters_page
from tools.reference.vocabulary import actions_page, events_page

FOLDER = CHECKOUT / "docs" / "reference"
# Modules that act when they are imported.
ACTING = ("__main__",)


def import_all() -> None:
    """Import every module of the firmware, so that everything that is declared somewhere is known."""
    for module in pkgutil.walk_packages(firmware.__path__, "firmware."):
        if module.name.rpartition(".")[2] not in ACTING:
            importlib.import_module(module.name)


def pages() -> dict[str, str]:
    """File name below docs/reference -> its text."""
    import_all()
    device = described()
    return {
        "parameters.md": parameters_page(),
        "events.md": events_page(),
        "actions.md": actions_page(device.actions),
        "boards.md": nodes_page(),
        "cli.md": cli_page(),
        "api.md": api_page(device),
        **pins_pages(),
    }
