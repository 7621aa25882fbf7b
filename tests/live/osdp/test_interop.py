"""Our panel and our reader with libosdp 3.2.9 and the `osdp` 1.6 package, in real time, over paced ptys.

Outcomes are seen at both ends: what the panel was told, and what the reader did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hal.osdp.commands import Led, LedPermanent, LedRecord
from hal.osdp.facts import Finished, KeyWanted, Outcome, PeripheralSettings, ReaderSettings, Rekeyed, Reported
from hal.osdp.panel import Panel
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import Ack, Keypad, PdId, Raw
from hal.types import Colour, LinkPhase, PanelLight, Pattern
from tests.live.osdp.ends import Ours, Peer, wire
from tests.live.osdp.venvs import python_with

KEY = bytes.fromhex("5F1D3A9902C47EB688AB10E5D3427C6F")
MASTER = bytes.fromhex("C81E728D9D4C2F636F067F89CC14862C")
WHO = PdId(bytes.fromhex("A1B2C3"), 7, 2, 0x00C0FFEE, 1, 4, 9)
BITS = "10110011100011110000101011"
RED = Led((LedRecord(permanent=LedPermanent(1, 1, 0, 1, 0)),))
BAUDS = [9600, 115200]
S = 1_000_000_000


@pytest.fixture(scope="module")
def libosdp() -> str:
    """The interpreter that has libosdp."""
    return python_with("libosdp", "3.2.9")


@pytest.fixture(scope="module")
def osdp_package() -> str:
    """The interpreter that has osdp."""
    return python_with("osdp", "1.6")


@dataclass
class Talk:
    """A live line with both ends."""

    ours: Ours
    peer: Peer

    @property
    def panel(self) -> Panel:
        """Our end as a panel."""
        assert isinstance(self.ours.engine, Panel)
        return self.ours.engine

    @property
    def reader(self) -> Peripheral:
        """Our end as a reader."""
        assert isinstance(self.ours.engine, Peripheral)
        return self.ours.engine

    def peer_is(self, *, secure: bool) -> None:
        """Wait until the peer says that the link stands, with or without its secure channel."""
        wanted = {"online": True, "secure": secure}
        self.ours.until(lambda: self.state() == wanted, f"the peer's {wanted}")

    def state(self) -> dict[str, object]:
        """What the peer said of the link last."""
        return next((said for said in reversed(self.peer.said) if "online" in said), {})


@contextmanager
def talk(engine: Panel | Peripheral, baud: int, python: str, script: str, *words: str) -> Iterator[Talk]:
    """Connect our engine with a peer; `PTY` among the words is the peer's path."""
    with ExitStack() as stack:
        ours_path, peer_path = stack.enter_context(wire(baud))
        peer = Peer(python, script, *(peer_path if word == "PTY" else word for word in words))
        stack.callback(peer.close)
        ours = Ours(engine, ours_path, peer)
        stack.callback(ours.close)
        ours.until(lambda: bool(peer.heard("ready")), "the peer's start")
        yield Talk(ours, peer)


def our_panel_works(on: Talk) -> None:
    """Cards and keys arrive, a light is shown; both ends saw it."""
    ours, peer = on.ours, on.peer

    def arrived(kind: type[Raw] | type[Keypad]) -> list[Raw | Keypad]:
        return [fact.reply for fact in ours.found(Reported) if isinstance(fact.reply, kind)]

    def do(order: dict[str, object], happened: Callable[[], bool], what: str) -> None:
        peer.tell(**order)
        ours.until(happened, what, again=lambda: peer.tell(**order))

    do({"card": BITS}, lambda: bool(arrived(Raw)), "a card")
    assert {found.bits for found in arrived(Raw)} == {BITS}
    do({"keys": "1234"}, lambda: "1234" in "".join(found.keys for found in arrived(Keypad)), "keys")

    def shown() -> bool:
        return any(found.get("on_color") == 1 for found in peer.heard("command"))

    def light() -> None:
        if on.panel.status(0).phase is LinkPhase.CONNECTED:
            on.panel.submit(0, RED)

    light()
    ours.until(shown, "red at the peer", again=light)
    ours.until(lambda: any(fact.reply == Ack() for fact in ours.found(Finished)), "the peer's word")
    assert {fact.outcome for fact in ours.found(Finished) if fact.reply == Ack()} == {Outcome.DONE}


