"""A full list decides as fast as an empty one."""

from __future__ import annotations

from firmware.access.decision import Attempt, Entry, Index, Policy, decide
from firmware.core.cards.credential import Credential


class Counting(dict[Credential, Entry]):
    """A dictionary that counts how often it is asked."""

    asked = 0

    def get(self, key: Credential, default: Entry | None = None) -> Entry | None:  # type: ignore[override]
        self.asked += 1
        return super().get(key, default)

    def __iter__(self):  # type: ignore[no-untyped-def]
        raise AssertionError("a decision walked through the list")


def test_a_decision_looks_up_and_never_walks_through_100_000_entries() -> None:
    cards = Counting()
    for number in range(100_000):
        card = Credential("H10302", 0, number)
        cards[card] = Entry(id=str(number), name="x", card=card)
    wanted = (Credential("H10304", 1, 1), Credential("H10302", 0, 99_999), Credential("RAW", 37, 5))
    decision = decide(Attempt(door="door", reader="r", at=None, credentials=wanted), Index(cards, {}), Policy())
    assert decision.granted
    assert cards.asked == 2
