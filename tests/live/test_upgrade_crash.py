"""The power of a whole device is cut at random moments of upgrades, rollbacks and resets: it always comes back.

Ten cuts here; as many as `LINTEL_CRASH` says with `make crash`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.live.device import Device, lintel, running, until
from tests.live.image import program_tree

CUTS = int(os.environ.get("LINTEL_CRASH", "10"))
CARD = "H10301:42:1234"
# Longer than an upgrade takes from the upload to the commit.
LATEST_S = 12.0


class Trial:
    """One device, cut again and again; `card` says whether its settings should hold the card."""

    def __init__(self, device: Device, bundle: Path, versions: frozenset[str]) -> None:
        self.device = device
        self.bundle = bundle
        self.versions = versions
        self.answer: httpx.Response | None = None

    def standard(self) -> None:
        self._upload("standard")

    def factory(self) -> None:
        self._upload("factory_default")

    def automatic(self) -> None:
        self._upload("automatic_rollback")

    def back(self) -> None:
        self.answer = self.device.api.post("/upgrade/rollback", json={})

    def restore(self) -> None:
        self.answer = self.device.api.post("/actions/device.restore", json={})

    def default(self) -> None:
        self.answer = self.device.api.post("/actions/device.factory_default", json={})

    def _upload(self, mode: str) -> None:
        with self.bundle.open("rb") as file:
            form = {"mode": mode, "confirm_within_s": "30"}
            self.answer = self.device.api.post("/upgrade", data=form, files={"bundle": file})

    def cut(self, act: Callable[[], None], after_s: float) -> None:
        """Begin it, and cut the power so long afterwards."""
        self.answer = None

        def tried() -> None:
            with contextlib.suppress(httpx.TransportError):
                act()

        doing = threading.Thread(target=tried)
        doing.start()
        time.sleep(after_s)
        self.device.bench("power", "off")
        doing.join()
        self.device.bench("power", "on")

    def settle(self) -> dict[str, Any]:
        """Wait until nothing is under way, as whoever may look."""

        def look() -> dict[str, Any] | None:
            with contextlib.suppress(httpx.TransportError):
                answer = self.device.api.get("/upgrade")
                if answer.status_code == 401:  # set-up is asked for: the settings are fresh
                    self.device.api.post("/setup", json={"name": "admin", "password": "live-test-password"})
                    return None
                found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
                return found if found.get("stage") == "idle" else None
            return None

        found: dict[str, Any] = until("a device at rest", look, 150)
        return found

    def check(self, name: str, state: dict[str, Any], before: dict[str, Any] | None) -> None:
        """A verified version, settings intact, exactly one outcome."""
        last = state["last"]
        happened = last is not None and (before is None or last["id"] != before["id"])
        shown = self.device.bench("state")
        assert shown["version"] in self.versions
        running = next(slot for slot in state["slots"] if slot["slot"] == state["running"])
        assert (running["state"], running["version"]) == ("good", shown["version"])
        accepted = self.answer is not None and self.answer.status_code in (200, 202)
        assert happened or not accepted, f"{name} was accepted and has no outcome"
        done = happened and last["outcome"] == "ok"
        fresh = done and name in ("factory", "restore", "default")
        cards = [entry["card"] for entry in self.device.api.get("/entries").json()["entries"]]
        assert cards == ([] if fresh else [CARD]), f"{name}: {last}"
        if fresh:
            self.device.enrol(CARD)
        written = self.device.bench("state")["slot"]
        assert written == state["running"]


def test_row_17_row_28_the_device_survives_every_cut_during_upgrades_rollbacks_and_resets(tmp_path: Path) -> None:
    keys, tree = tmp_path / "keys", program_tree(tmp_path / "tree", "9.8.7")
    assert lintel("bundle", "keys", str(keys)).returncode == 0
    done = lintel("bundle", "build", "--tree", str(tree), "--keys", str(keys), str(tmp_path / "new.raucb"))
    assert done.returncode == 0, done.stderr
    state = tmp_path / "state"
    state.mkdir()
    shutil.copytree(keys / "keyring", state / "keyring")
    chance = random.Random(4)
    with running(state) as device:
        device.set_up()
        device.enrol(CARD)
        own = device.bench("state")["version"]
        trial = Trial(device, tmp_path / "new.raucb", frozenset({own, "9.8.7"}))
        ends: list[str] = []
        for number in range(CUTS):
            before = trial.settle()["last"]
            act = chance.choice(
                [
                    trial.standard,
                    trial.standard,
                    trial.automatic,
                    trial.factory,
                    trial.back,
                    trial.restore,
                    trial.default,
                ]
            )
            after_s = chance.uniform(0.1, LATEST_S)
            trial.cut(act, after_s)
            found = trial.settle()
            trial.check(act.__name__, found, before)
            last = found["last"] or {}
            ends.append(f"{number}: {act.__name__} cut after {after_s:.1f} s: {last.get('outcome')} {last.get('why')}")
        print("\n".join(ends))