def our_reader_works_with_libosdp(on: Talk) -> None:
    """Cards and keys arrive at the peer, its light is shown by us."""
    ours, peer = on.ours, on.peer
    on.reader.report(ours.now_ns(), Raw(0, 1, BITS))
    ours.until(lambda: any(found.get("length") == 26 for found in peer.heard("event")), "a card at the peer")
    (card,) = [found for found in peer.heard("event") if found.get("length") == 26]
    assert f"{int(card['data'], 16):032b}"[:26] == BITS
    on.reader.report(ours.now_ns(), Keypad(0, "12"))
    ours.until(lambda: any(found.get("data") == "3132" for found in peer.heard("event")), "keys at the peer")
    peer.tell(led=1)
    ours.until(lambda: bool(ours.found(PanelLight)), "the light", again=lambda: peer.tell(led=1))
    assert ours.found(PanelLight)[-1].pattern == Pattern.steady(Colour.RED)


# our panel


@pytest.mark.parametrize("baud", BAUDS)
def test_our_panel_works_with_libosdp_as_a_reader_in_clear_text(baud: int, libosdp: str) -> None:
    panel = Panel([ReaderSettings(plain=True)], baud=baud)
    with talk(panel, baud, libosdp, "libosdp_peer.py", "pd", "PTY", "-") as on:
        on.ours.until(lambda: panel.status(0).phase is LinkPhase.CONNECTED, "the link")
        on.peer_is(secure=False)
        our_panel_works(on)
        assert not panel.status(0).secure


@pytest.mark.parametrize("baud", BAUDS)
def test_our_panel_works_with_libosdp_as_a_reader_in_the_secure_channel(baud: int, libosdp: str) -> None:
    panel = Panel([ReaderSettings(keys=(KEY,))], baud=baud)
    with talk(panel, baud, libosdp, "libosdp_peer.py", "pd", "PTY", KEY.hex(), "enforce") as on:
        on.ours.until(lambda: panel.status(0).phase is LinkPhase.CONNECTED, "the link")
        on.peer_is(secure=True)
        our_panel_works(on)
        assert panel.status(0).secure


def test_our_panel_installs_a_key_into_libosdp_and_uses_it(libosdp: str) -> None:
    panel = Panel([ReaderSettings()], baud=9600)
    with talk(panel, 9600, libosdp, "libosdp_peer.py", "pd", "PTY", "-", "install") as on:
        on.ours.until(lambda: panel.status(0).phase is LinkPhase.NOT_CONNECTED, "the refusal")
        ticket = panel.install(0, KEY, t_ns=on.ours.now_ns(), until_ns=on.ours.now_ns() + 60 * S)
        on.ours.until(lambda: panel.status(0).phase is LinkPhase.CONNECTED, "the link")
        assert [(f.ticket, f.outcome) for f in on.ours.found(Finished)] == [(ticket, Outcome.DONE)]
        assert [fact.key for fact in on.ours.found(Rekeyed)] == [KEY]
        assert KEY.hex() in [found.get("data") for found in on.peer.heard("command")]
        on.peer_is(secure=True)
        our_panel_works(on)
        assert panel.status(0).secure


def test_our_panel_refuses_libosdp_without_a_key_as_long_as_nobody_allows_it(libosdp: str) -> None:
    """Hardening row 1."""
    panel = Panel([ReaderSettings()], baud=115200)
    with talk(panel, 115200, libosdp, "libosdp_peer.py", "pd", "PTY", "-") as on:
        on.ours.until(lambda: panel.status(0).phase is LinkPhase.NOT_CONNECTED, "the refusal")
        on.peer.tell(card=BITS)
        on.ours.go_on(2.0)
        assert panel.status(0).reason.startswith("no secure channel")
        assert on.ours.found(Reported) == []


def test_our_panel_rotates_the_key_of_libosdp(libosdp: str) -> None:
    panel = Panel([ReaderSettings(keys=(KEY,))], baud=115200)
    with talk(panel, 115200, libosdp, "libosdp_peer.py", "pd", "PTY", KEY.hex(), "enforce") as on:
        on.ours.until(lambda: panel.status(0).phase is LinkPhase.CONNECTED, "the link")
        panel.set_key(0, MASTER)
        on.ours.until(lambda: bool(on.ours.found(Rekeyed)), "the new key")
        on.ours.until(lambda: panel.keys(0) == (MASTER,), "a session with the new key")
        our_panel_works(on)


# our reader


