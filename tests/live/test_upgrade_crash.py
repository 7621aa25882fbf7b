"""The power of a whole device is cut at random moments of upgrades, rollbacks and resets: it always comes back.

Ten cuts here; as many as `LINTEL_CRASH` says with `make crash`. Each cut aims at a random moment of one phase of what
is under way; where it really hit is read from the medium afterwards, and counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware.upgrade.record import Stage
from tests.live.cuts import ORDER, Moment, Phase, phase_of
from tests.live.device import PASSWORD, USER, Device, lintel, running, until
from tests.live.image import program_tree
from tests.live.owner import Bundle, Owner

CUTS = int(os.environ.get("LINTEL_CRASH", "10"))
SEED = int(os.environ.get("LINTEL_SEED", "4"))
VERSIONS = ("9.8.7", "9.8.8")
# What no packer makes smaller, so that checking, writing, flushing and reading back take their time.
PAYLOAD_BYTES = 6 * 1024 * 1024
# How long after the beginning of a phase a cut that aims at it comes at the latest.
LATEST_S = {
    Phase.NOTHING: 0.1,
    Phase.RECEIVE: 0.6,
    Phase.CHECK: 0.7,
    Phase.WRITE: 0.15,
    Phase.SWITCH: 2.0,
    Phase.TRY: 4.0,
    Phase.COMMIT: 0.01,
    Phase.RESET: 1.5,
    Phase.ENDED: 1.0,
}
# In every ten cuts each of these once, in random order.
UPLOAD = (Phase.RECEIVE, Phase.CHECK, Phase.WRITE, Phase.WRITE, Phase.SWITCH, Phase.TRY, Phase.COMMIT, Phase.COMMIT)
RESET = (Phase.RESET, Phase.RESET, Phase.NOTHING, Phase.ENDED)
BACK = (Phase.SWITCH, Phase.TRY, Phase.COMMIT, Phase.ENDED)
# Longer than anything takes until its end.
PATIENCE_S = 150.0


class Round:
    """One deed of the owner, cut off."""

    def __init__(self, owner: Owner, deed: Callable[[], None], aim: Phase, after_s: float) -> None:
        self.owner = owner
        self.name = deed.__name__
        self.aim = aim
        self.after_s = after_s
        self.before = owner.card.look()
        self.phase = Phase.NOTHING
        self.at: Moment = self.before
        self._deed = deed

    def cut(self) -> None:
        """Begin it, wait for the phase that is aimed at, cut the power in it; then look what the medium holds."""
        device = self.owner.device
        doing = threading.Thread(target=self._tried)
        doing.start()
        end = time.monotonic() + PATIENCE_S
        while ORDER.index(self._now()) < ORDER.index(self.aim):
            assert time.monotonic() < end, f"{self} never came to that phase: {self.owner.answer_text}"
            time.sleep(0.001)
        time.sleep(self.after_s)
        device.ask("power", "off")
        self.owner.without_power = True
        doing.join()
        self.phase, self.at = self._now(), self.owner.card.look()
        device.ask("power", "on")

    def _now(self) -> Phase:
        return phase_of(self.before, self.owner.card.look(), received=self.owner.received)

    def _tried(self) -> None:
        with contextlib.suppress(httpx.TransportError):  # the power goes while it is asked for
            self._deed()

    def settle(self) -> None:
        """Wait until the device is ready and nothing is under way, as whoever may look."""
        device = self.owner.device

        def rests() -> bool:
            if not all(role["ready"] for role in device.ask("state")["roles"].values()):
                return False
            with contextlib.suppress(httpx.TransportError):
                answer = device.api.get("/upgrade")
                if answer.status_code == 401:  # set-up is asked for: the settings are fresh
                    device.api.post("/setup", json={"name": USER, "password": PASSWORD})
                    return False
                if answer.status_code == 200 and answer.json()["stage"] == "trial":
                    device.api.post("/upgrade/confirm", json={})  # or nobody would, and it were to be undone
                return answer.status_code == 200 and bool(answer.json()["stage"] == "idle")
            return False

        until(f"{self}: a device at rest", rests, PATIENCE_S)

    def judge(self) -> str:
        """Exactly one outcome of what was accepted, agreeing with the version that runs; returns it in a word."""
        after, owner = self.owner.card.look(), self.owner
        happened = after.last_id != self.before.last_id
        # Whoever was told that it is accepted, and what the medium knew of when the power went.
        if owner.accepted is not None or self.at.begun or self.phase is Phase.ENDED:
            assert happened, f"{self} was accepted and has no outcome"
        last = after.record.last
        if not happened or last is None:
            self._check_journal(None)
            return "not begun"
        assert self._wanted() in ("", last.outcome.value), f"{self}: it ended {last.outcome}, {last.why}"
        known = owner.accepted or self.at.begun or self.at.last_id
        assert known in ("", last.id), f"{self}: the outcome is of {last.id}"
        done = last.outcome.value == "ok"
        assert done or not (owner.confirmed or self.name in ("restore", "default")), (
            f"{self}: undone although confirmed"
        )
        if done:
            owner.succeeded(self.name)
        else:
            owner.failed(self.name)
        assert last.after == owner.here.version, f"{self}: {last}"
        self._check_journal(last.id)
        return f"{last.outcome.value} {last.why}".rstrip()

    def _wanted(self) -> str:
        """The outcome, as what the power left on the medium decides; empty when it had not begun."""
        match self.phase:
            case Phase.WRITE:
                return "failed"
            case Phase.TRY:
                return "reverted"
            case Phase.SWITCH:
                return "ok" if self.at.record.stage is Stage.STAGED else "reverted"
            case Phase.COMMIT | Phase.RESET:
                return "ok"
            case Phase.ENDED:
                assert self.at.record.last is not None
                return self.at.record.last.outcome.value
        return ""

    def _check_journal(self, id: str | None) -> None:
        """Every outcome once; that of this round among them, or none that was not there before."""
        ended = [line["fields"] for line in self.owner.device.journal(1000) if line["topic"] == "upgrade/ended"]
        ids = Counter(fields["upgrade"] for fields in ended)
        assert set(ids.values()) <= {1}, f"{self}: {ids}"
        if id is not None:
            assert ended, f"{self}: nothing in the journal"
            assert ended[-1]["upgrade"] == id, f"{self}: {ended}"
        elif ended:
            assert ended[-1]["upgrade"] == self.before.last_id, f"{self}: {ended}"

    def check(self) -> None:
        """The right slot runs, holds exactly what was installed, and its settings are what they should be."""
        owner, after = self.owner, self.owner.card.look()
        shown = owner.device.ask("state")
        home = owner.home
        assert (shown["slot"], shown["version"], shown["trying"]) == (home.value, owner.here.version, False), f"{self}"
        assert (after.default, after.record.home, after.loaded) == (home, home, home), f"{self}: {after}"
        info = after.record.slot(home)
        assert (info.state.value, info.version) == ("good", owner.here.version), f"{self}: {info}"
        assert owner.card.image_sha256(home) == owner.here.image_sha256, f"{self}: slot {home} is another one"
        # What was deleted since is taken out of older settings in a moment.
        seen: list[Any] = []

        def as_known() -> bool:
            seen.append(owner.found())
            return bool(seen[-1] == owner.here.settings)

        try:
            until("the settings", as_known)
        except AssertionError:
            pytest.fail(f"{self}: settings are {seen[-1]}, not {owner.here.settings}")

    def __str__(self) -> str:
        hit = f", hit {self.phase} ({self.at.record.stage})"
        return f"{self.name}, cut {self.after_s:.3f} s into {self.aim}{hit}"


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, and a bundle of each version."""
    root = tmp_path_factory.mktemp("vendor")
    assert lintel("bundle", "keys", str(root / "keys")).returncode == 0
    payload = random.Random(SEED).randbytes(PAYLOAD_BYTES)

    def fill(tree: Path) -> None:
        (tree / "firmware" / "payload.bin").write_bytes(payload)

    for version in VERSIONS:
        tree = program_tree(root / version, version, fill)
        words = ("--tree", str(tree), "--keys", str(root / "keys"), str(root / f"{version}.raucb"))
        built = lintel("bundle", "build", *words)
        assert built.returncode == 0, built.stderr
    return root


