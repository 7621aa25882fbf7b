"""Requests that a fuzzer or a reader of the code found to hurt: each is answered now, and this keeps it so."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from firmware.core.errors import Invalid
from firmware.interfaces.http.body import read_json
from firmware.interfaces.http.credentials import cookie_of
from firmware.interfaces.vapix.asked import Asked
from firmware.interfaces.vapix.envelope import Refusal
from firmware.interfaces.vapix.firmware import wish_of
from firmware.interfaces.vapix.param_tree import Leaf, select
from firmware.interfaces.vapix.params import ParamCgi
from firmware.interfaces.vapix.xml import parse
from hal.errors import nearest
from tests.fuzz.asking import ADMIN as CALLER
from tests.fuzz.asking import at_once, request
from tests.fuzz.judge import Judge
from tests.unit.face.conftest import ADMIN

Play = Callable[..., None]


def test_row_39_an_origin_that_is_no_address_is_refused_and_is_no_fault(play: Play) -> None:
    async def main(face: Any) -> None:
        async with face.client() as client:
            answer = await client.get("/api/v1/device", headers={"origin": "http://["})
            assert (answer.status_code, answer.json()["error"]["where"]) == (403, "origin")

    play(main)


@pytest.mark.parametrize(
    "body", [b'{"\\ud800": 1}', b'{"\xed\xa0\x80": 1}', b'{"holders": 1e999}', b'{"a": NaN}', b"[" * 100_000]
)
def test_json_that_cannot_be_given_back_is_refused_at_the_door(play: Play, body: bytes) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        json = {"content-type": "application/json"}
        async with face.client(ADMIN) as client:
            for method, path in (("POST", "/api/v1/entries"), ("PATCH", "/api/v1/params/http")):
                answer = await client.request(method, path, content=body, headers=json)
                assert (answer.status_code, answer.json()["error"]["where"]) == (400, "body")
            old = await client.post("/axis-cgi/basicdeviceinfo.cgi", content=body, headers=json)
            assert (old.status_code, old.json()["error"]["code"]) == (200, 4000)

    play(main)


def test_what_an_envelope_repeats_can_be_sent_and_a_number_of_any_length_is_a_number(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            half = b'{"apiVersion":"1.0","context":"\\ud83d","method":"getPorts"}'
            answer = await client.post("/axis-cgi/io/portmanagement.cgi", content=half)
            assert answer.json()["error"]["code"] == 2101
            whole = b'{"apiVersion":"1.0","context":"\\ud83d\\ude00","method":"getPorts"}'
            answer = await client.post("/axis-cgi/io/portmanagement.cgi", content=whole)
            assert answer.json()["context"] == "\U0001f600"
            word = b'{"apiVersion":"1.0","method":"%s"}' % (b"x" * 100_000)
            answer = await client.post("/axis-cgi/io/portmanagement.cgi", content=word)
            assert len(answer.content) < 1000

    play(main)


def test_an_unknown_name_is_repeated_shortly(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            answer = await client.get("/api/v1/logs/audit", params={"limitt" * 4000: "1"})
            assert answer.status_code == 400
            assert len(answer.content) < 600
            answer = await client.patch("/api/v1/params/brute_force", json={"period" * 4000: 1})
            assert answer.status_code == 400
            assert len(answer.content) < 600

    play(main)


@pytest.mark.parametrize("minutes", ["000000001" + "9" * 5000, "1441", "0", "1.5", [], {}, True])
def test_minutes_of_any_length_are_refused_as_minutes(minutes: object) -> None:
    with pytest.raises(Refusal, match="autoRollback"):
        wish_of({"params": {"autoRollback": minutes}})


@pytest.mark.parametrize("rest", [b"<b/>" * 4900 + b"</a>", b'<b n:c=""/>' * 4000 + b"</a>"])
def test_row_37_a_giant_namespace_is_not_kept_once_for_every_element(rest: bytes) -> None:
    space = b"n" * 200_000
    document = b'<a xmlns="' + space + b'" xmlns:n="' + space[:1000] + b'">' + rest
    tracemalloc.start()
    try:
        with pytest.raises(Invalid, match="namespace"):
            parse(document)
        assert tracemalloc.get_traced_memory()[1] < 10 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_group_of_many_stars_is_looked_for_in_no_time_and_stars_mean_what_they_did() -> None:
    leaves = [
        Leaf(name=name, value="") for name in ("IOPort.I0.Input.Name", "IOPort.I1.Input.Name", "a" * 60, "Brand.B")
    ]
    Judge().look(lambda _: assert_none(leaves), b"", "many stars")

    def names(group: str) -> list[str]:
        return [leaf.name for leaf in select(leaves, group)[0]]

    assert names("ioport.*.input.name") == ["IOPort.I0.Input.Name", "IOPort.I1.Input.Name"]
    assert names("IOPort.*1") == ["IOPort.I1.Input.Name"]
    assert names("root.B*d") == ["Brand.B"]
    assert names("B*d.*b*") == ["Brand.B"]
    assert names("Bra*and") == []
    assert names("*.*.*.*.*") == []
    assert len(names("*")) == 4


def test_a_thousand_unknown_parameters_are_refused_without_comparing_each_with_the_whole_tree() -> None:
    leaves = [Leaf(name=f"Properties.Group{number}.Leaf{number}", value="") for number in range(400)]
    cgi = ParamCgi(lambda: leaves, lambda: ("model", "1.0.0"))
    query = b"action=update" + b"".join(b"&Properties.Groups%d.Leaves%d=1" % (number, number) for number in range(900))

    def ask(_: bytes) -> None:
        text = bytes(at_once(cgi._param(Asked(request(query=query), CALLER))).body).decode()
        assert text.count("# Error: Error setting") == 20
        assert "did you mean 'Properties.Group0.Leaf0'" in text

    Judge(most=8).look(ask, b"", "unknown parameters")


def assert_none(leaves: list[Leaf]) -> None:
    assert select(leaves, "*a" * 30 + "*b")[0] == []


def test_a_long_cookie_or_a_long_word_costs_no_time() -> None:
    scope = {"type": "http", "scheme": "http", "headers": [(b"cookie", b'a="' + b'\\"' * 15_000 + b'"; lintel=secret')]}
    Judge().look(lambda _: assert_secret(scope), b"", "a long cookie")
    Judge().look(lambda _: assert_hint("x" * 1_000_000), b"", "a long word")


def assert_secret(scope: dict[str, Any]) -> None:
    assert cookie_of(scope) == "secret"


def assert_hint(word: str) -> None:
    assert nearest(word, [f"parameter{number}" for number in range(300)]) == ""


def test_json_is_utf_8_and_nothing_else() -> None:
    assert read_json('{"a": "\u00e4"}'.encode()) == {"a": "\u00e4"}
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    with pytest.raises(ValueError):
        read_json('{"a": 1}'.encode("utf-16"))