@pytest.mark.parametrize("baud", BAUDS)
def test_our_reader_works_with_libosdp_as_a_panel_in_clear_text(baud: int, libosdp: str) -> None:
    reader = Peripheral(PeripheralSettings(baud=baud, plain=True), WHO)
    with talk(reader, baud, libosdp, "libosdp_peer.py", "cp", "PTY", "-") as on:
        on.peer_is(secure=False)
        assert reader.status.phase is LinkPhase.CONNECTED
        our_reader_works_with_libosdp(on)


@pytest.mark.parametrize("baud", BAUDS)
def test_our_reader_works_with_libosdp_as_a_panel_in_the_secure_channel(baud: int, libosdp: str) -> None:
    reader = Peripheral(PeripheralSettings(baud=baud, keys=(KEY,)), WHO)
    with talk(reader, baud, libosdp, "libosdp_peer.py", "cp", "PTY", KEY.hex(), "enforce") as on:
        on.peer_is(secure=True)
        assert reader.status.secure
        our_reader_works_with_libosdp(on)


def test_our_reader_takes_its_first_key_from_libosdp_and_uses_it(libosdp: str) -> None:
    reader = Peripheral(PeripheralSettings(), WHO)
    with talk(reader, 9600, libosdp, "libosdp_peer.py", "cp", "PTY", KEY.hex()) as on:
        reader.arm_install(on.ours.now_ns(), on.ours.now_ns() + 60 * S)
        on.ours.until(lambda: bool(on.ours.found(KeyWanted)), "the key")
        on.ours.until(lambda: reader.status.secure, "the secure channel")
        assert reader.keys == (KEY,)
        on.peer_is(secure=True)
        our_reader_works_with_libosdp(on)


# the osdp package, a panel only


def diversified(master: bytes, who: PdId) -> bytes:
    """The key that the osdp package makes for a reader."""
    client = who.encode()[:8]
    encryptor = Cipher(algorithms.AES128(master), modes.ECB()).encryptor()
    return encryptor.update(client + bytes(byte ^ 0xFF for byte in client))


def our_reader_works_with_osdp(on: Talk) -> None:
    """Cards and keys arrive at the peer, its light is shown by us with both of its parts."""
    ours, peer = on.ours, on.peer
    on.reader.report(ours.now_ns(), Raw(0, 1, BITS))
    ours.until(lambda: bool(peer.heard("card")), "a card at the peer")
    assert peer.heard("bits") == [26]
    assert f"{int(peer.heard('card')[0], 16):032b}"[:26] == BITS
    on.reader.report(ours.now_ns(), Keypad(0, "12"))
    ours.until(lambda: peer.heard("keys") == ["3132"], "keys at the peer")
    peer.tell(led=1)
    ours.until(lambda: len(ours.found(PanelLight)) == 2, "the light and what is under it")
    assert [fact.pattern for fact in ours.found(PanelLight)] == [
        Pattern.steady(Colour.GREEN),
        Pattern.steady(Colour.RED),
    ]
    ours.until(lambda: peer.heard("led") == [True], "the peer's word that its light is on")


@pytest.mark.parametrize("baud", BAUDS)
def test_our_reader_works_with_the_osdp_package_in_clear_text(baud: int, osdp_package: str) -> None:
    reader = Peripheral(PeripheralSettings(baud=baud, plain=True), WHO)
    with talk(reader, baud, osdp_package, "osdp_peer.py", "PTY", str(baud), "plain", MASTER.hex()) as on:
        on.peer_is(secure=False)
        our_reader_works_with_osdp(on)


@pytest.mark.parametrize("baud", BAUDS)
def test_our_reader_works_with_the_osdp_package_in_the_secure_channel(baud: int, osdp_package: str) -> None:
    reader = Peripheral(PeripheralSettings(baud=baud, keys=(diversified(MASTER, WHO),)), WHO)
    with talk(reader, baud, osdp_package, "osdp_peer.py", "PTY", str(baud), "secure", MASTER.hex()) as on:
        on.peer_is(secure=True)
        assert reader.status.secure
        our_reader_works_with_osdp(on)


def test_our_reader_takes_its_first_key_from_the_osdp_package_and_uses_it(osdp_package: str) -> None:
    reader = Peripheral(PeripheralSettings(), WHO)
    with talk(reader, 9600, osdp_package, "osdp_peer.py", "PTY", "9600", "secure", MASTER.hex()) as on:
        reader.arm_install(on.ours.now_ns(), on.ours.now_ns() + 60 * S)
        on.ours.until(lambda: reader.status.secure, "the secure channel")
        assert reader.keys == (diversified(MASTER, WHO),)
        on.peer_is(secure=True)
        our_reader_works_with_osdp(on)
