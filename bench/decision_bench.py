"""One decision with 10 and with 100,000 entries, against a bare dictionary look-up and SQLite in memory."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench.table import Row, percentile, show
from firmware.access.decision import Attempt, Entry, Index, Policy, decide
from firmware.core.cards.credential import Credential

ATTEMPTS = 5000


def times(act: Callable[[Credential], object], wanted: list[Credential]) -> list[float]:
    """Microseconds of each call."""
    taken = []
    for card in wanted:
        began_ns = time.perf_counter_ns()
        act(card)
        taken.append((time.perf_counter_ns() - began_ns) / 1e3)
    return taken


def main() -> None:
    """Print the table."""
    now = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    chance = random.Random(1)
    rows = []
    for count in (10, 100_000):
        cards = {}
        for number in range(count):
            card = Credential("H10302", 0, number)
            day = timedelta(days=1)
            cards[card] = Entry(id=str(number), name="x", card=card, valid_from=now - day, valid_to=now + day)
        index, policy = Index(cards, {}), Policy()
        wanted = [Credential("H10302", 0, chance.randrange(count * 2)) for _ in range(ATTEMPTS)]

        def attempt(card: Credential, index: Index = index, policy: Policy = policy) -> object:
            seen = (Credential("H10304", 1, 1), card, Credential("RAW", 37, card.number))
            return decide(Attempt(door="door", reader="r", at=now, credentials=seen), index, policy)

        database = sqlite3.connect(":memory:")
        database.execute("create table entries (card text primary key, name text)")
        database.executemany("insert into entries values (?, ?)", [(str(card), "x") for card in cards])

        def query(card: Credential, database: sqlite3.Connection = database) -> object:
            return database.execute("select name from entries where card = ?", (str(card),)).fetchone()

        ours, look_up, sqlite = times(attempt, wanted), times(cards.get, wanted), times(query, wanted)
        half, most = percentile(ours, 0.5), percentile(ours, 0.999)
        rows += [
            Row(f"decision, {count} entries, p50", half, "us", percentile(sqlite, 0.5), "SQLite in memory"),
            Row(f"decision, {count} entries, p50", half, "us", percentile(look_up, 0.5), "a dictionary"),
            Row(f"decision, {count} entries, p99.9", most, "us", 1000.0, "the aim"),
        ]
        database.close()
    show("decision", rows)


if __name__ == "__main__":
    main()
