"""The throttle: guessers wait longer and longer, owners do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firmware.security.blocking import BlockRules, Reach
from firmware.security.throttle import ACCOUNT, ADDRESS, FORGET_S, KEPT, PAIR, Throttle, origin

S = 1_000_000_000


def fail(throttle: Throttle, times: int, name: str = "ada", address: str = "192.0.2.1", at_s: float = 0) -> None:
    for _ in range(times):
        throttle.failed(name, address, int(at_s * S))


def test_row_30_waits_double_after_the_free_failures_up_to_their_limit() -> None:
    throttle = Throttle()
    waits = []
    for _ in range(20):
        fail(throttle, 1)
        waits.append(throttle.wait_s("ada", "192.0.2.1", 0))
    free = PAIR.free - 1
    assert waits[:free] == [0.0] * free
    assert waits[free : free + 4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == PAIR.longest_s


def test_row_30_another_address_is_not_held_up_by_few_failures() -> None:
    throttle = Throttle()
    fail(throttle, 15)
    assert throttle.wait_s("ada", "192.0.2.1", 0) > 0
    assert throttle.wait_s("ada", "192.0.2.2", 0) == 0


def test_row_30_many_accounts_from_one_address_are_one_attack() -> None:
    throttle = Throttle()
    for number in range(ADDRESS.free):
        fail(throttle, 1, name=f"name{number}")
    assert throttle.wait_s("fresh", "192.0.2.1", 0) > 0


def test_row_30_many_addresses_against_one_account_wait_after_their_first_failure_and_the_owner_does_not() -> None:
    throttle = Throttle()
    throttle.succeeded("ada", "198.51.100.1")
    for number in range(ACCOUNT.free + 10):
        fail(throttle, 1, address=f"192.0.2.{number}")
    # Clean addresses are looked at; one that has failed waits from its own failure, whatever others do meanwhile.
    assert throttle.wait_s("ada", "203.0.113.9", 0) == 0
    assert throttle.wait_s("ada", "192.0.2.1", 0) == ACCOUNT.longest_s
    fail(throttle, 1, address="192.0.2.99", at_s=30)
    assert throttle.wait_s("ada", "192.0.2.1", 60 * S) == 0
    fail(throttle, 1, address="198.51.100.1")
    assert throttle.wait_s("ada", "198.51.100.1", 0) == 0


def test_row_30_an_address_that_fails_too_often_in_a_second_is_blocked_for_the_period_that_is_set() -> None:
    throttle = Throttle()
    throttle.blocks.rules = BlockRules(period_s=30, page_per_s=3, device_per_s=5)
    reaches = [throttle.turned_away("192.0.2.1", "/a", int(number * 0.1 * S)) for number in range(4)]
    assert reaches == [None, None, None, Reach.PAGE]
    assert throttle.wait_s("ada", "192.0.2.1", int(0.3 * S)) == 30
    assert throttle.wait_s("ada", "192.0.2.2", int(0.3 * S)) == 0
    assert throttle.turned_away("192.0.2.1", "/a", 20 * S) is None
    assert throttle.wait_s("ada", "192.0.2.1", int(30.3 * S)) == 0


def test_row_30_many_pages_count_for_the_device_and_slow_failures_for_nothing() -> None:
    throttle = Throttle()
    throttle.blocks.rules = BlockRules(period_s=30, page_per_s=3, device_per_s=5)
    reaches = [throttle.turned_away("192.0.2.1", f"/{number}", 0) for number in range(6)]
    assert reaches == [None] * 5 + [Reach.DEVICE]
    slow = [throttle.turned_away("192.0.2.2", "/a", number * S // 2) for number in range(40)]
    assert slow == [None] * 40
    throttle.blocks.rules = BlockRules(on=False)
    assert throttle.wait_s("ada", "192.0.2.1", 0) == 0
    assert [throttle.turned_away("192.0.2.3", "/a", 0) for _ in range(50)] == [None] * 50


def test_success_forgets_the_failures_of_the_pair_only() -> None:
    throttle = Throttle()
    fail(throttle, PAIR.free)
    throttle.succeeded("ada", "192.0.2.1")
    assert throttle.wait_s("ada", "192.0.2.1", 0) == 0
    fail(throttle, ADDRESS.free - PAIR.free, name="bob")
    assert throttle.wait_s("ada", "192.0.2.1", 0) > 0


def test_failures_are_forgotten_after_a_long_quiet() -> None:
    throttle = Throttle()
    fail(throttle, 30)
    fail(throttle, 1, at_s=FORGET_S + 1)
    assert throttle.wait_s("ada", "192.0.2.1", int((FORGET_S + 1) * S)) == 0


def test_an_ipv6_network_is_one_attacker() -> None:
    assert origin("2001:db8::1") == origin("2001:db8::ffff") != origin("2001:db8:0:1::1")
    assert origin("::ffff:192.0.2.1") == origin("192.0.2.1")
    assert origin("fe80::1%eth0") == origin("fe80::2")


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=20)), max_size=50))
def test_any_names_and_addresses_are_taken(tries: list[tuple[str, str]]) -> None:
    throttle = Throttle()
    for name, address in tries:
        throttle.failed(name, address, 0)
        assert throttle.wait_s(name, address, 0) >= 0


def test_memory_is_bounded_whatever_is_tried() -> None:
    throttle = Throttle()
    for number in range(3 * KEPT):
        throttle.failed(f"n{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number)
    assert len(throttle._counts) <= KEPT
