"""Parameters: wishes, writable; typed groups with default, limits, level, reset scope and secrecy.

A service declares its groups before they are loaded. Reading is from memory; a change is checked
whole, saved durably, then visible and announced. A damaged or outdated saved value never stops the
device: it falls back to the default, with an alarm.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict

from firmware.core.actions import Caller, Level
from firmware.core.bus import Bus
from firmware.core.errors import Forbidden, Invalid, NotFound, Unavailable
from firmware.core.param_schema import schemas_of, unit_of
from firmware.core.store_file import Damaged
from firmware.core.values import explain, short
from firmware.core.vocabulary.station import ParamsChanged
from hal.errors import nearest


class Scope(StrEnum):
    """What a restore does to a parameter: back to the default, or kept (network identity only)."""

    RESET = "reset"
    KEEP = "keep"


class Group(BaseModel):
    """Base of a parameter group; `group` is its name, `level` who may read it."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    group: ClassVar[str]
    level: ClassVar[Level] = Level.VIEWER


G = TypeVar("G", bound=Group)


def param(
    default: Any,
    summary: str,
    *,
    level: Level = Level.ADMIN,
    scope: Scope = Scope.RESET,
    secret: bool = False,
    restart: bool = False,
    **limits: Any,
) -> Any:
    """Declare one parameter: default, one sentence, who may change it, reset scope, secrecy, pydantic limits.

    `restart`: a change is followed only with the next start; where it is not said, at once.
    """
    extra: JsonDict = {"level": int(level), "scope": scope.value, "secret": secret, "restart": restart}
    if callable(default):
        return Field(default_factory=default, description=summary, json_schema_extra=extra, **limits)
    return Field(default=default, description=summary, json_schema_extra=extra, **limits)


