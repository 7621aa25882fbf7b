"""The bounded model checker: every moment at which the power can go, times everything it may leave, twice or more.

A run is played once; before each of its steps every state that a loss of power may leave there is taken from the
simulated medium, and each different one is a run of its own at the next depth. Equal states have equal futures,
so each is played once, while schedules (which moment, what was left, and then again) are counted one by one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from tests.unit.upgrade.model import invariants
from tests.unit.upgrade.model.medium import Frozen, put
from tests.unit.upgrade.model.world import ROTTEN, Device, Scenario, Seen, record_of

State = tuple[Frozen, Seen]


@dataclass
class Result:
    """What a check found: `violations` by invariant with an example, how often each invariant was put to the test."""

    schedules: int = 0
    runs: int = 0
    states: int = 0
    violations: dict[str, str] = field(default_factory=dict)
    checked: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    def add(self, other: Result) -> None:
        """Add another scenario's."""
        self.schedules += other.schedules
        self.runs += other.runs
        self.states += other.states
        self.violations = {**other.violations, **self.violations}
        self.checked += other.checked
        self.ends += other.ends


class Checker:
    """One scenario from one state."""

    def __init__(self, begin: Frozen, scenario: Scenario) -> None:
        self.begin = begin
        self.scenario = scenario
        self.result = Result()
        self.final: Frozen = begin

    def check(self, depth: int, *, stop_at_first: bool = False) -> Result:
        """Play the scenario, and then every future of every state up to `depth` losses of power."""
        level: Counter[State] = self._play((self.begin, Seen()), act=True)
        known: dict[State, Counter[State]] = {}
        for left in range(depth - 1, -1, -1):
            self.result.schedules += level.total()
            following: Counter[State] = Counter()
            for state, times in level.items():
                if state not in known:
                    known[state] = self._play(state, act=False)
                    if stop_at_first and self.result.violations:
                        return self.result
                if left:
                    for after, ways in known[state].items():
                        following[after] += ways * times
            level = following
        self.result.states += len(known)
        return self.result

    def _play(self, state: State, *, act: bool) -> Counter[State]:
        """One run to its end, with the states that a loss of power at each of its steps may leave."""
        left: Counter[State] = Counter()

        def cut() -> None:
            seen = device.seen
            for frozen in self._left(device):
                left[frozen, seen] += 1

        device = Device(state[0], self.scenario, state[1], cut)
        self.result.runs += 1
        device.run(act=act)
        cut()
        after: Counter[State] = Counter()
        for (frozen, seen), times in left.items():
            after[self._seen(frozen, seen)] += times
        for frozen, seen in after:
            self._judge(invariants.anywhere(self.begin, self.scenario, frozen, seen))
        if act:
            self.final = device.medium.freeze()
        self._judge(invariants.at_the_end(self.begin, self.scenario, device))
        return after

    def _left(self, device: Device) -> list[Frozen]:
        """What a loss of power now may leave; in some scenarios the boot sector may be lost with it."""
        left = device.medium.survivors()
        return left + [put(frozen, "boot/default", ROTTEN) for frozen in left] if self.scenario.rots else left

    def _seen(self, frozen: Frozen, seen: Seen) -> State:
        """The state, with the outcome that could be read in it."""
        record = record_of(frozen)
        if record is not None and record.last is not None and record.last.id == self.scenario.id:
            seen = replace(seen, outcome=record.last.outcome.value)
        return frozen, seen

    def _judge(self, findings: list[tuple[str, str | None]]) -> None:
        for invariant, trouble in findings:
            if invariant.startswith("end "):
                self.result.ends[invariant] += 1
                continue
            self.result.checked[invariant] += 1
            if trouble is not None:
                self.result.violations.setdefault(invariant, f"{self.scenario.name}: {trouble}")
