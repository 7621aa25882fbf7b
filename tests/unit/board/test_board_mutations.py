"""Whatever is done to a board file, the answer is a board or one `BoardError` line; never anything else."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hal.board import BOARDS, Board, describe_board, load_board, parse_board
from hal.errors import BoardError
from tests.effort import examples

SOURCE = (BOARDS / "door_station.toml").read_text()
DATA = load_board("door_station").data()

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["gpio0:16", "gpio0:99", "exp0:1", "adc0:0", "i2c1", "relay", "low", "door", "red", "_rpi.toml"]),
    st.binary(max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(data: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of nested data, itself left out."""
    inner: list[tuple[Any, object]] = []
    if isinstance(data, dict):
        inner = list(data.items())
    elif isinstance(data, list):
        inner = list(enumerate(data))
    return [place for key, value in inner for place in ((*at, key), *places(value, (*at, key)))]


PLACES = places(DATA)


def mutated(data: dict[str, Any], place: tuple[Any, ...], how: str, name: str, value: object) -> dict[str, Any]:
    """A copy with one place deleted, renamed or replaced; a place that is gone is left alone."""
    data = copy.deepcopy(data)
    table: Any = data
    for key in place[:-1]:
        if not isinstance(table, dict | list) or (isinstance(table, dict) and key not in table):
            return data
        if isinstance(table, list) and not (isinstance(key, int) and key < len(table)):
            return data
        table = table[key]
    key = place[-1]
    if isinstance(table, list):
        if isinstance(key, int) and key < len(table):
            table[key] = value
    elif isinstance(table, dict) and key in table:
        old = table.pop(key)
        if how == "rename":
            table[name] = old
        elif how == "retype":
            table[key] = value
    return data


def answer(source: str | dict[str, Any]) -> Board | str:
    """The board, or the one line that says why not."""
    try:
        return parse_board(source, "boards/mutant.toml")
    except BoardError as error:
        return str(error)


def check(result: Board | str) -> None:
    if isinstance(result, str):
        assert len(result.splitlines()) == 1
        assert result.isprintable()
        assert result.startswith("boards/")
        assert len(result) < 500
    else:
        assert describe_board(result).isascii() or result.product.name
        again = parse_board(result.data(), "boards/mutant.toml")
        assert describe_board(again) == describe_board(result)
        assert again.nodes == result.nodes


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.sampled_from(["delete", "rename", "retype"]),
            st.text(max_size=10) | st.sampled_from(["base", "nodes", "line", "exp0", "gpio0", "alias"]),
            VALUES,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_key_deleted_renamed_or_retyped_gives_a_board_or_one_line(
    changes: list[tuple[tuple[Any, ...], str, str, object]],
) -> None:
    data: dict[str, Any] = DATA
    for place, how, name, value in changes:
        data = mutated(data, place, how, name, value)
    check(answer(data))


@settings(max_examples=examples(200), deadline=None)
@given(
    st.integers(0, len(SOURCE)),
    st.integers(0, 40),
    st.text(max_size=12) | st.sampled_from(['"', "{", "}", "[", "]]", "=", "\n", "'''", "0x", "1e999", "[nodes]", "#"]),
)
def test_any_piece_of_the_text_replaced_gives_a_board_or_one_line(start: int, length: int, new: str) -> None:
    check(answer(SOURCE[:start] + new + SOURCE[start + length :]))


@settings(max_examples=examples(100), deadline=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4) | st.dictionaries(st.integers(), VALUES, max_size=2))
def test_any_data_at_all_gives_one_line(data: dict[Any, Any]) -> None:
    result = answer(data)
    assert isinstance(result, str)
    check(result)
