"""Row 50: nobody gets back more than it sent, times two; floods are dropped before they are read."""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from firmware.interfaces.discovery.post import LARGEST_BYTES, Address, Group, Post, is_near
from firmware.interfaces.discovery.ration import FACTOR, KEEP_S, MOST_SOURCES, OVERHEAD_BYTES, Ration
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.discovery.wire import NETWORK

S = 1_000_000_000
GROUP = Group(address="239.255.255.250", port=1900, ttl=1)
EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2000), st.integers(0, 3 * S)), max_size=60)


@given(EVENTS)
def test_row_50_no_source_ever_gets_back_more_than_twice_what_it_sent(events: list[tuple[bool, int, int, int]]) -> None:
    ration, now_ns = Ration(), 0
    came, went = {}, {}
    for asks, source, size, later_ns in events:
        now_ns += later_ns
        name = f"192.168.0.{source}"
        if asks:
            came[name] = came.get(name, 0) + size + OVERHEAD_BYTES
            ration.hear(name, size, now_ns)
        elif ration.spend(name, size, now_ns):
            went[name] = went.get(name, 0) + size + OVERHEAD_BYTES
        assert all(out <= FACTOR * came.get(each, 0) for each, out in went.items())


def test_row_50_what_was_not_used_soon_is_forgotten() -> None:
    ration = Ration()
    ration.hear("192.168.0.7", 500, 0)
    assert ration.credit("192.168.0.7", int(KEEP_S * S)) > 0
    assert not ration.spend("192.168.0.7", 1, int(KEEP_S * S) + 1)
    ration.hear("192.168.0.7", 10, int(KEEP_S * S) + 2)
    assert ration.credit("192.168.0.7", int(KEEP_S * S) + 2) == FACTOR * (10 + OVERHEAD_BYTES) - OVERHEAD_BYTES


def test_row_50_a_flood_of_one_source_is_not_read_and_does_not_silence_another() -> None:
    ration = Ration(source_rate=20, rate=200)
    read = sum(ration.hear("192.168.0.7", 100, number * S // 1000) for number in range(10_000))  # ten seconds
    assert read <= 20 * 10 + 40
    assert ration.hear("192.168.0.8", 100, 10 * S)


def test_row_50_a_flood_of_many_sources_is_bounded_in_all_and_costs_no_memory() -> None:
    ration = Ration(source_rate=20, rate=200, answer_rate=25)
    read = answered = 0
    for number in range(20_000):  # two seconds, each packet from somebody else
        name, now_ns = f"10.0.{number // 250}.{number % 250}", number * S // 10_000
        if ration.hear(name, 100, now_ns):
            read += 1
            answered += ration.spend(name, 50, now_ns)
    assert read <= 200 * 2 + 400
    assert answered <= 25 * 2 + 50
    assert len(ration._sources) == MOST_SOURCES


class Echo:
    """Answers whatever it hears with the most it may."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.read = 0

    def heard(self, data: bytes, source: Address) -> None:
        """Everything is a question."""
        self.read += 1
        self.post.answer(source, tuple(bytes(size) for size in range(2000, 0, -50)))


def test_row_50_who_is_not_on_our_network_is_not_even_read() -> None:
    async def main(clock: VirtualClock) -> None:
        sent: list[Address] = []
        post = Post(clock, GROUP, (NETWORK,), lambda data, to: sent.append(to))
        echo = Echo(post)
        for source in (
            ("203.0.113.9", 4000), ("10.0.0.1", 4000), ("192.168.1.7", 4000), ("224.0.0.1", 4000),
            ("192.168.0.255", 4000), ("192.168.0.0", 4000), ("192.168.0.7", 53), ("192.168.0.7", 0), ("::1", 4000),
        ):  # fmt: skip
            post.arrive(bytes(900), source, echo)
        post.arrive(bytes(LARGEST_BYTES + 1), ("192.168.0.7", 4000), echo)
        await clock.sleep(1)
        assert (echo.read, sent) == (0, [])
        for source in (("192.168.0.7", 4000), ("169.254.3.4", 4000), ("192.168.0.8", 1900)):
            post.arrive(bytes(900), source, echo)
        await clock.sleep(1)
        assert (echo.read, len(sent)) == (3, 3)

    virtual_run(main)


@given(st.lists(st.integers(0, 1500), min_size=1, max_size=100))
def test_row_50_the_largest_answer_that_its_sender_has_paid_for_is_sent(sizes: list[int]) -> None:
    async def main(clock: VirtualClock) -> None:
        went: list[int] = []
        post = Post(clock, GROUP, (NETWORK,), lambda data, to: went.append(len(data) + OVERHEAD_BYTES))
        echo = Echo(post)
        for size in sizes:
            post.arrive(bytes(size), ("192.168.0.7", 4000), echo)
            await clock.sleep(0.1)
        assert sum(went) <= FACTOR * sum(size + OVERHEAD_BYTES for size in sizes)
        post.close()

    virtual_run(main)


def test_on_a_cable_of_two_hosts_both_addresses_are_hosts() -> None:
    assert is_near(("10.0.0.0", 4000), (IPv4Network("10.0.0.0/31"),), 1900)
    assert is_near(("10.0.0.1", 4000), (IPv4Network("10.0.0.0/30"),), 1900)
