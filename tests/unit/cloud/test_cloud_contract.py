"""The texts between dispatcher and device: what fits comes through unchanged, what does not is one clear error."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.interfaces.cloud.contract import (
    HEADERS,
    REQUEST_BYTES,
    Cancel,
    Frame,
    Hello,
    Refused,
    Registered,
    Request,
    Response,
    body_of,
    pack,
    text_of,
    unpack,
)
from tests.effort import examples

IDS = st.from_regex(r"[0-9A-Za-z._-]{1,64}", fullmatch=True)
HEADER = st.tuples(
    st.from_regex(r"[0-9A-Za-z-]{1,20}", fullmatch=True), st.from_regex(r"[\x20-\x7e]{0,40}", fullmatch=True)
)
BODIES = st.binary(max_size=200).map(text_of)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(
        Hello, protocol=st.just(1), serial=st.text(max_size=64), model=st.text(max_size=64), version=st.just("1")
    ),
    st.builds(
        Request,
        id=IDS,
        method=st.sampled_from(["GET", "POST", "DELETE"]),
        target=st.from_regex(r"/[\x21-\x22\x24-\x7e]{0,80}", fullmatch=True),
        headers=st.lists(HEADER, max_size=HEADERS).map(tuple),
        body=BODIES,
    ),
    st.builds(Cancel, id=IDS),
    st.just(Registered()),
    st.builds(Response, id=IDS, status=st.integers(100, 599), headers=st.lists(HEADER).map(tuple), body=BODIES),
    st.builds(Refused, id=IDS, code=st.text(max_size=64), message=st.text(max_size=512)),
)
JSON = st.none() | st.integers() | st.text() | st.sampled_from(["request", "hello", "GET"]) | st.lists(st.text())
GOOD: dict[str, Any] = {"type": "request", "id": "a1", "method": "GET", "target": "/api/v1/device"}


@settings(max_examples=examples(50), deadline=None)
@given(FRAMES)
def test_every_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert unpack(pack(frame)) == frame


@settings(max_examples=examples(100), deadline=None)
@given(st.text() | st.dictionaries(st.sampled_from(["type", "id", "method", "x"]), JSON).map(json.dumps))
def test_whatever_comes_is_a_frame_or_one_line_that_says_why_not(text: str) -> None:
    said = ""
    try:
        unpack(text)
    except Invalid as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "requst"}, r"message\.type: unknown 'requst'; did you mean 'request'\?"),
        ({"type": None}, r"message\.type: unknown 'None'"),
        ({"method": "CONNECT"}, r"request\.method: .*\(got 'CONNECT'\)"),
        ({"target": "http://elsewhere/"}, r"request\.target: "),
        ({"target": "/a b"}, r"request\.target: "),
        ({"target": "/a#b"}, r"request\.target: "),
        ({"id": "a b"}, r"request\.id: "),
        ({"headers": [["x", "a\r\nhost: b"]]}, r"request\.headers\.0\.1: "),
        ({"headers": [["a b", "c"]]}, r"request\.headers\.0\.0: "),
        ({"headers": [["a", "b"]] * (HEADERS + 1)}, r"request\.headers: "),
        ({"tarjet": "/"}, r"request\.tarjet: unknown name 'tarjet'; did you mean 'target'\?"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_its_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        unpack(json.dumps(GOOD | change))


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "is list, not an object"), ("{", "is not JSON"), ("[" * 10**5, "JSON")]
)
def test_a_text_that_is_no_object_is_refused(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        unpack(text)


@given(st.integers(0, 40))
def test_a_body_is_bounded_exactly(size: int) -> None:
    text = b64encode(b"x" * size).decode()
    if size <= 20:
        assert body_of(text, 20) == b"x" * size
    elif size > 21:  # base64 works in groups of three
        with pytest.raises(Invalid, match="is longer than 20 bytes"):
            body_of(text, 20)


@pytest.mark.parametrize("text", ["a", "####", "aGk=aGk=", "ä", " aGk="])
def test_a_body_that_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not base64"):
        body_of(text, REQUEST_BYTES)
