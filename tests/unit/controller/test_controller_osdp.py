"""We are the OSDP reader of somebody's panel, with the real driver and engine: keys, cards, lights, refusals."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from firmware.controller.osdp import OsdpController
from firmware.core.vocabulary.controller import ControllerLink, ControllerPhase, Verdict
from hal.osdp.facts import Outcome
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.types import PanelKey
from tests.unit.controller.conftest import CARD, CARD_BITS, ControllerBench

KEY = bytes.fromhex("8F1C2E7A5B3D90C4E6F70812A3B5D94C")
KEY2 = bytes.fromhex("17D0A94C62E5B83F0C71A8269DE45B30")
OTHER = bytes.fromhex("5A01C97E32D4680BFE1590A7C3284D6F")


class OsdpBench(ControllerBench):
    """The bench with somebody's panel at the second port."""

    @property
    def peer(self) -> OsdpPanelPeer:
        """The panel."""
        peer = self.world.find("panel:panel")
        assert isinstance(peer, OsdpPanelPeer)
        return peer

    @property
    def line(self) -> ControllerLink:
        """The link as the device tells it."""
        (link,) = self.states("controller/link")
        assert isinstance(link, ControllerLink)
        return link

    def plug(self, *keys: bytes, plain: bool = False) -> None:
        """A panel that knows these keys."""
        self.peer.keys, self.peer.plain = keys, plain
        self.peer.finished.clear()  # a panel that starts anew counts its commands from the beginning
        self.peer.plug()

    async def online(self) -> None:
        """Until the panel and the device are connected with a secure channel."""
        await self.until(
            lambda: (
                self.standing.phase is ControllerPhase.CONNECTED
                and self.line.secure
                and self.peer.status.secure
                and self.peer.status.key is not None
            )
        )

    async def done(self, ticket: int) -> Outcome:
        """How a command of the panel ended."""
        await self.until(lambda: ticket in self.peer.finished, within_s=90)
        return self.peer.finished[ticket].outcome

    async def pair(self) -> None:
        """Install the first key by the panel."""
        await self.set(protocol="osdp")
        assert (await self.action("controller.install")).status_code == 200
        self.plug(plain=True)
        await self.settle()
        assert await self.done(self.peer.install(KEY)) is Outcome.DONE
        await self.until(lambda: self.line.keyed)
        self.plug(KEY)
        await self.online()

    def kept(self) -> list[str]:
        """The keys on the disk."""
        data: Any = self.file("control", "controller-osdp").read_bytes()
        keys: list[str] = json.loads(data[data.index(b"{") : data.rindex(b"}") + 1])["keys"]
        return keys


@pytest.fixture
def bench(tmp_path: Any) -> OsdpBench:
    """A door station that starts when the test does."""
    return OsdpBench(tmp_path / "state")


async def test_a_panel_gets_cards_and_keys_over_the_secure_channel(bench: OsdpBench) -> None:
    await bench.pair()
    assert (await bench.card()).verdict is Verdict.SENT
    assert (await bench.forward(key="7")).verdict is Verdict.SENT
    assert (await bench.forward(pin="1234")).verdict is Verdict.SENT
    await bench.settle()
    assert list(bench.peer.cards) == [CARD_BITS]
    assert bench.peer.pressed == "71234"


@pytest.mark.parametrize("bits", ["0" * 26, "1" * 26, "1" * 37, "0" * 36 + "1", "10" * 16])
async def test_every_bit_of_a_card_arrives_whatever_its_length(bench: OsdpBench, bits: str) -> None:
    await bench.pair()
    await bench.card(bits, ())
    await bench.settle()
    assert list(bench.peer.cards) == [bits]


