"""`lintel param`: reads and changes the parameters of a running device by name, over its native API.

Who may do what is the device's to say, so this logs in like everybody else. The password is never on the command line.
"""

from __future__ import annotations

import getpass
import json
import os
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.cli.parser import Parser
from firmware.core.errors import ERRORS, Forbidden, Invalid, NotFound, StationError, Unavailable
from hal.errors import nearest

HELP = """\
lintel param [--url URL] [--user NAME] [--ca FILE] list [GROUP]       all parameters, with what each may be
lintel param ...                                   get GROUP[.NAME] ...   values, as JSON
lintel param ...                                   set GROUP.NAME=VALUE ...   each VALUE is JSON, or a plain word
lintel param ...                                   reset GROUP[.NAME] ...  back to the default of the product

  --url   the device (http://127.0.0.1:8080)
  --user  an account of the device (admin); its password is asked for, or taken from LINTEL_PASSWORD
  --ca    a PEM file with the authority that signed the device's certificate, for https

What is set at once in one group is changed whole or not at all. Lists and tables are JSON: set syslog.servers='[...]'.
"""
URL, USER, SECRET = "http://127.0.0.1:8080", "admin", "LINTEL_PASSWORD"
PATIENCE_S = 30.0
VERBS = ("list", "get", "set", "reset")


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter as the device declares it."""

    group: str
    name: str
    told: dict[str, Any]

    @property
    def full(self) -> str:
        """Its name with its group."""
        return f"{self.group}.{self.name}"

    def line(self) -> str:
        """One line of a list: name, what it may be, unit, default, who may change it, and what it is."""
        told = self.told
        unit = f" {told['unit']}" if told["unit"] else ""
        restart = ", from the next start on" if told["restart"] else ""
        kind = kind_of(told["schema"], told["schema"].get("$defs", {}))
        default = json.dumps(told["default"], ensure_ascii=False)
        return f"{self.full}  {kind}{unit}, default {default}, {told['level']}{restart}: {told['summary']}"


class Device:
    """The native API of one device, as somebody."""

    def __init__(self, url: str, user: str, password: str, ca: Path | None) -> None:
        # Here, because no other command needs it and it takes long to load.
        import httpx

        self._httpx = httpx
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            auth=httpx.DigestAuth(user, password),
            verify=trust(ca),
            timeout=PATIENCE_S,
            trust_env=False,
        )

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One request. Raises what the device says no with, and Unavailable when nobody answers."""
        try:
            answer = self._client.request(method, path, json=body)
            found = answer.json()
        except (self._httpx.HTTPError, self._httpx.InvalidURL) as error:
            raise Unavailable(
                "--url", f"{self._client.base_url.host or 'it'} does not answer as a device: {error}"
            ) from None
        except ValueError:
            raise Unavailable("--url", "what answers there is no device of ours") from None
        if answer.status_code < 400:
            return found
        told = found.get("error", {})
        if answer.status_code == 401:
            raise Forbidden("--user", "name or password is wrong")
        raise ERRORS.get(told.get("code"), StationError)(told.get("where", path), told.get("message", "refused"))

    def params(self) -> list[Param]:
        """Everything that is declared, by name."""
        return [Param(each["group"], each["name"], each) for each in self.ask("GET", "/params")["params"]]


def trust(ca: Path | None) -> ssl.SSLContext:
    """Whom HTTPS is to trust: the system, or one authority. Raises Invalid."""
    try:
        return ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    except OSError as error:  # an SSLError is one too
        raise Invalid("lintel param --ca", f"{ca} cannot be used: {error.strerror or error}") from None


