"""The frames of the link: every event crosses unchanged, and nothing malformed gets in."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.actions import Caller, Level
from firmware.core.errors import ERRORS, Busy, Exhausted, Invalid, Unavailable
from firmware.core.events import REGISTRY, Notice, Operation, State
from firmware.core.link.face import ActionInfo
from firmware.core.link.wire import (
    FRAME_BYTES,
    Answer,
    Ask,
    Fact,
    Fault,
    Hello,
    OfferAction,
    OfferGroup,
    Op,
    Ready,
    Settled,
    Unpacker,
    WireError,
    error_of,
    fact_of,
    fault_of,
    notice_of,
    pack,
)
from firmware.core.vocabulary.access import DoorReleased
from tests.effort import examples

texts = st.text(max_size=30)
instants = st.datetimes(timezones=st.just(UTC))
finite = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, finite)


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("topic", sorted(REGISTRY))
@settings(max_examples=examples(25))
@given(data=st.data())
def test_every_event_crosses_unchanged(topic, data):
    cls = REGISTRY[topic]
    event = data.draw(st.from_type(cls).map(lambda e: dataclasses.replace(e, id="b-r-1", at=data.draw(instants))))
    operation = Operation.CHANGED if issubclass(cls, State) else Operation.HAPPENED
    (message,) = Unpacker().feed(pack(fact_of(Notice(operation, event))))
    assert isinstance(message, Fact)
    assert notice_of(message) == Notice(operation, event)


callers = st.builds(Caller, texts, st.sampled_from(Level), texts)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
messages = st.one_of(
    st.builds(Hello, role=st.from_regex(r"\A[a-z][a-z0-9_]{0,31}\Z"), boot=st.text(min_size=1), pid=st.integers(0, 9)),
    st.builds(Settled),
    st.builds(Ready),
    st.builds(OfferGroup, group=texts),
    st.builds(
        OfferAction,
        action=st.builds(ActionInfo, name=texts, summary=texts, level=st.sampled_from(Level), schema=texts),
        private=st.booleans(),
    ),
    st.builds(Ask, number=st.integers(0, 99), op=st.sampled_from(Op), caller=callers, name=texts, data=values),
    st.builds(Answer, number=st.integers(0, 99), data=values),
    st.builds(Fault, number=st.integers(0, 99), code=texts, where=texts, message=texts),
)


@given(st.lists(messages, max_size=5), st.lists(st.integers(1, 40), min_size=1))
def test_messages_cross_in_any_pieces(sent, cuts):
    stream = b"".join(pack(message) for message in sent)
    unpacker, got, place, n = Unpacker(), [], 0, 0
    while place < len(stream):
        size = cuts[n % len(cuts)]
        got += unpacker.feed(stream[place : place + size])
        place, n = place + size, n + 1
    assert got == sent


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash(raw):
    for stream in (raw, framed(raw)):
        try:
            Unpacker().feed(stream)
        except WireError:
            continue


@given(st.dictionaries(st.sampled_from(["kind", "role", "number", "op", "caller", "data", "topic", "event"]), values))
def test_arbitrary_objects_never_crash(values):
    for kind in ("hello", "ask", "fact", "fault", values.get("kind")):
        try:
            for message in Unpacker().feed(framed(json.dumps({**values, "kind": kind}).encode())):
                if isinstance(message, Fact):
                    notice_of(message)
        except (WireError, Invalid):
            continue


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"\xff\xff\xff\xff", "longer than 1048576"),
        (framed(b"[1]"), "holds list"),
        (framed(b'{"kind":"helo"}'), r"unknown kind 'helo'; did you mean 'hello'\?"),
        (framed(b'{"kind":["hello"]}'), "unknown kind|unhashable"),
        (framed(b'{"kind":"hello","role":"Root","boot":"b","pid":1}'), r"hello\.role"),
        (framed(b'{"kind":"settled","more":1}'), "unknown name 'more'"),
        (framed(b"[" * 100_000), "recursion|holds|Expecting"),
        (framed(b"\xff\xfe"), "decode"),
        (framed('{"kind":"settled"}'.encode("utf-16")), "decode"),
        (framed(b'{"kind":"answer","number":1,"data":NaN}'), "NaN is not a number"),
    ],
)
def test_a_malformed_frame_is_one_clear_error(stream, words):
    with pytest.raises(WireError, match=words):
        Unpacker().feed(stream)


def test_a_frame_that_would_be_too_long_is_not_sent():
    with pytest.raises(Exhausted, match="longer than 1048576"):
        pack(Answer(number=1, data="x" * FRAME_BYTES))


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (Fact(operation=Operation.HAPPENED, topic="door/relesed", event={}), "did you mean 'door/released'"),
        (Fact(operation=Operation.CHANGED, topic="door/released", event={}), "does not fit DoorReleased"),
        (Fact(operation=Operation.HAPPENED, topic="door/state", event={}), "does not fit DoorState"),
        (Fact(operation=Operation.HAPPENED, topic="door/released", event={"dor": 1}), "unknown name 'dor'"),
    ],
)
def test_a_fact_that_is_none_is_refused(fact, words):
    with pytest.raises(Invalid, match=words):
        notice_of(fact)


def test_every_error_crosses_as_its_own_kind():
    for kind in ERRORS.values():
        back = error_of(fault_of(1, kind("door", "no")))
        assert (type(back), back.where, back.message) == (kind, "door", "no")
    assert type(error_of(Fault(number=1, code="from_the_future", where="x", message="y"))) is Unavailable


def test_an_event_crosses_with_its_stamp():
    event = DoorReleased(door="door", hold_s=7.0, by="rule", id="b-control-1", cause="b-control-0")
    assert notice_of(fact_of(Notice(Operation.HAPPENED, event))).event == event


def test_every_error_crosses_the_wire_as_its_own_kind():
    for kind in ERRORS.values():
        (back,) = Unpacker().feed(pack(fault_of(1, kind("door", "no"))))
        assert isinstance(back, Fault)
        assert type(error_of(back)) is kind


def test_a_rooms_own_error_crosses_with_its_code_and_as_the_kind_of_error_it_is() -> None:
    class Odd(Busy):
        code = "odd"

    crossed = Unpacker().feed(pack(fault_of(1, Odd("place", "words"))))[0]
    assert isinstance(crossed, Fault)
    error = error_of(crossed)
    assert (type(error), error.code, error.where, error.message) == (Busy, "odd", "place", "words")
