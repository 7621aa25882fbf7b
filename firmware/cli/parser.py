"""Reading the command line strictly: declared options only, no abbreviations, one line per mistake."""

from __future__ import annotations

import argparse
from typing import NoReturn

from firmware.core.errors import Invalid
from hal.errors import nearest

HIGHEST_PORT = 65535


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `Invalid`, with the nearest valid option or choice."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings, allow_abbrev=False)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise Invalid(self.prog, message)

    def parse_all(self, words: list[str]) -> argparse.Namespace:
        """Parse; an unknown option is an error with a suggestion. Raises Invalid."""
        found, unknown = self.parse_known_args(words)
        if unknown:
            word = unknown[0]
            options = [option for option in self._option_string_actions if option.startswith("--")]
            hint = nearest(word.split("=")[0], options) if word.startswith("-") else ""
            kind = "option" if word.startswith("-") else "word"
            raise Invalid(self.prog, f"unknown {kind} {word!r}{hint}")
        return found

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            name = "/".join(action.option_strings) or str(action.dest)
            choices = [str(choice) for choice in action.choices]
            raise Invalid(f"{self.prog} {name}", f"unknown value {str(value)!r}{nearest(str(value), choices)}")


def address(text: str, option: str) -> tuple[str, int]:
    """Read HOST:PORT, the value of `option`. Raises Invalid."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdecimal()):
        raise Invalid(option, f"{text!r} is not HOST:PORT, such as 127.0.0.1:8080")
    if len(port) > 5 or int(port) > HIGHEST_PORT:
        raise Invalid(option, f"port {port[:20]}; the highest is {HIGHEST_PORT}")
    return host, int(port)
