"""Events and actions: the words in which the rooms of the firmware, rules and clients speak."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from firmware.core.actions import Action, Level, Nothing
from firmware.core.events import REGISTRY, State
from firmware.core.values import schema
from firmware.paths import CHECKOUT
from tools.reference.words import anchor, kind, page, said, shown, table

STAMP = ("id", "at", "cause")


def events_page() -> str:
    """The page of events."""
    intro = (
        "Facts that the firmware tells: in the journal, at `/api/v1/events`, to rules, and in the events of the other "
        "interfaces. Each has besides its own fields an `id`, the time `at`, and as `cause` the id of what led to it. "
        "A *state* holds until it changes and is retained for each thing its keys name; a *pulse* happened."
    )
    return page("Events", intro, _events())


def _events() -> Iterator[str]:
    for topic, cls in sorted(REGISTRY.items()):
        if not cls.__module__.startswith("firmware."):
            continue
        of = f" of each {', '.join(f'`{name}`' for name in cls.keys)}" if issubclass(cls, State) and cls.keys else ""
        sort = f"State{of}" if issubclass(cls, State) else "Pulse"
        kept = "" if cls.journalled else ", not in the journal"
        yield f"{anchor(topic)}\n\n{sort}{kept}. {said(cls)}"
        rows = list(_fields(cls, leave=STAMP))
        if rows:
            yield table(("field", "is"), rows)


def _fields(cls: type[Any], *, leave: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    told = schema(cls)
    for name, own in told.get("properties", {}).items():
        if name not in leave:
            yield f"`{name}`", kind(own, told.get("$defs", {}))


@dataclass(frozen=True, slots=True)
class Declared:
    """An action as its owner registers it."""

    name: str
    summary: str
    level: Level
    params: type[Any]
    answer: type[Any]
    private: bool


def actions(within: str = "firmware") -> list[Declared]:
    """Every action that some part of the firmware registers by its name; raises where one cannot be understood."""
    found = {}
    for path in sorted((CHECKOUT / within).rglob("*.py")):
        if path.is_relative_to(CHECKOUT / "firmware" / "dispatcher"):
            continue
        tree = ast.parse(path.read_text())
        if not any(isinstance(node, ast.Attribute) and node.attr == "register" for node in ast.walk(tree)):
            continue
        for action in _registered(path, tree):
            found[action.name] = action
    return sorted(found.values(), key=lambda action: action.name)


def _registered(path: Path, tree: ast.Module) -> Iterator[Declared]:
    names = importlib.import_module(".".join(path.relative_to(CHECKOUT).with_suffix("").parts))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        local = dict(_assigned(function))
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            words = {keyword.arg: keyword.value for keyword in call.keywords}
            if _registers(call.func, local) and "summary" in words:
                yield from _declared(call, words, vars(names), local)


def _registers(called: ast.expr | None, local: dict[str, ast.expr]) -> bool:
    """Whether that is `register` of a table of actions, or a name that was given to it."""
    if isinstance(called, ast.Name):
        called = local.get(called.id)
    return isinstance(called, ast.Attribute) and called.attr == "register"


def _assigned(function: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names that a function gives to something, alone or side by side."""
    for node in (node for node in ast.walk(function) if isinstance(node, ast.Assign)):
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            yield from ((name.id, given) for name, given in pairs if isinstance(name, ast.Name))


def _declared(
    call: ast.Call, words: dict[str | None, ast.expr], names: dict[str, Any], local: dict[str, ast.expr]
) -> Iterator[Declared]:
    def value(node: ast.expr | None, default: Any) -> Any:
        """What an expression is, in the module it stands in. Raises NameError for what only a run can tell."""
        if node is None:
            return default
        if isinstance(node, ast.Name):
            if node.id in local:
                return value(local[node.id], default)
            if node.id not in names:
                raise NameError(node.id)
            return names[node.id]
        if isinstance(node, ast.Attribute):
            return getattr(value(node.value, default), node.attr)
        if isinstance(node, ast.Subscript):
            return value(node.value, default)[value(node.slice, default)]
        if isinstance(node, ast.Tuple):
            return tuple(value(each, default) for each in node.elts)
        return ast.literal_eval(node)

    try:
        yield Declared(
            value(call.args[0], ""),
            value(words["summary"], ""),
            value(words.get("level"), Level.OPERATOR),
            value(call.args[1], Nothing),
            value(words.get("answer"), Nothing),
            value(words.get("private"), False),
        )
    except NameError:
        if not isinstance(call.args[0], ast.Name):
            raise  # a name that is spelt out belongs to somebody; a loop over private ones does not


def actions_page(running: Iterable[Action]) -> str:
    """The page of actions: those in the code, and those that a running device registers out of a list."""
    intro = (
        "Commands: `POST /api/v1/actions/{name}`, the consequences of rules, buttons of a product. A caller below the "
        "level is refused. A device has the actions of what its board has; `GET /api/v1/actions` lists them."
    )
    return page("Actions", intro, _actions({action.name: action for action in (*actions(), *running)}))


def _actions(found: Mapping[str, Declared | Action]) -> Iterator[str]:
    for _, action in sorted(found.items()):
        if action.private:
            continue
        yield f"{anchor(action.name)}\n\n{action.summary} Level: {action.level.name.lower()}."
        rows = [(name, text, _default(action.params, name.strip("`"))) for name, text in _fields(action.params)]
        if rows:
            yield f"{said(action.params)}\n\n" + table(("parameter", "may be", "left out"), rows)
        if action.answer is not Nothing and inspect.isclass(action.answer):
            answers = ", ".join(name for name, _ in _fields(action.answer))
            yield f"Answers {answers}." if answers else f"Answers {said(action.answer)}"


def _default(cls: type[Any], name: str) -> str:
    for each in fields(cls):
        if each.name == name:
            if each.default is not MISSING:
                return "none" if each.default is None else shown(each.default)
            return "as is usual" if each.default_factory is not MISSING else "must be there"
    return "must be there"