def bundle(vendor: Path, version: str) -> Bundle:
    """A bundle of the vendor, with what is in it."""
    path = vendor / f"{version}.raucb"
    shown = lintel("bundle", "inspect", str(path))
    assert shown.returncode == 0, shown.stderr
    (image,) = json.loads(shown.stdout)["manifest"]["images"]
    return Bundle(path, version, image["sha256"])


def shuffled(chance: random.Random) -> list[Phase | str]:
    """What the next ten cuts aim at: a phase of an upload, a reset, a rollback."""
    deck: list[Phase | str] = [*UPLOAD, "reset", "back"]
    chance.shuffle(deck)
    return deck


def deal(card: Phase | str, owner: Owner, chance: random.Random) -> tuple[Callable[[], None], Phase]:
    """A deed, and the phase of it that is aimed at; where there is no way back, an upload to its end."""
    if card == "reset":
        return chance.choice((owner.restore, owner.default)), chance.choice(RESET)
    if card == "back" and owner.can_go_back():
        return owner.back, chance.choice(BACK)
    deed = chance.choice((owner.standard, owner.standard, owner.automatic, owner.automatic, owner.factory))
    owner.choose(deed, chance.choice)
    return deed, card if isinstance(card, Phase) else Phase.ENDED


def doors(device: Device) -> dict[str, int]:
    """How often each relay has moved."""
    return {name: len(device.ask("trace", name)["points"]) for name in ("relay:door", "relay:aux")}


@pytest.mark.timeout(600 + 60 * CUTS)
def test_row_17_row_28_every_cut_leaves_a_verified_version_its_settings_and_exactly_one_outcome(
    tmp_path: Path, vendor: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shutil.copytree(vendor / "keys" / "keyring", state / "keyring")
    chance = random.Random(SEED)
    hits: Counter[str] = Counter()
    with running(state) as device:
        device.set_up()
        owner = Owner(device, [bundle(vendor, version) for version in VERSIONS])
        moves = doors(device)
        deck: list[Phase | str] = []
        for number in range(CUTS):
            owner.forget()
            owner.change()
            deck = deck or shuffled(chance)
            deed, aim = deal(deck.pop(), owner, chance)
            cut = Round(owner, deed, aim, chance.uniform(0.0, LATEST_S[aim]))
            cut.cut()
            cut.settle()
            outcome = cut.judge()
            cut.check()
            assert doors(device) == moves, f"{cut}: a relay moved"
            hits[cut.phase] += 1
            print(f"{number}: {cut}: {outcome}; {owner.here.version} in slot {owner.home}", flush=True)
        # The board never had to pass over a slot: whatever should start was whole.
        assert "cannot be started" not in device.output.read_text()
    tally = ", ".join(f"{phase} {hits[phase]}" for phase in ORDER)
    print(f"{CUTS} cuts, 0 violations; hit: {tally}")
    if CUTS >= 100:
        assert [phase for phase in {*UPLOAD, *RESET, *BACK} - {Phase.NOTHING} if not hits[phase]] == []
    assert sum(hits[phase] for phase in (Phase.WRITE, Phase.SWITCH, Phase.TRY, Phase.COMMIT)) >= CUTS / 5
