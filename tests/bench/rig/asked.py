"""What a behaviour test asks a board for, read from its code: the names of things that it, or a helper, spells out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from hal.board import Board, load_board

# The product that a behaviour test runs on when it names none.
USUAL = "door_station"
WORD = re.compile(r"[a-z][a-z0-9_]*")


def strings_in(function: Any) -> Iterator[str]:
    """Every text in a function's code, what is nested in it included, and the texts it takes from its module."""
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        for constant in code.co_consts:
            if isinstance(constant, str):
                yield constant
            elif isinstance(constant, tuple):
                yield from (each for each in constant if isinstance(each, str))
            elif hasattr(constant, "co_consts"):
                waiting.append(constant)
        found = (function.__globals__.get(name) for name in code.co_names)
        yield from (each for each in found if isinstance(each, str))


def helpers_of(test: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """A test, and every function of its module that it calls, by whichever way."""
    waiting, seen = [test], {test}
    while waiting:
        function: Any = waiting.pop()
        yield function
        codes = [function.__code__, *(each for each in function.__code__.co_consts if hasattr(each, "co_names"))]
        for name in (name for code in codes for name in code.co_names):
            found = function.__globals__.get(name)
            if hasattr(found, "__code__") and found.__module__ == function.__module__ and found not in seen:
                seen.add(found)
                waiting.append(found)


def names_of(board: Board) -> frozenset[str]:
    """What the things of a board are called."""
    return frozenset(board.nodes) | frozenset(board.aliases.values())


def asked_in_vain(test: Callable[..., Any], board: Board) -> str | None:
    """The first name of a thing that the usual product has and this board has not, and the test spells out."""
    missing = names_of(load_board(USUAL)) - names_of(board)
    for function in helpers_of(test):
        for text in strings_in(function):
            # A sentence is talk; a name stands alone, or in a path or a key such as reader:external.
            found = missing.intersection(WORD.findall(text)) if " " not in text else frozenset()
            if found:
                return min(found)
    return None