async def test_a_pin_may_end_with_a_key(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.set(pin_end_key="#")
    await bench.forward(pin="1234")
    await bench.settle()
    assert bench.peer.pressed == "1234#"


async def test_the_panels_light_and_buzzer_are_those_of_the_reader(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.done(bench.peer.light("green"))
    await bench.settle()
    assert bench.reader("front").led.colour == "green"
    await bench.done(bench.peer.light("red", for_s=3))
    await bench.settle()
    assert bench.reader("front").led.colour == "red"
    await bench.advance(4.0)
    assert bench.reader("front").led.colour == "green"
    await bench.done(bench.peer.buzz(3))
    await bench.advance(3.0)
    assert [round(beep.width_s, 2) for beep in bench.reader("front").beeper.pulses()] == [0.2, 0.2, 0.2]


async def test_texts_and_outputs_of_the_panel_are_facts(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.done(bench.peer.write("ENTER", for_s=3))
    text = await bench.event("controller/text")
    assert (text.text, text.for_s) == ("ENTER", 3.0)
    await bench.done(bench.peer.switch(True))
    assert (await bench.event("controller/output")).on


async def test_a_panel_that_is_gone_leaves_no_light_and_is_lost(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.done(bench.peer.light("green"))
    await bench.settle()
    bench.peer.unplug()
    await bench.until(lambda: bench.standing.phase is ControllerPhase.LOST, within_s=12)
    await bench.settle()
    assert bench.reader("front").led.colour == "off"
    answer = await bench.card()
    assert (answer.verdict, answer.granted) == (Verdict.LOST, False)
    bench.peer.plug()
    await bench.online()
    assert (await bench.card()).verdict is Verdict.SENT


# keys (hardening rows 1 to 5, seen from the reader's side)


async def test_row_1_without_a_key_a_panel_gets_nothing(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp")
    bench.plug(plain=True)
    await bench.advance(10)
    assert bench.standing.phase is not ControllerPhase.CONNECTED
    assert (await bench.card()).verdict is Verdict.LOST
    assert bench.risks == []
    await bench.settle()
    assert list(bench.peer.cards) == []


async def test_row_1_clear_text_is_a_switch_that_everybody_sees(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp", osdp_insecure=True)
    bench.plug(plain=True)
    await bench.until(lambda: bench.standing.phase is ControllerPhase.CONNECTED)
    assert not bench.line.secure
    assert (await bench.card()).verdict is Verdict.SENT
    assert bench.risks == ["insecure_osdp"]
    lines = (await bench.api("GET", "/journal?limit=300")).json()["lines"]
    assert [line for line in lines if line["topic"] == "controller/risk"]


async def test_row_2_once_a_key_is_held_clear_text_is_over_whatever_the_switch_says(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.set(osdp_insecure=True)
    bench.plug(plain=True)
    await bench.advance(15)
    assert bench.standing.phase is not ControllerPhase.CONNECTED
    await bench.restart()
    await bench.advance(15)
    assert bench.standing.phase is not ControllerPhase.CONNECTED
    bench.plug(KEY)
    await bench.online()


async def test_row_3_install_mode_is_opened_by_hand_only(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp")
    bench.plug(plain=True)
    await bench.settle()
    assert await bench.done(bench.peer.install(KEY)) is not Outcome.DONE
    assert not bench.line.keyed


async def test_row_3_install_mode_closes_after_the_first_key(bench: OsdpBench) -> None:
    await bench.pair()
    assert bench.line.install_until is None
    bench.plug(plain=True)
    await bench.settle()
    assert await bench.done(bench.peer.install(OTHER)) is not Outcome.DONE
    assert bench.kept() == [KEY.hex()]
    refused = await bench.action("controller.install")
    assert refused.status_code == 403
    assert "holds a key already" in refused.text


async def test_row_3_install_mode_closes_after_its_time(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp")
    await bench.action("controller.install", for_s=30)
    await bench.settle()
    assert bench.line.install_until is not None
    await bench.advance(31)
    assert bench.line.install_until is None
    bench.plug(plain=True)
    await bench.settle()
    assert await bench.done(bench.peer.install(KEY)) is not Outcome.DONE


async def test_install_mode_that_is_armed_anew_tells_its_new_end(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp")
    await bench.action("controller.install", for_s=20)
    await bench.settle()
    first = bench.line.install_until
    await bench.action("controller.install", for_s=500)
    await bench.settle()
    second = bench.line.install_until
    assert first is not None
    assert second is not None
    assert (second - first).total_seconds() == pytest.approx(480, abs=1)


async def test_row_3_ten_minutes_are_the_longest(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp")
    assert (await bench.action("controller.install", for_s=601)).status_code == 400


async def test_row_3_a_restart_never_opens_install_mode_again(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp")
    await bench.action("controller.install")
    await bench.restart()
    await bench.settle()
    assert bench.line.install_until is None
    bench.plug(plain=True)
    await bench.settle()
    assert await bench.done(bench.peer.install(KEY)) is not Outcome.DONE


async def test_row_3_only_the_osdp_way_has_an_install_mode(bench: OsdpBench) -> None:
    refused = await bench.action("controller.install")
    assert refused.status_code == 403
    assert "not connected by OSDP" in refused.text


async def test_a_key_is_on_the_disk_before_the_panel_is_told(bench: OsdpBench) -> None:
    await bench.set(protocol="osdp")
    await bench.action("controller.install")
    bench.plug(plain=True)
    await bench.settle()
    bench.disk.error = errno.ENOSPC
    assert await bench.done(bench.peer.install(KEY)) is not Outcome.DONE
    bench.disk.error = None
    refused = await bench.event("controller/key", change="refused")
    assert "could not be kept" in refused.reason
    assert not bench.line.keyed
    # Install mode is still open: nothing was taken.
    bench.plug(plain=True)
    await bench.settle()
    assert await bench.done(bench.peer.install(KEY)) is Outcome.DONE
    assert bench.kept() == [KEY.hex()]


async def test_row_5_a_key_is_changed_inside_the_channel_and_the_old_one_is_given_up_once_the_new_is_proved(
    bench: OsdpBench,
) -> None:
    await bench.pair()
    assert await bench.done(bench.peer.set_key(KEY2)) is Outcome.DONE
    bench.plug(KEY2)
    await bench.settle()
    await bench.online()
    await bench.until(lambda: bench.kept() == [KEY2.hex()])
    for restarted in (False, True):
        if restarted:
            await bench.restart()
        bench.plug(KEY)
        await bench.advance(15)
        assert bench.standing.phase is not ControllerPhase.CONNECTED
        bench.plug(KEY2)
        await bench.online()


@pytest.mark.parametrize(
    "weak", [b"\x11" * 16, bytes(range(16)), KEY[:8] * 2, b"0" * 15 + b"1", KEY[:8] + KEY[:8][::-1]], ids=bytes.hex
)
async def test_row_4_a_weak_key_is_refused_and_the_good_one_stays(bench: OsdpBench, weak: bytes) -> None:
    await bench.pair()
    # The panel on this bench would not send it: what the port asks of the keeper is asked here.
    adapter = bench.service._controller
    assert isinstance(adapter, OsdpController)
    assert not await adapter._key_set(PanelKey(t_ns=bench.clock.now_ns(), key=weak))
    assert (await bench.event("controller/key", change="refused")).reason.startswith("the key ")
    assert bench.kept() == [KEY.hex()]
    bench.plug(KEY)
    await bench.settle()
    await bench.online()


async def test_a_key_that_is_forgotten_opens_nothing_and_another_one_may_be_installed(bench: OsdpBench) -> None:
    await bench.pair()
    assert (await bench.action("controller.forget_key")).status_code == 200
    await bench.advance(15)
    assert bench.standing.phase is not ControllerPhase.CONNECTED
    assert not bench.line.keyed
    assert not bench.file("control", "controller-osdp").exists()
    await bench.pair()


async def test_row_21_a_damaged_key_is_not_no_key(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.set(osdp_insecure=True)
    await bench.stop()
    for path in bench.file("control", "controller-osdp").parent.glob("controller-osdp*"):
        path.write_bytes(b"rot")
    await bench.start()
    await bench.settle()
    assert bench.line.keyed
    assert "damaged" in bench.standing.reason
    assert (await bench.action("controller.install")).status_code == 403
    bench.plug(plain=True)
    await bench.advance(10)
    assert bench.standing.phase is not ControllerPhase.CONNECTED
    await bench.action("controller.forget_key")
    assert (await bench.action("controller.install")).status_code == 200


async def test_row_19_a_key_that_cannot_be_read_now_is_read_later_and_nothing_opens_by_it(
    bench: OsdpBench,
) -> None:
    await bench.pair()
    await bench.enrol(card=CARD)
    await bench.stop()
    folder = bench.file("control", "controller-osdp").parent
    bench.disk.unreadable = {path.name for path in folder.glob("controller-osdp*")}
    await bench.start()
    bench.plug(plain=True)
    await bench.advance(10)
    answer = await bench.card()
    assert (answer.verdict, answer.granted) == (Verdict.LOST, False)
    assert "not running" in answer.reason
    await bench.reader("front").swipe(CARD)
    assert (await bench.relay("door").pulse()).width_s == 7.0
    bench.disk.unreadable = set()
    bench.plug(KEY)
    await bench.until(lambda: bool(bench.states("controller/link")), within_s=60)
    await bench.online()


async def test_row_47_the_key_is_in_no_fact_no_state_and_no_journal(bench: OsdpBench) -> None:
    await bench.pair()
    seen = repr(bench._events) + (await bench.api("GET", "/state")).text
    seen += (await bench.api("GET", "/journal?limit=500")).text
    for form in (KEY.hex(), KEY.hex().upper(), repr(KEY)[2:-1]):
        assert form not in seen


# the place on the bus


async def test_a_panel_may_move_us_and_that_is_kept(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.done(bench.peer.move(5, 19_200))
    await bench.settle()
    await bench.online()
    shown = (await bench.api("GET", "/params/controller")).json()
    assert (shown["osdp_address"], shown["osdp_baud"]) == (5, 19_200)
    await bench.restart()
    await bench.online()
    assert (bench.line.address, bench.line.baud) == (5, 19_200)


async def test_another_address_is_served_at_once(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.set(osdp_address=7)
    bench.peer.address = 7
    bench.plug(KEY)
    await bench.online()


async def test_an_opened_external_reader_is_a_tamper_to_the_panel_until_it_is_closed(bench: OsdpBench) -> None:
    await bench.pair()
    await bench.params("osdp", external={"use": True})
    await bench.action("reader.install", reader="external")
    await bench.event("reader/key", change="rotated")
    for open in (True, False):
        bench.reader("external").tamper()
        await bench.until(lambda open=open: bench.peer.tampered is open)
