"""The decision: its order, its properties, and that it stays fast with a full list."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.access.decision import Attempt, Decision, Entry, Index, Policy, decide
from firmware.access.schedule import Schedule
from firmware.access.settings import UntrustedClock
from firmware.core.cards.credential import Credential
from firmware.core.vocabulary.access import Reason

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CARD = Credential("H10301", 42, 1234)
ALWAYS = Schedule.model_validate({"windows": [{"days": ["mon"], "start": "00:00", "end": "24:00"}]})
NEVER = Schedule()
POLICY = Policy(schedules={"always": ALWAYS, "never": NEVER})


def entry(**limits: object) -> Entry:
    return replace(Entry(id="e1", name="Ada", card=CARD), **limits)  # type: ignore[arg-type]


def ask(one: Entry | None, policy: Policy = POLICY, *, door: str = "door", at: datetime | None = NOW) -> Decision:
    index = Index({} if one is None else {CARD: one}, {})
    return decide(Attempt(door=door, reader="reader1", at=at, credentials=(CARD,)), index, policy)


instants = st.integers(-(10**6), 10**6).map(lambda minutes: NOW + timedelta(minutes=minutes))
entries = st.builds(
    entry,
    uses_left=st.none() | st.integers(0, 3),
    valid_from=st.none() | instants,
    valid_to=st.none() | instants,
    schedule=st.none() | st.sampled_from(["always", "never", "gone"]),
    doors=st.sampled_from([(), ("door",), ("gate",), ("gate", "door")]),
)
policies = st.builds(
    Policy,
    use_entry_list=st.booleans(),
    untrusted_clock=st.sampled_from(UntrustedClock),
    schedules=st.just(POLICY.schedules),
)


@given(entries, policies, st.none() | instants)
def test_whoever_is_granted_meets_every_limit(one: Entry, policy: Policy, at: datetime | None) -> None:
    decision = ask(one, policy, at=at)
    assert decision.granted is (decision.reason is Reason.GRANTED)
    if not decision.granted:
        return
    assert policy.use_entry_list
    assert one.uses_left is None or one.uses_left > 0
    assert not one.doors or "door" in one.doors
    if at is None:
        assert not one.timed or policy.untrusted_clock is UntrustedClock.GRANT
    else:
        assert one.valid_from is None or at >= one.valid_from
        assert one.valid_to is None or at < one.valid_to
        assert one.schedule is None or (one.schedule == "always" and at.weekday() == 0)


@given(entries, policies, st.none() | instants)
def test_an_expired_entry_is_never_granted_while_the_clock_is_trusted(
    one: Entry, policy: Policy, at: datetime | None
) -> None:
    expired = replace(one, valid_to=NOW)
    assert not ask(expired, policy, at=max(at or NOW, NOW)).granted


@given(entries, policies, st.none() | instants)
def test_an_unlimited_entry_does_not_depend_on_the_time(one: Entry, policy: Policy, at: datetime | None) -> None:
    free = replace(one, valid_from=None, valid_to=None, schedule=None)
    assert ask(free, policy, at=at) == ask(free, policy, at=None)


@given(policies, st.none() | instants)
def test_an_empty_list_never_means_open(policy: Policy, at: datetime | None) -> None:
    assert not ask(None, policy, at=at).granted


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({}, Reason.GRANTED),
        ({"doors": ("gate",), "uses_left": 0}, Reason.DOOR),
        ({"uses_left": 0, "valid_to": NOW}, Reason.USED_UP),
        ({"valid_from": NOW + timedelta(seconds=1), "schedule": "never"}, Reason.NOT_YET),
        ({"valid_from": NOW, "valid_to": NOW + timedelta(microseconds=1)}, Reason.GRANTED),
        ({"valid_to": NOW}, Reason.EXPIRED),
        ({"schedule": "never"}, Reason.SCHEDULE),
        ({"schedule": "gone"}, Reason.SCHEDULE),
        ({"schedule": "always"}, Reason.GRANTED),
    ],
)
def test_the_first_check_that_fails_is_the_reason(limits: dict[str, object], reason: Reason) -> None:
    assert ask(entry(**limits)).reason is reason


@pytest.mark.parametrize(
    ("limits", "policy", "reason"),
    [
        ({}, UntrustedClock.DENY, Reason.GRANTED),
        ({"uses_left": 1}, UntrustedClock.DENY, Reason.GRANTED),
        ({"schedule": "always"}, UntrustedClock.DENY, Reason.CLOCK),
        ({"valid_from": NOW}, UntrustedClock.DENY, Reason.CLOCK),
        ({"valid_to": NOW}, UntrustedClock.GRANT, Reason.GRANTED),
        ({"valid_to": NOW, "uses_left": 0}, UntrustedClock.GRANT, Reason.USED_UP),
    ],
)
def test_row_16_before_the_time_is_known_only_time_limits_follow_the_policy(
    limits: dict[str, object], policy: UntrustedClock, reason: Reason
) -> None:
    assert ask(entry(**limits), replace(POLICY, untrusted_clock=policy), at=None).reason is reason


def test_a_list_that_is_off_denies_everybody() -> None:
    assert ask(entry(), Policy(use_entry_list=False)).reason is Reason.DISABLED


def test_any_fitting_credential_finds_the_entry() -> None:
    other = Credential("H10302", 0, 99)
    attempt = Attempt(door="door", reader="reader1", at=NOW, credentials=(other, CARD))
    assert decide(attempt, Index({CARD: entry()}, {}), POLICY).granted


def test_a_pin_finds_only_its_own_entry() -> None:
    one = Entry(id="p1", name="Bo", pin=b"hash")
    index = Index({CARD: entry()}, {b"hash": one})
    assert decide(Attempt(door="door", reader="r", at=NOW, pin=b"hash"), index, POLICY).entry is one
    assert decide(Attempt(door="door", reader="r", at=NOW, pin=b""), index, POLICY).reason is Reason.UNKNOWN
    assert "hash" not in repr(one)
