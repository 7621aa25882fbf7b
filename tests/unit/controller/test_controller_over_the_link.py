"""A door controller on the network as control sees it: whatever the network role does, the door is answered in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from firmware.core.actions import Action, Invocation, Level
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.controller import (
    AskAnswer,
    AskParams,
    ControllerPeer,
    ControllerPhase,
    ForwardParams,
    Verdict,
)
from tests.unit.controller.conftest import CARD, CARD_BITS, ControllerBench

Owner = Callable[[Invocation], Awaitable[Any]]
PASSWORD = "canary-controller-password"


class NetworkBench(ControllerBench):
    """The bench with the far end of the link in the test's hands."""

    def answer(self, owner: Owner) -> None:
        """Let the network role answer questions like this instead of asking a controller."""
        table = self._network.core.actions
        action = table.find("controller.ask")
        table._actions["controller.ask"] = Action(
            name=action.name,
            summary=action.summary,
            params=AskParams,
            answer=AskAnswer,
            level=Level.SYSTEM,
            private=True,
            owner=owner,
        )

    def tell(self, reachable: bool, reason: str = "") -> None:
        """Let the network role say how the controller is."""
        self._network.core.bus.publish(ControllerPeer(reachable=reachable, reason=reason))


@pytest.fixture
def bench(tmp_path: Any) -> NetworkBench:
    """A door station that starts when the test does."""
    return NetworkBench(tmp_path / "state")


@pytest.mark.parametrize("granted", [True, False])
async def test_the_controllers_word_counts(bench: NetworkBench, granted: bool) -> None:
    asked: list[ForwardParams] = []

    async def owner(invocation: Invocation) -> AskAnswer:
        params = invocation.params
        assert isinstance(params, AskParams)
        asked.append(params.question)
        return AskAnswer(lost=False, granted=granted, reason="the list says so")

    bench.answer(owner)
    await bench.set(protocol="http")
    answer = await bench.forward(bits=CARD_BITS, fitting=(CARD,), pin="48151623")
    assert (answer.granted, answer.reason) == (granted, "the list says so")
    assert answer.verdict is (Verdict.GRANTED if granted else Verdict.DENIED)
    assert asked == [ForwardParams(reader="reader1", door="door", bits=CARD_BITS, fitting=(CARD,), pin="48151623")]
    assert bench.standing.phase is ControllerPhase.CONNECTED
    assert "48151623" not in repr(bench._events)


@pytest.mark.parametrize("when_lost", ["deny", "grant"])
async def test_a_network_role_that_hangs_is_a_lost_controller_in_time(bench: NetworkBench, when_lost: str) -> None:
    async def owner(invocation: Invocation) -> AskAnswer:
        await bench.clock.sleep(3600)
        return AskAnswer(lost=False, granted=True)

    bench.answer(owner)
    await bench.set(protocol="http", timeout_s=2.0, when_lost=when_lost)
    began = bench.world.now_s
    answer = await bench.card()
    bench.measure("controller.timeout_s", round(bench.world.now_s - began, 6), 2.0)
    assert (answer.verdict, answer.granted) == (Verdict.LOST, when_lost == "grant")
    assert bench.standing.phase is ControllerPhase.LOST


async def test_while_the_controller_hangs_an_enrolled_card_opens_the_door_at_once(bench: NetworkBench) -> None:
    async def owner(invocation: Invocation) -> AskAnswer:
        await bench.clock.sleep(3600)
        return AskAnswer(lost=False, granted=True)

    bench.answer(owner)
    await bench.enrol(card=CARD)
    await bench.set(protocol="http", timeout_s=9.0)
    waiting = bench.started(bench.card("1" * 26, ()))
    await bench.reader("front").swipe(CARD)
    released = await bench.event("door/released", within_s=0.5)
    assert released.door == "door"
    assert not waiting.done()
    assert not (await waiting).granted


async def test_a_network_role_that_fails_is_a_lost_controller_at_once(bench: NetworkBench) -> None:
    async def owner(invocation: Invocation) -> AskAnswer:
        raise Unavailable("controller.ask", "no")

    bench.answer(owner)
    await bench.set(protocol="http")
    answer = await bench.card()
    assert (answer.verdict, answer.granted) == (Verdict.LOST, False)
    assert "network part of this device is not running" in answer.reason


async def test_without_an_address_nothing_is_asked_and_the_reason_says_so(bench: NetworkBench) -> None:
    await bench.set(protocol="http")
    answer = await bench.card()
    assert (answer.verdict, answer.reason) == (Verdict.LOST, "no address is set (controller_http.url)")
    assert bench.standing.reason == "no address is set (controller_http.url)"


async def test_a_single_key_is_not_asked_about(bench: NetworkBench) -> None:
    await bench.set(protocol="http")
    assert (await bench.forward(key="5")).verdict is Verdict.OFF


