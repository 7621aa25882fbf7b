"""Digest against the vectors of RFC 7616, and its nonces against replay."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.vocabulary.security import AccountLevel
from firmware.security.digest import (
    LIFETIME_S,
    NONCES,
    WINDOW,
    Algorithm,
    Nonces,
    Spent,
    challenge,
    ha1,
    read_answer,
    read_any,
    read_fields,
    read_usual,
)
from firmware.security.records import Account, Vault, new_key

# RFC 7616, section 3.9.1.
VECTOR = (
    'username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{response}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RESPONSES = {
    Algorithm.MD5: "8ca523f5e9506fed4657c9700eebdbec",
    Algorithm.SHA256: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}
S = 1_000_000_000


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_row_31_the_vectors_of_the_rfc_are_met(algorithm: Algorithm) -> None:
    answer = read_answer(VECTOR.format(algorithm=algorithm.value, response=RESPONSES[algorithm]))
    assert answer is not None
    secret = ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    assert answer.expected(secret, "GET") == answer.response == RESPONSES[algorithm]
    assert answer.expected(secret, "POST") != answer.response


@pytest.mark.parametrize(
    "change",
    [
        ("qop=auth", "qop=auth-int"),
        ("qop=auth, ", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        ("algorithm=MD5", "algorithm=SHA-512-256"),
        ("qop=auth", "qop=auth, userhash=true"),
        ("qop=auth", 'qop=auth, uri="/other"'),
        ('username="Mufasa", ', ""),
        ('realm="http-auth@example.org"', 'realm="http-auth@example.org'),
    ],
)
def test_row_31_what_was_not_offered_is_not_read(change: tuple[str, str]) -> None:
    text = VECTOR.format(algorithm="MD5", response=RESPONSES[Algorithm.MD5])
    assert read_answer(text) is not None
    assert change[0] in text
    assert read_answer(text.replace(*change)) is None


def test_the_secret_parts_of_an_answer_are_not_in_its_text() -> None:
    answer = read_answer(VECTOR.format(algorithm="MD5", response=RESPONSES[Algorithm.MD5]))
    assert RESPONSES[Algorithm.MD5] not in repr(answer)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_answer(text)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=20), min_size=1, max_size=6))
def test_quoted_fields_are_read_as_they_were_written(fields: dict[str, str]) -> None:
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in fields.items()}
    text = ", ".join(f'{name}="{value}"' for name, value in quoted.items())
    if not any("\n" in value for value in fields.values()):
        assert read_fields(text) == fields


def test_row_31_sha_256_is_offered_first() -> None:
    assert list(Algorithm) == [Algorithm.SHA256, Algorithm.MD5]
    text = challenge("LINTEL_1", "n", Algorithm.SHA256, stale=True)
    assert text == 'Digest realm="LINTEL_1", qop="auth", algorithm=SHA-256, nonce="n", stale=true'


def test_row_31_a_count_is_taken_once_whatever_its_order() -> None:
    spent = Spent()
    assert [spent.take(count) for count in (1, 5, 3, 3, 5, 1, 4)] == [True, True, True, False, False, False, True]
    assert not spent.take(0)
    assert spent.take(5 + WINDOW)
    assert not spent.take(5)
    assert spent.take(6)


@given(st.lists(st.integers(1, 3000), max_size=200))
def test_row_31_no_count_is_ever_taken_twice(counts: list[int]) -> None:
    spent = Spent()
    taken = [count for count in counts if spent.take(count)]
    assert len(taken) == len(set(taken))
    highest = 0
    for count in counts:
        if count > highest:
            assert count in taken
            highest = count


def test_row_31_a_nonce_is_ours_for_a_while_and_in_one_spelling_only() -> None:
    nonces = Nonces()
    nonce = nonces.fresh(5 * S)
    assert nonces.take(nonce, 1, 5 * S)
    assert not nonces.take(nonce, 1, 5 * S)
    assert nonces.take(nonce, 2, 5 * S + int(LIFETIME_S * S))
    assert not nonces.take(nonce, 3, 6 * S + int(LIFETIME_S * S))
    assert not Nonces().take(nonces.fresh(5 * S), 1, 5 * S)
    fresh = nonces.fresh(5 * S)
    for spelling in (
        fresh + "\n",
        fresh + "====",
        fresh[:-1] + ("A" if fresh[-1] != "A" else "B"),
        " " + fresh,
        "\u0131",
    ):
        assert not nonces.take(spelling, 1, 5 * S)
    assert nonces.take(fresh, 1, 5 * S)


def test_row_31_a_forgotten_nonce_cannot_be_used_again() -> None:
    nonces = Nonces()
    first = nonces.fresh(1 * S)
    assert nonces.take(first, 1, 1 * S)
    for number in range(NONCES):
        assert nonces.take(nonces.fresh(2 * S + number), 1, 3 * S)
    assert not nonces.take(first, 1, 3 * S)
    assert not nonces.take(first, 2, 3 * S)
    assert nonces.take(nonces.fresh(4 * S), 1, 4 * S)


def test_a_secret_once_opened_is_not_taken_for_one_of_another_name_or_algorithm() -> None:
    vault = Vault(new_key())
    sealed = {each: vault.seal("ada", "r", each, "secret") for each in Algorithm}
    account = Account(name="ada", level=AccountLevel.VIEWER, hash="", realm="r", sha256=sealed[Algorithm.SHA256],
                      md5=sealed[Algorithm.MD5], ptz=False)  # fmt: skip
    for _ in range(2):
        assert vault.open(account, Algorithm.SHA256) == ha1(Algorithm.SHA256, "ada", "r", "secret")
        assert vault.open(replace(account, name="eve"), Algorithm.SHA256) is None
        assert vault.open(replace(account, md5=account.sha256), Algorithm.MD5) is None


WRITTEN = (
    'username="a"',
    'realm="r"',
    'nonce="n"',
    'uri="/x?y=1,2"',
    'response="AB"',
    'cnonce="c"',
    "nc=0000000F",
    "qop=auth",
)


@given(
    st.permutations(WRITTEN),
    st.lists(
        st.tuples(
            st.sampled_from(["username", "realm", "nonce", "uri", "nc", "qop", "Qop", "algorithm", "userhash", "x"]),
            st.one_of(
                st.text(st.sampled_from('abZ09,= "-\\/:\n'), max_size=8), st.sampled_from(["auth", "MD5", "SHA-256"])
            ),
            st.booleans(),
        ),
        max_size=2,
    ),
    st.integers(0, 8),
    st.sampled_from([", ", ",", " , ", "  "]),
)
def test_row_31_an_answer_read_at_one_go_is_read_the_same_the_careful_way(
    written: list[str], more: list[tuple[str, str, bool]], left_out: int, between: str
) -> None:
    """Where the quick way sees an answer it is the one that the careful way sees; it may see none."""
    added = [f'{name}="{value}"' if quoted else f"{name}={value}" for name, value, quoted in more]
    text = between.join([*written[:left_out], *added, *written[left_out + 1 :]])
    quick = read_usual(text)
    if quick is not None:
        assert quick == read_any(text, compatible=False)


@given(st.permutations(WRITTEN))
def test_an_answer_as_programs_write_it_is_read_at_one_go(written: list[str]) -> None:
    answer = read_usual(", ".join([*written, "algorithm=SHA-256"]))
    assert answer is not None
    assert (answer.name, answer.uri, answer.nc, answer.algorithm) == ("a", "/x?y=1,2", "0000000F", Algorithm.SHA256)
    assert answer == read_any(", ".join([*written, "algorithm=SHA-256"]), compatible=False)


@pytest.mark.parametrize("text", [" !", "a!", "a=b,!", 'a="b", c!', 'a="b", c="', 'username="x", realm', 'a="\\"'])
def test_what_is_a_list_of_fields_only_at_first_is_none(text: str) -> None:
    assert read_fields(text) is None


@pytest.mark.parametrize("piece", [" ", "a", "a=", ' a="b"', 'a="\\"', "a=b,", 'a="b\\"c",'])
def test_row_35_the_text_of_a_stranger_is_read_in_a_time_that_grows_with_its_length(piece: str) -> None:
    """Read before any log-in: what is quadratic in its length would let a stranger stop the network role."""

    def fastest_s(chars: int) -> float:
        text, found = (piece * chars)[:chars] + "!", []
        for _ in range(20):
            began = time.thread_time()
            for _ in range(20):
                read_fields(text)
                read_usual(text)
            found.append(time.thread_time() - began)
        return min(found)

    assert fastest_s(2000) < 100 * fastest_s(100) + 1e-3  # in proportion: 20; to the square: 400, and 2 s


@given(st.permutations(WRITTEN), st.integers(0, 5), st.text(st.sampled_from('ab"\\, ='), max_size=6))
def test_row_31_whatever_is_quoted_is_read_the_same_both_ways(written: list[str], which: int, value: str) -> None:
    """Also nothing at all, and what has to be escaped."""
    quoted = [at for at, each in enumerate(written) if '"' in each][which]
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    written = [f'{each.partition("=")[0]}="{escaped}"' if at == quoted else each for at, each in enumerate(written)]
    text = ", ".join(written)
    careful = read_any(text, compatible=False)
    assert careful is not None
    assert read_usual(text) in (careful, None)
    assert read_answer(text) == careful


@given(st.lists(st.integers(1, 3 * WINDOW), max_size=60))
def test_row_31_a_count_is_taken_just_when_it_is_new_and_not_too_old(counts: list[int]) -> None:
    spent, taken = Spent(), set[int]()
    for count in counts:
        new = count not in taken and count > max(taken, default=0) - WINDOW
        assert spent.take(count) == new
        if new:
            taken.add(count)