def kind_of(schema: dict[str, Any], tables: dict[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        return kind_of(tables[schema["$ref"].rpartition("/")[2]], tables)
    if "anyOf" in schema:
        return " or ".join(kind_of(each, tables) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kind = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true | false",
            "array": "list", "object": "table", "null": "null"}.get(schema.get("type", ""), "value")  # fmt: skip
    least = schema.get("minimum", schema.get("minLength", schema.get("minItems")))
    most = schema.get("maximum", schema.get("maxLength", schema.get("maxItems")))
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    words = [
        f" from {least}" if least is not None else f" above {above}" if above is not None else "",
        f" to {most}" if most is not None else f" below {below}" if below is not None else "",
    ]
    long = " long" if kind == "text" and any(words) else ""
    return kind + "".join(words) + long


def chosen(params: Sequence[Param], words: Sequence[str]) -> list[Param]:
    """The parameters that words name, each a group or a full name. Raises NotFound with the nearest one."""
    found = []
    for word in words:
        fitting = [param for param in params if word in (param.full, param.group)]
        if not fitting:
            known = [*(param.full for param in params), *{param.group for param in params}]
            raise NotFound("lintel param", f"no parameter {word!r}{nearest(word, known)}")
        found += fitting
    return found


def value_of(text: str) -> object:
    """A value on the command line: JSON, or else the word itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _list(device: Device, words: list[str]) -> int:
    params = device.params()
    for param in chosen(params, words) if words else params:
        print(param.line())
    return 0


def _get(device: Device, words: list[str]) -> int:
    wanted = chosen(device.params(), _some(words, "get"))
    groups = {group: device.ask("GET", f"/params/{group}") for group in dict.fromkeys(each.group for each in wanted)}
    if len(words) == 1 and words[0] == wanted[0].full:
        print(json.dumps(groups[wanted[0].group][wanted[0].name], ensure_ascii=False))
        return 0
    print(json.dumps({each.full: groups[each.group][each.name] for each in wanted}, indent=2, ensure_ascii=False))
    return 0


def _set(device: Device, words: list[str]) -> int:
    params = device.params()
    wishes: dict[str, dict[str, object]] = {}
    for word in _some(words, "set"):
        name, equals, text = word.partition("=")
        if not equals:
            raise Invalid("lintel param set", f"{word!r} is not GROUP.NAME=VALUE")
        param = chosen([each for each in params], [name])[0]
        if param.full != name:
            raise Invalid("lintel param set", f"{name!r} is a group; name one of its parameters, such as {param.full}")
        value = value_of(text)
        wants_text = param.told["schema"].get("type") == "string"
        wishes.setdefault(param.group, {})[param.name] = text if wants_text and not isinstance(value, str) else value
    return _change(device, wishes)


def _reset(device: Device, words: list[str]) -> int:
    wishes: dict[str, dict[str, object]] = {}
    for param in chosen(device.params(), _some(words, "reset")):
        wishes.setdefault(param.group, {})[param.name] = param.told["default"]
    return _change(device, wishes)


def _change(device: Device, wishes: dict[str, dict[str, object]]) -> int:
    """Change the groups one by one, and print what was named as it is now."""
    now: dict[str, object] = {}
    for group, wish in wishes.items():
        values = device.ask("PATCH", f"/params/{group}", wish)
        now |= {f"{group}.{name}": values[name] for name in wish}
    print(json.dumps(now, indent=2, ensure_ascii=False))
    return 0


def _some(words: list[str], verb: str) -> list[str]:
    if not words:
        raise Invalid(f"lintel param {verb}", "name at least one parameter; 'lintel param list' shows them")
    return words


DO: dict[str, Callable[[Device, list[str]], int]] = {"list": _list, "get": _get, "set": _set, "reset": _reset}


def command(words: list[str]) -> int:
    """Do one verb. Raises Invalid, NotFound, and what the device refuses with."""
    if any(word in ("-h", "--help") for word in words):
        print(HELP, end="")
        return 0
    parser = Parser(prog="lintel param")
    parser.add_argument("--url", default=URL)
    parser.add_argument("--user", default=USER)
    parser.add_argument("--ca", type=Path)
    parser.add_argument("verb", nargs="?")
    parser.add_argument("words", nargs="*")
    found = parser.parse_all(words)
    if found.verb not in VERBS:
        hint = nearest(found.verb or "", VERBS)
        raise Invalid(
            "lintel param", f"unknown verb {found.verb!r}{hint}" if found.verb else f"a verb is missing{hint}"
        )
    return DO[found.verb](Device(found.url, found.user, password(), found.ca), found.words)


def password() -> str:
    """The account's password. Raises Invalid where it is neither given nor can be asked for."""
    given = os.environ.get(SECRET)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise Invalid("lintel param", f"no password: {SECRET} is not set, and there is no terminal to ask at")
    return getpass.getpass("password: ")
