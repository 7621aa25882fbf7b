"""The JSON of a door controller: what goes out, and that only a good answer to this very question counts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.vocabulary.controller import ForwardParams
from firmware.interfaces.controller.contract import Garbled, answer_of, plain, question_of, readers_of

CARD = ForwardParams(reader="reader1", door="door", bits="0101", fitting=("H10301:42:1234",))


def test_a_question_says_who_asks_where_and_about_what() -> None:
    assert question_of(CARD, id="a1", device="0123456789AB", reader="north") == {
        "id": "a1",
        "device": "0123456789AB",
        "reader": "north",
        "door": "door",
        "card": {"bits": "0101", "readings": ["H10301:42:1234"]},
        "pin": None,
    }


def test_without_a_chosen_reader_our_own_name_is_said() -> None:
    assert question_of(CARD, id="a1", device="", reader="")["reader"] == "reader1"


def test_a_pin_alone_has_no_card() -> None:
    asked = question_of(ForwardParams(reader="r", door="d", pin="0123"), id="a1", device="", reader="")
    assert (asked["card"], asked["pin"]) == (None, "0123")


@pytest.mark.parametrize(("verdict", "granted"), [("granted", True), ("denied", False)])
def test_an_answer_grants_or_denies(verdict: str, granted: bool) -> None:
    body = json.dumps({"id": "a1", "verdict": verdict, "reason": "because"}).encode()
    answer = answer_of(body, id="a1")
    assert (answer.lost, answer.granted, answer.reason) == (False, granted, "because")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"granted", "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'["granted"]', "not an object"),
        (b'{"verdict": "granted"}', "another question"),
        (b'{"id": "a2", "verdict": "granted"}', "another question"),
        (b'{"id": "a1"}', "neither granted nor denied"),
        (b'{"id": "a1", "verdict": "Granted"}', "neither granted nor denied"),
        (b'{"id": "a1", "verdict": true}', "neither granted nor denied"),
        (b'{"id": "a1", "verdict": ["granted"]}', "neither granted nor denied"),
    ],
)
def test_what_does_not_fit_the_contract_is_no_answer(body: bytes, why: str) -> None:
    with pytest.raises(Garbled, match=why):
        answer_of(body, id="a1")


@given(st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda
       inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "verdict", "x"]), inner, max_size=3)
       ).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_answer_but_a_good_one_ever_grants(body: bytes) -> None:
    try:
        answer = answer_of(body, id="0123456789abcdef")
    except Garbled:
        return
    data = json.loads(body)
    assert data["id"] == "0123456789abcdef"
    assert answer.granted is (data["verdict"] == "granted")


@given(st.text(max_size=400))
def test_row_41_a_strangers_reason_is_one_short_printable_line(text: str) -> None:
    shown = plain(text, 200)
    assert len(shown) <= 200
    assert shown.isprintable()


def test_readers_have_ids_and_names() -> None:
    body = json.dumps({"readers": [{"id": "n", "name": "North\u001b[31m"}, {"id": "s"}]}).encode()
    assert [(each.id, each.name) for each in readers_of(body)] == [("n", "North[31m"), ("s", "s")]


@pytest.mark.parametrize(
    "listed", [None, {}, "n", [1], [{"id": ""}], [{"id": 7}], [{"id": "x" * 65}], [{"id": "a\n"}], [{"id": "a"}] * 257]
)
def test_a_list_of_readers_that_is_none_is_refused(listed: object) -> None:
    with pytest.raises(Garbled):
        readers_of(json.dumps({"readers": listed}).encode())
