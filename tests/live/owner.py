"""Whoever owns a simulated device: upgrades it, goes back, resets it, and knows what it should hold afterwards."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from firmware.access.settings import HOLDERS
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import SlotState
from tests.live.cuts import Card
from tests.live.device import Device

# A file is sent with a pause after each piece, as over a slow line: the power can go while it comes in.
PAUSE_S = 0.005
KEPT_CARDS = 2
RESETS = ("restore", "default")


class SlowFile(io.FileIO):
    """A file that is read slowly; `read_whole` once its end was seen."""

    read_whole = False

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(PAUSE_S)
        data = super().read(size) or b""
        self.read_whole = not data
        return data


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle file, and the digest of the one image in it."""

    path: Path
    version: str
    image_sha256: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings of a slot hold: cards by the id of their entry, and two parameters."""

    cards: dict[str, str] = field(default_factory=dict)
    holders: int = HOLDERS
    address: str = ""

    def without(self, id: str) -> Settings:
        """Without an entry."""
        return replace(self, cards={each: card for each, card in self.cards.items() if each != id})


@dataclass(frozen=True, slots=True)
class Slotted:
    """What a slot should be: the version that runs in it, the digest of its image (empty: the checkout), settings."""

    version: str
    image_sha256: str
    settings: Settings


class Owner:
    """One device, and what is known of its slots."""

    def __init__(self, device: Device, bundles: list[Bundle]) -> None:
        self.device = device
        self.card = Card(device.state)
        self.bundles = bundles
        own = str(device.ask("state")["version"])
        self.slots: dict[Slot, Slotted] = {Slot.A: Slotted(own, "", Settings())}
        self.home = Slot.A
        self.number = 0
        self.forget()

    def forget(self) -> None:
        """Nothing is asked for."""
        self.answer: httpx.Response | None = None
        self.confirmed = False
        self.without_power = False  # the device answers nobody any more
        self.bundle: Bundle | None = None
        self._file: SlowFile | None = None

    @property
    def here(self) -> Slotted:
        """The slot that should run."""
        return self.slots[self.home]

    @property
    def received(self) -> bool | None:
        """Whether a file was sent to its end; None when none is sent."""
        return None if self.bundle is None else self._file is not None and self._file.read_whole

    @property
    def answer_text(self) -> str:
        """What the device said to the newest deed."""
        return "nothing" if self.answer is None else f"{self.answer.status_code} {self.answer.text}"

    @property
    def accepted(self) -> str | None:
        """The id of what the device has accepted, where it said so; empty for a reset, which it gives none."""
        if self.answer is None or self.answer.status_code not in (200, 202):
            return None
        return str(self.answer.json().get("id", "")) if self.answer.status_code == 202 else ""

    # settings

    def change(self) -> None:
        """Other parameters and another card; the oldest of many is deleted, which counts for both slots."""
        self.number += 1
        before = self.here.settings
        now = replace(before, holders=HOLDERS + self.number, address=f"10.1.2.{1 + self.number % 250}")
        for group, value in (
            ("access", {"holders": now.holders}),
            ("network", {"boot_proto": "static", "address": now.address, "mask": "255.255.0.0"}),
        ):
            answer = self.device.api.patch(f"/params/{group}", json=value)
            assert answer.status_code == 200, answer.text
        card = f"H10301:42:{self.number}"
        now = replace(now, cards={**now.cards, self.device.enrol(card): card})
        self._holds(self.home, now)
        if len(before.cards) >= KEPT_CARDS:
            oldest = next(iter(before.cards))
            answer = self.device.api.delete(f"/entries/{oldest}")
            assert answer.status_code == 204, answer.text
            for slot, slotted in self.slots.items():
                self._holds(slot, slotted.settings.without(oldest))

    def _holds(self, slot: Slot, settings: Settings) -> None:
        self.slots[slot] = replace(self.slots[slot], settings=settings)

    def found(self) -> Settings:
        """What the device says of its settings; it makes the first administrator where there is none."""
        api = self.device.api
        return Settings(
            cards={entry["id"]: entry["card"] for entry in api.get("/entries").json()["entries"]},
            holders=api.get("/params/access").json()["holders"],
            address=api.get("/params/network").json()["address"],
        )

    # what is asked of the device

    def can_go_back(self) -> bool:
        """Whether there is a former firmware, and the device says so too."""
        there, record = self.home.other in self.slots, self.card.look().record
        says = record.rollback_ok and record.slot(self.home.other).state is SlotState.GOOD
        assert says is there, "the device and its owner disagree about the way back"
        return there

    def choose(self, deed: Callable[[], None], pick: Callable[[list[Bundle]], Bundle]) -> None:
        """Prepare for an upload: a bundle that the device takes, of another version where there is one."""
        taken = [bundle for bundle in self.bundles if deed == self.factory or bundle.version >= self.here.version]
        self.bundle = pick([bundle for bundle in taken if bundle.version != self.here.version] or taken)

    def standard(self) -> None:
        """Upgrade."""
        self._upload("standard")

    def factory(self) -> None:
        """Upgrade, and forget everything."""
        self._upload("factory_default")

    def automatic(self) -> None:
        """Upgrade, and confirm it as soon as it runs."""
        self._upload("automatic_rollback")
        while not self.without_power and not self._on_trial():
            time.sleep(0.02)
        if not self.without_power:
            self.confirmed = self.device.api.post("/upgrade/confirm", json={}).status_code == 204

    def back(self) -> None:
        """Roll back."""
        self.answer = self.device.api.post("/upgrade/rollback", json={})

    def restore(self) -> None:
        """Reset all but the network."""
        self.answer = self.device.api.post("/actions/device.restore", json={})

    def default(self) -> None:
        """Reset everything."""
        self.answer = self.device.api.post("/actions/device.factory_default", json={})

    def _upload(self, mode: str) -> None:
        assert self.bundle is not None
        with SlowFile(self.bundle.path) as file:
            self._file = file
            form = {"mode": mode, "confirm_within_s": "1800"}
            self.answer = self.device.api.post("/upgrade", data=form, files={"bundle": file})

    def _on_trial(self) -> bool:
        try:
            answer = self.device.api.get("/upgrade")
        except httpx.TransportError:  # it restarts, perhaps in the middle of its answer
            return False
        return answer.status_code == 200 and answer.json()["stage"] == "trial"

    # what comes of it

    def succeeded(self, deed: str) -> None:
        """It was done: what the slots hold from now on."""
        source, target = self.home, self.home.other
        here = self.here
        if deed in RESETS:
            address = here.settings.address if deed == "restore" else ""
            self.slots = {source: replace(here, settings=Settings(address=address))}
            return
        if deed != "back":
            assert self.bundle is not None
            settings = Settings() if deed == "factory" else here.settings
            self.slots[target] = Slotted(self.bundle.version, self.bundle.image_sha256, settings)
        if deed == "factory":
            del self.slots[source]
        self.home = target

    def failed(self, deed: str) -> None:
        """The other slot holds nothing any more, unless it was only gone back to."""
        if deed != "back":
            self.slots.pop(self.home.other, None)