def part_over(model: type[BaseModel], name: str, current: Callable[[str], BaseModel]) -> Callable[[object], object]:
    """A check for a parameter that is a table of settings: a change that names only some keeps the others.

    `current(name)` answers the settings now. Raises ValueError for an unknown setting, with the nearest one.
    """

    def complete(given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        for setting in given:
            if setting not in model.model_fields:
                raise ValueError(f"unknown setting {short(str(setting))!r}{nearest(str(setting), model.model_fields)}")
        return {**current(name).model_dump(mode="json"), **given}

    return complete


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamInfo:
    """One declared parameter, for lists and forms; `default` is JSON-ready, and masked when secret.

    `schema` is the JSON schema of its value as text (type, limits, choices); `unit` is empty for what has none;
    `restart` says that a change is followed only with the next start.
    """

    group: str
    name: str
    summary: str
    level: Level
    scope: Scope
    secret: bool
    default: object
    restart: bool = False
    schema: str = "{}"
    unit: str = ""


class Keeper(Protocol):
    """Where a group's text is kept durably; `core.store` is one."""

    async def load(self, name: str) -> bytes | None:
        """The saved bytes, verified, or None when never saved."""

    async def save(self, name: str, data: bytes) -> None:
        """Save durably. Raises Unavailable."""


MASK = "*****"


class Params:
    """The parameter groups of one role."""

    def __init__(self, keeper: Keeper, bus: Bus, complain: Callable[[str, str], None]) -> None:
        """`complain(file, why)` is told of saved values that cannot be used."""
        self._keeper = keeper
        self._bus = bus
        self._complain = complain
        self._groups: dict[str, Group] = {}
        self._defaults: dict[str, Group] = {}
        self._unread: set[str] = set()
        self._changing = asyncio.Lock()
        self._watchers: list[Callable[[str], None]] = []

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Call `watcher` with the name of every group there is, and at once for every one that is declared."""
        for group in self._groups:
            watcher(group)
        self._watchers.append(watcher)

    def declare(self, model: type[Group], default: Group | None = None) -> None:
        """Add a group with its defaults (`default` where the product has its own).

        A service that starts again declares its own once more; its values stay. Raises ValueError for a taken name.
        """
        before = self._groups.get(model.group)
        if before is not None and type(before) is not model:
            raise ValueError(f"parameter group {model.group!r} is declared twice")
        self._defaults[model.group] = default if default is not None else model()
        if before is None:
            self._groups[model.group] = self._defaults[model.group]
            for watcher in self._watchers:
                watcher(model.group)

    async def load(self, model: type[Group]) -> None:
        """Read a declared group's saved values over its defaults; what cannot be used is complained of, not raised."""
        file = f"params-{model.group}"
        try:
            saved = await self._keeper.load(file)
        except Damaged as error:
            self._complain(file, f"{error.message}; the defaults are used")
            return
        except Unavailable as error:
            # The saved values are there and may be read later: a change must not be laid over the defaults.
            self._unread.add(model.group)
            self._complain(file, f"{error.message}; the defaults are used until it can be read")
            return
        self._unread.discard(model.group)
        if saved is None:
            return
        try:
            values = json.loads(saved)
        except ValueError as error:
            self._complain(file, f"{error}; the defaults are used")
            return
        if not isinstance(values, dict):
            self._complain(file, f"is {type(values).__name__}, not a table; the defaults are used")
            return
        self._groups[model.group] = self._usable(model, values)

    def _usable(self, model: type[Group], values: dict[str, Any]) -> Group:
        """The defaults with every saved value that is still valid: one that is not takes no other with it."""
        default = self._defaults[model.group]
        merged = {**default.model_dump(mode="json"), **values}
        while True:
            try:
                return model.model_validate(merged)
            except ValidationError as error:
                complaint = explain(error, model, model.group)
                named = {str(each["loc"][0]) for each in error.errors() if each["loc"]} & values.keys()
                self._complain(f"params-{model.group}", f"{complaint}; the default is used")
                if not named:
                    return default
            for name in named:
                del values[name]
            merged = {**default.model_dump(mode="json"), **values}

    def get(self, model: type[G]) -> G:
        """The group now."""
        value = self._groups[model.group]
        assert isinstance(value, model)
        return value

    def names(self) -> tuple[str, ...]:
        """All declared groups."""
        return tuple(sorted(self._groups))

    def __contains__(self, group: str) -> bool:
        return group in self._groups

    def find(self, group: str) -> Group:
        """A group by name. Raises NotFound with the nearest valid name."""
        if group not in self._groups:
            raise NotFound("params", f"no group {short(group)!r}{nearest(group, self._groups)}")
        return self._groups[group]

    def infos(self, group: str) -> tuple[ParamInfo, ...]:
        """The declarations of a group, with the schemas of their values. Raises NotFound."""
        return self._infos(group, schemas_of(type(self.find(group))))

    def _infos(self, group: str, schemas: Mapping[str, str]) -> tuple[ParamInfo, ...]:
        model = type(self.find(group))
        defaults = self._defaults[group].model_dump(mode="json")
        found = []
        for name, field in model.model_fields.items():
            extra = field.json_schema_extra
            meta: Mapping[str, Any] = extra if isinstance(extra, dict) else {}
            secret = bool(meta.get("secret", False))
            found.append(
                ParamInfo(
                    group=group,
                    name=name,
                    summary=field.description or "",
                    level=Level(meta.get("level", Level.ADMIN)),
                    scope=Scope(meta.get("scope", Scope.RESET)),
                    secret=secret,
                    default=MASK if secret and defaults[name] else defaults[name],
                    restart=bool(meta.get("restart", False)),
                    schema=schemas.get(name, "{}"),
                    unit=unit_of(name),
                )
            )
        return tuple(found)

    def shown(self, group: str, caller: Caller) -> dict[str, Any]:
        """A group's values as `caller` may see them; secrets are masked. Raises NotFound, Forbidden."""
        value = self.find(group)
        if caller.level < value.level:
            raise Forbidden(group, f"needs {value.level.name.lower()}")
        values = value.model_dump(mode="json")
        for info in self._infos(group, {}):
            if info.secret and values[info.name]:
                values[info.name] = MASK
        return values

    async def change(
        self, group: str, patch: Mapping[str, Any], caller: Caller, *, cause: str | None = None
    ) -> dict[str, Any]:
        """Change named parameters of a group, all or none; returns the group as shown.

        Raises NotFound, Invalid (place, value, nearest name), Forbidden, Unavailable.
        """
        async with self._changing:  # or two changes at once would each undo the other's
            return await self._change(group, patch, caller, cause)

    async def _read_late(self, group: str) -> None:
        """Read a group whose saved values could not be read at start, and announce them. Raises Unavailable."""
        before = self._groups[group]
        await self.load(type(before))
        if group in self._unread:
            raise Unavailable(group, "the saved values cannot be read now; nothing was changed")
        now = self._groups[group]
        names = tuple(name for name in type(now).model_fields if getattr(now, name) != getattr(before, name))
        if names:
            self._bus.publish(ParamsChanged(group=group, names=names, by="storage"))

    async def _change(self, group: str, patch: Mapping[str, Any], caller: Caller, cause: str | None) -> dict[str, Any]:
        if group in self._unread:
            await self._read_late(group)
        current = self.find(group)
        model = type(current)
        infos = {info.name: info for info in self._infos(group, {})}
        for name in patch:
            if name not in infos:
                raise Invalid(f"{group}.{short(name)}", f"unknown parameter {short(name)!r}{nearest(name, infos)}")
            if caller.level < infos[name].level:
                raise Forbidden(f"{group}.{name}", f"needs {infos[name].level.name.lower()}")
        # A form sends a masked secret back as it was shown: that is not a new secret.
        wishes = {name: value for name, value in patch.items() if not (infos[name].secret and value == MASK)}
        try:
            wanted = model.model_validate({**current.model_dump(mode="json"), **wishes})
        except ValidationError as error:
            raise explain(error, model, group) from None
        changed = tuple(name for name in wishes if getattr(wanted, name) != getattr(current, name))
        if changed:
            await self._keeper.save(f"params-{group}", json.dumps(wanted.model_dump(mode="json")).encode())
            self._groups[group] = wanted
            self._bus.publish(ParamsChanged(group=group, names=changed, by=caller.name), cause=cause)
        return self.shown(group, caller)
