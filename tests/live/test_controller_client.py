"""The client of a door controller against a real HTTPS server: nothing but its own good answer opens anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.core.vocabulary.controller import AskAnswer, ControllerReader, ForwardParams
from firmware.interfaces.controller.client import ControllerClient
from firmware.interfaces.controller.contract import NoAnswer
from firmware.interfaces.controller.settings import ControllerHttp
from tests.live.door_controller import PASSWORD, USER, Authority, DoorController, serving

CARD = ForwardParams(reader="reader1", door="door", bits="0101", fitting=("H10301:42:1234",), pin="4711")
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("test authority")


@pytest.fixture
def controller(authority: Authority, tmp_path: Path) -> Iterator[DoorController]:
    with serving(authority.issue(tmp_path, "127.0.0.1", "localhost")) as controller:
        yield controller


def settings(controller: DoorController, authority: Authority, **more: Any) -> ControllerHttp:
    return ControllerHttp.model_validate({"url": controller.url, "ca": authority.pem, "local": True, **more})


def ask(given: ControllerHttp, within_s: float = PATIENCE_S, times: int = 1) -> AskAnswer | str:
    """The last answer, or why there is none."""

    async def asking() -> AskAnswer | str:
        client = ControllerClient(given, "0123456789AB")
        try:
            for _ in range(times - 1):
                await client.ask(CARD, within_s)
            return await client.ask(CARD, within_s)
        except NoAnswer as error:
            return str(error)
        finally:
            await client.close()

    return asyncio.run(asking())


@pytest.mark.parametrize("verdict", ["granted", "denied"])
def test_a_controller_grants_and_denies(controller: DoorController, authority: Authority, verdict: str) -> None:
    controller.verdict = verdict
    answer = ask(settings(controller, authority, reader_id="north"))
    assert answer == AskAnswer(lost=False, granted=verdict == "granted", reason="the list says so")
    asked = controller.questions[-1]
    assert len(asked.pop("id")) == 32
    assert asked == {
        "device": "0123456789AB",
        "reader": "north",
        "door": "door",
        "card": {"bits": "0101", "readings": ["H10301:42:1234"]},
        "pin": "4711",
    }


def test_every_question_has_an_id_of_its_own(controller: DoorController, authority: Authority) -> None:
    ask(settings(controller, authority), times=3)
    assert len({question["id"] for question in controller.questions}) == 3


def test_a_controller_lists_its_readers(controller: DoorController, authority: Authority) -> None:
    async def listing() -> tuple[ControllerReader, ...]:
        client = ControllerClient(settings(controller, authority), "")
        try:
            return await client.readers()
        finally:
            await client.close()

    assert [reader.id for reader in asyncio.run(listing())] == ["north", "south"]


@pytest.mark.parametrize("login", ["basic", "digest"])
def test_we_say_who_we_are(controller: DoorController, authority: Authority, login: str) -> None:
    controller.login = login
    given = settings(controller, authority, user=USER, password=PASSWORD, authentication=login)
    assert isinstance(ask(given, times=2), AskAnswer)


def test_a_wrong_password_is_no_answer(controller: DoorController, authority: Authority) -> None:
    for login in ("basic", "digest"):
        controller.login = login
        given = settings(controller, authority, user=USER, password="wrong", authentication=login)
        assert ask(given) == "the controller refuses our user name or password (401)"


def test_digest_never_sends_the_password_even_when_basic_is_asked_for(
    controller: DoorController, authority: Authority
) -> None:
    controller.login = "basic"
    assert "refuses" in str(ask(settings(controller, authority, user=USER, password=PASSWORD)))
    assert not any("Authorization" in headers for headers in controller.headers)


# row 46: certificates


def test_row_46_a_certificate_of_another_authority_is_refused(controller: DoorController) -> None:
    other = Authority("somebody else")
    assert "certificate is not good" in str(ask(settings(controller, other)))
    assert controller.questions == []


def test_row_46_the_systems_own_authorities_do_not_know_it_either(controller: DoorController) -> None:
    given = ControllerHttp(url=controller.url, local=True)
    assert "certificate is not good" in str(ask(given))
    assert controller.questions == []


@pytest.mark.parametrize(("name", "days"), [("other.example", 30), ("127.0.0.1", -1)])
def test_row_46_a_certificate_of_another_name_or_time_is_refused(
    authority: Authority, tmp_path: Path, name: str, days: int
) -> None:
    with serving(authority.issue(tmp_path, name, days=days)) as controller:
        assert "certificate is not good" in str(ask(settings(controller, authority)))
        assert controller.questions == []


def test_row_46_an_unchecked_certificate_is_a_choice(controller: DoorController) -> None:
    given = ControllerHttp(url=controller.url, local=True, verify=False)
    assert isinstance(ask(given), AskAnswer)


def test_row_46_the_certificate_is_checked_against_the_name_that_was_resolved(
    authority: Authority, tmp_path: Path
) -> None:
    with serving(authority.issue(tmp_path, "localhost")) as controller:
        named = settings(controller, authority, url=controller.url.replace("127.0.0.1", "localhost"))
        assert isinstance(ask(named), AskAnswer)
        assert controller.headers[-1]["Host"] == f"localhost:{controller.port}"
        assert "certificate is not good" in str(ask(settings(controller, authority)))


def test_a_server_that_speaks_no_tls_is_no_controller() -> None:
    with serving(None) as controller:
        given = ControllerHttp(url=controller.url.replace("http:", "https:"), local=True, verify=False)
        assert "no TLS" in str(ask(given))


def test_plain_http_is_a_choice() -> None:
    with serving(None) as controller:
        assert isinstance(ask(ControllerHttp(url=controller.url, plain_http=True, local=True)), AskAnswer)


# row 38


def test_row_38_this_device_itself_is_not_asked_unless_ticked(controller: DoorController, authority: Authority) -> None:
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]"):
        url = controller.url.replace("127.0.0.1", host)
        assert "this device itself" in str(ask(settings(controller, authority, url=url, local=False))), host
    assert controller.headers == []


def test_row_38_a_redirect_is_not_followed(controller: DoorController, authority: Authority) -> None:
    controller.mode = "redirect"
    assert "redirect (307), which is not followed" in str(ask(settings(controller, authority)))
    assert controller.elsewhere == 0


# too slow, too much, not meant


def test_a_slow_controller_is_given_up_in_time(controller: DoorController, authority: Authority) -> None:
    for mode in ("slow", "drip"):
        controller.mode = mode
        assert ask(settings(controller, authority), within_s=0.5) == "no answer within 0.5 s"


def test_a_controller_that_is_gone_says_so(authority: Authority, tmp_path: Path) -> None:
    with serving(authority.issue(tmp_path, "127.0.0.1")) as controller:
        pass
    assert ask(settings(controller, authority)) == "nobody answers at the controller's address"


@pytest.mark.parametrize("mode", ["huge", "huge refusal", "bomb"])
def test_row_36_an_endless_or_packed_answer_is_not_taken_in(
    controller: DoorController, authority: Authority, mode: str
) -> None:
    controller.mode = mode
    given = settings(controller, authority, user=USER, password=PASSWORD)
    why = str(ask(given))
    assert "longer than 16384 bytes" in why or "compressed" in why
    # What the server got rid of lies in buffers of sockets; the client has not read on.
    assert controller.sent < 25_000_000


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("other question", "belongs to another question"),
        ("broken", "answers with status 500"),
        ("unknown login", "a way to log in that we do not know"),
        ("hang up", "broke off"),
    ],
)
def test_an_answer_that_is_none_says_why(controller: DoorController, authority: Authority, mode: str, why: str) -> None:
    controller.mode = mode
    assert why in str(ask(settings(controller, authority, user=USER, password=PASSWORD)))


def test_a_connection_that_breaks_off_costs_no_answer_and_asks_the_same_question_again(
    controller: DoorController, authority: Authority
) -> None:
    controller.mode = "hang up once"
    assert isinstance(ask(settings(controller, authority)), AskAnswer)
    first, second = controller.questions
    assert first == second


def test_row_47_no_error_names_the_password(controller: DoorController, authority: Authority) -> None:
    controller.login = "basic"
    given = settings(controller, authority, user=USER, password="wrong-canary", authentication="basic")
    assert "wrong-canary" not in str(ask(given))
    assert "wrong-canary" not in repr(given)
