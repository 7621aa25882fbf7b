"""Sessions that outlive a killed process: what is written down, and what ends them all the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.security.sessions import IDLE_S, Sessions

S = 1_000_000_000


def reread(sessions: Sessions, now_ns: int) -> Sessions:
    """What a new process knows."""
    found = Sessions()
    found.read(sessions.written(), now_ns)
    return found


def test_row_39_a_session_goes_on_in_the_next_process_and_its_secret_is_not_written_down() -> None:
    sessions = Sessions()
    token, csrf = sessions.open("ada", "mark", 5 * S)
    assert token.encode() not in sessions.written()
    session = reread(sessions, 9 * S).find(token, 9 * S)
    assert session is not None
    assert (session.name, session.csrf, session.mark) == ("ada", csrf, "mark")


def test_rest_goes_on_while_no_process_runs_and_a_closed_session_stays_closed() -> None:
    sessions = Sessions()
    token, _ = sessions.open("ada", "mark", 5 * S)
    other, _ = sessions.open("ada", "mark", 5 * S)
    sessions.close(other)
    late = 5 * S + round(IDLE_S * S) + 1
    assert reread(sessions, late).find(token, late) is None
    assert reread(sessions, 6 * S).find(other, 6 * S) is None


def test_what_was_written_before_another_start_of_the_machine_is_forgotten() -> None:
    sessions = Sessions()
    token, _ = sessions.open("ada", "mark", 500 * S)
    assert reread(sessions, 3 * S).find(token, 3 * S) is None


@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_nonsense_is_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(ValueError):
        Sessions().read(data, 0)


@given(st.dictionaries(st.text(max_size=4), st.none() | st.dictionaries(st.text(), st.integers()), min_size=1))
def test_a_table_of_nonsense_is_refused_and_changes_nothing(table: object) -> None:
    sessions = Sessions()
    token, _ = sessions.open("ada", "mark", 0)
    with pytest.raises(ValueError):
        sessions.read(json.dumps(table).encode(), 0)
    assert sessions.find(token, 0) is not None
