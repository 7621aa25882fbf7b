"""What forms read from a schema, and what people write read back as the value it was."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from firmware.core.errors import Invalid
from firmware.core.values import schema
from firmware.interfaces.web.shapes import Kind, Shape, leaves, shape_of, text_of, value_of
from firmware.system import NetworkSettings

LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1)
NUMBER = st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6).map(lambda number: float(f"{number:.6g}"))
PLAIN = st.none() | st.booleans() | NUMBER | st.text()


class Inner(BaseModel):
    """A part."""

    delay_s: Annotated[float, Field(ge=1, le=600)] = 5
    dark: bool = False


class Outer(BaseModel):
    """Every kind of value."""

    known: ClassVar[int] = 1
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    turn: Literal[0, 90] = 0
    names: tuple[str, ...] = ()
    title: Annotated[str, Field(max_length=8)] = ""
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()


def test_kinds_limits_and_parts_are_read_from_the_schema() -> None:
    whole = schema(Outer)
    shapes = {name: shape_of(part, whole["$defs"]) for name, part in whole["properties"].items()}
    assert shapes["port"] == Shape(kind=Kind.WHOLE, least=1, most=65535, empty=True)
    assert shapes["turn"] == Shape(kind=Kind.CHOICE, choices=(0, 90))
    assert shapes["names"].kind is Kind.LINES
    assert shapes["title"] == Shape(kind=Kind.TEXT, longest=8)
    assert shapes["many"].kind is Kind.JSON
    assert dict(leaves("inner", shapes["inner"])) == {
        "inner.delay_s": Shape(kind=Kind.NUMBER, least=1, most=600),
        "inner.dark": Shape(kind=Kind.SWITCH),
    }


def test_every_field_of_a_real_group_is_more_than_json() -> None:
    whole = schema(NetworkSettings)
    kinds = {name: shape_of(part, whole.get("$defs", {})).kind for name, part in whole["properties"].items()}
    assert Kind.JSON not in kinds.values()
    assert (kinds["boot_proto"], kinds["dns"], kinds["ieee8021x"]) == (Kind.CHOICE, Kind.LINES, Kind.SWITCH)


@given(st.lists(LINE))
def test_lines_come_back_as_they_were(lines: list[str]) -> None:
    shape = Shape(kind=Kind.LINES)
    assert value_of(shape, text_of(shape, lines), "here") == lines


@given(NUMBER)
def test_numbers_come_back_as_they_were(number: float) -> None:
    shape = Shape(kind=Kind.NUMBER)
    assert value_of(shape, text_of(shape, number), "here") == number


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_any_other_value_comes_back_as_it_was(value: object) -> None:
    shape = Shape(kind=Kind.JSON)
    assert value_of(shape, text_of(shape, value) or "null", "here") == value


@given(st.text().filter(lambda text: not any(each.isdecimal() for each in text)))
def test_what_is_no_number_is_told_with_its_place(text: str) -> None:
    shape = Shape(kind=Kind.WHOLE)
    with pytest.raises(Invalid, match=r"^group\.port: "):
        value_of(shape, text, "group.port")


@pytest.mark.parametrize(("text", "number"), [("1,5", 1.5), (" 42 ", 42), ("-3", -3), ("1e3", 1000)])
def test_a_number_is_taken_as_people_write_it(text: str, number: float) -> None:
    assert value_of(Shape(kind=Kind.NUMBER), text, "here") == number


def test_nothing_is_no_value_where_there_may_be_none() -> None:
    assert value_of(Shape(kind=Kind.WHOLE, empty=True), " ", "here") is None
    with pytest.raises(Invalid):
        value_of(Shape(kind=Kind.WHOLE), " ", "here")
