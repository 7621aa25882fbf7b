"""The command line, from what each command says of itself; and the routes of the native API, from its description."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.cli.main import COMMANDS, USAGE, run
from firmware.core.actions import Action
from firmware.core.context import Core
from firmware.interfaces.api.app import Api
from firmware.interfaces.video.views import Views
from tests.bench.sim import SimBench
from tools.reference.words import kind, page, table

COLUMNS = "100"


def cli_page() -> str:
    """The page of the command line."""
    intro = f"What each command says of itself with `--help`.\n\n```\n{USAGE.strip()}\n```"
    parts = [f"## `lintel {name}`\n\n```\n{_help(name).strip()}\n```" for name in COMMANDS]
    return page("The command line", intro, parts)


def _help(name: str) -> str:
    said = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            run([name, "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return said.getvalue()


def api_page(device: Described) -> str:
    """The page of the native API."""
    api, document = device.api, device.document
    intro = (
        "Below `/api/v1`; `GET /api/v1/openapi.json` describes each with its bodies. Basic over HTTPS and on loopback, "
        "Digest anywhere, sessions of the web interface. Errors are `{error: {code, where, message}}`. The level is "
        "the least that a caller needs; an action has its own besides."
    )
    rows = []
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            level = api.levels[(method.upper(), path)]
            rows.append(
                (
                    f"`{method.upper()} {path.removeprefix('/api/v1')}`",
                    level.name.lower(),
                    told["summary"],
                    ", ".join(_queries(told, document)),
                )
            )
    return page("Routes of the native API", intro, [table(("route", "level", "is", "query"), rows)])


def _queries(told: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    for each in told.get("parameters", ()):
        if each["in"] == "query":
            yield f"`{each['name']}`: {kind(each['schema'], document['components']['schemas'])}"


@dataclass(frozen=True, slots=True)
class Described:
    """What a running door station says of itself: its API, the description of that, the actions of its roles."""

    api: Api
    document: dict[str, Any]
    actions: tuple[Action, ...]


def described() -> Described:
    """A door station that runs in virtual time for as long as it takes to ask it."""
    found: list[Described] = []

    async def ask(bench: SimBench) -> None:
        core: Core = bench._network.core
        api = Api(core, views=Views(core, ()))
        answer = await api._openapi(None)  # type: ignore[arg-type] # it asks nothing of its request
        roles = (bench._control.core, core)
        actions = {action.name: action for role in roles for action in role.actions.listed()}
        found.append(Described(api, json.loads(bytes(answer.body)), tuple(actions.values())))

    with tempfile.TemporaryDirectory(prefix="lintel-reference-") as folder:
        bench = SimBench(Path(folder) / "state")
        bench.play(ask, {"bench": bench})
    return found[0]
