"""Parameters, group by group, with what each may be, its unit, default, who may change it and what a restore does."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import get_type_hints

from pydantic import BaseModel

from firmware.core.bus import Bus
from firmware.core.param_schema import unit_of
from firmware.core.params import Group, ParamInfo, Params, Scope
from hal.clock import SystemClock
from tools.reference.words import anchor, kind, page, said, shown, table


class NoKeeper:
    """Nothing is kept: declarations are read, no values."""

    async def load(self, name: str) -> bytes | None:
        """Nothing was saved."""
        return None

    async def save(self, name: str, data: bytes) -> None:
        """Nothing is saved."""


def groups() -> list[type[Group]]:
    """Every parameter group of the firmware that has been imported."""
    found: list[type[Group]] = []
    waiting = list(Group.__subclasses__())
    while waiting:
        group = waiting.pop()
        waiting += group.__subclasses__()
        if "group" in vars(group) and group.__module__.startswith("firmware."):
            found.append(group)
    return sorted(found, key=lambda group: group.group)


def infos_of(group: type[Group]) -> tuple[ParamInfo, ...]:
    """The declarations of a group, as the device lists them."""
    params = Params(NoKeeper(), Bus(SystemClock(), role="reference", boot="reference"), lambda file, why: None)
    params.declare(group)
    return params.infos(group.group)


def parameters_page() -> str:
    """The page."""
    intro = (
        "Every parameter by its group, read and changed with `lintel param`, with `GET` and `PATCH` of "
        "`/api/v1/params/{group}`, and on the page *Plain config* of the web interface. A board declares the groups of "
        "what it has. The default is that of the code; a product may have its own. A secret is never shown. Of a table "
        "of settings a change may name some, and keeps the rest."
    )
    return page("Parameters", intro, _parts())


def settings_of(group: type[Group]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The tables of a group that a board makes: what its methods answer for a name."""
    for method in (each for each in vars(group).values() if inspect.isfunction(each)):
        answers = get_type_hints(method).get("return")
        if inspect.isclass(answers) and issubclass(answers, BaseModel):
            yield said(method), answers


def _settings(model: type[BaseModel]) -> str:
    told = model.model_json_schema()
    rows = [
        (
            f"`{name}`",
            kind(own, told.get("$defs", {})),
            unit_of(name),
            shown(own["default"]) if "default" in own else "the product's",
        )
        for name, own in told["properties"].items()
    ]
    return table(("setting", "may be", "unit", "default"), rows)


def _parts() -> Iterator[str]:
    for group in groups():
        yield f"{anchor(group.group)}\n\n{said(group)}"
        for title, model in settings_of(group) if not group.model_fields else ():
            yield f"{title}\n\n{_settings(model)}"
        if not group.model_fields:
            continue
        rows = []
        for info in infos_of(group):
            schema = json.loads(info.schema)
            marks = [
                info.level.name.lower(),
                *(["secret"] if info.secret else []),
                *(["with the next start"] if info.restart else []),
                *(["kept by a restore"] if info.scope is Scope.KEEP else []),
            ]
            rows.append(
                (
                    f"`{info.name}`",
                    kind(schema, schema.get("$defs", {})),
                    info.unit,
                    shown(info.default),
                    ", ".join(marks),
                    info.summary,
                )
            )
        yield table(("name", "may be", "unit", "default", "changed by", "is"), rows)