async def test_the_state_follows_what_the_network_role_finds(bench: NetworkBench) -> None:
    await bench.set(protocol="http")
    bench.tell(True)
    await bench.settle()
    assert bench.standing.phase is ControllerPhase.CONNECTED
    bench.tell(False, "nobody answers at the controller's address")
    await bench.settle()
    assert (bench.standing.phase, bench.standing.reason) == (
        ControllerPhase.LOST,
        "nobody answers at the controller's address",
    )
    bench.tell(True)
    await bench.settle()
    bench._network.core.bus.forget(ControllerPeer)
    await bench.settle()
    assert bench.standing.reason == "the network part of this device is not running"


async def test_a_fault_inside_this_room_is_a_lost_controller_and_no_lost_reader(bench: NetworkBench) -> None:
    await bench.set(protocol="http")

    async def broken(question: ForwardParams) -> Any:
        raise ZeroDivisionError

    vars(bench.service._controller)["ask"] = broken
    answer = await bench.card()
    assert (answer.verdict, answer.granted) == (Verdict.LOST, False)


async def test_protocols_replace_each_other_and_only_the_last_one_speaks(bench: NetworkBench) -> None:
    async def owner(invocation: Invocation) -> AskAnswer:
        await bench.clock.sleep(1.0)
        return AskAnswer(lost=True, reason="too late to say so")

    bench.answer(owner)
    await bench.set(protocol="http", when_lost="grant")
    late = bench.started(bench.card())
    await bench.set(protocol="wiegand", when_lost="deny")
    await bench.advance(2.0)
    assert (await late).verdict is Verdict.LOST
    assert (bench.standing.protocol, bench.standing.phase) == ("wiegand", ControllerPhase.CONNECTED)


# the group of the network role


async def test_row_47_the_password_is_shown_nowhere_and_a_form_may_send_its_mask_back(bench: NetworkBench) -> None:
    answer = await bench.params("controller_http", url="https://10.0.0.9/lintel", user="station", password=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert answer.json()["password"] == "*****"
    again = await bench.params("controller_http", **{**answer.json(), "check_s": 20})
    assert again.status_code == 200, again.text
    seen = (await bench.api("GET", "/params/controller_http")).text + (await bench.api("GET", "/state")).text
    seen += (await bench.api("GET", "/journal?limit=200")).text + repr(bench._events)
    assert PASSWORD not in seen
    assert PASSWORD in bench.file("network", "params-controller_http").read_text()


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"url": "10.0.0.9"}, "is not an address; write https://HOST"),
        ({"url": "ftp://10.0.0.9"}, "is not an address; write https://HOST"),
        ({"url": "https://"}, "is not an address; write https://HOST"),
        ({"url": "https://host:99999/"}, "is not an address: Port out of range"),
        ({"url": "https://u:p@10.0.0.9"}, "must not hold a name or password"),
        ({"url": "https://10.0.0.9/?a=b"}, "has no query and no fragment"),
        ({"url": "https://10.0.0.9/ x"}, "is not an address"),
        ({"url": "http://10.0.0.9"}, "needs `plain_http` to be ticked"),
        ({"url": "http://10.0.0.9", "plain_http": True, "user": "u", "authentication": "basic"}, "use digest"),
        ({"ca": "not a certificate"}, "is not a certificate in PEM form"),
        ({"ca": "-----BEGIN PRIVATE KEY-----"}, "holds a private key"),
        ({"adress": "https://10.0.0.9"}, "unknown parameter 'adress'"),
        ({"password": "x" * 257}, "at most 256"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_in_one_line(
    bench: NetworkBench, wishes: dict[str, object], said: str
) -> None:
    answer = await bench.params("controller_http", **wishes)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert "xxxx" not in answer.text
    assert (await bench.api("GET", "/params/controller_http")).json()["url"] == ""


async def test_unsafe_switches_are_warnings_while_they_are_set(bench: NetworkBench) -> None:
    await bench.params("controller_http", url="https://10.0.0.9", verify=False, local=True)
    await bench.settle()
    assert bench.risks == ["local_address", "unverified"]
    await bench.params("controller_http", url="http://10.0.0.9", plain_http=True, verify=True, local=False)
    await bench.settle()
    assert bench.risks == ["plain_http"]
    lines = (await bench.api("GET", "/journal?limit=200")).json()["lines"]
    assert [line["fields"]["risk"] for line in lines if line["topic"] == "controller/risk"]
    await bench.params("controller_http", url="https://10.0.0.9")
    await bench.settle()
    assert bench.risks == []


async def test_a_question_during_a_change_of_settings_is_answered_by_the_new_ones(bench: NetworkBench) -> None:
    await bench.set(protocol="http")
    await bench.params("controller_http", url="https://127.0.0.1:1", local=False)
    first, second = bench.started(bench.card()), bench.started(bench.card())
    for answer in (await first, await second):
        assert (answer.verdict, answer.granted) == (Verdict.LOST, False)
        assert "127.0.0.1 is this device itself" in answer.reason
