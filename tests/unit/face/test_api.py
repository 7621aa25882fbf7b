"""The native API: what it answers, and how it says that something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from firmware.core.actions import Level
from firmware.core.params import Group, param
from firmware.core.vocabulary.access import DoorAlarm, DoorAlarmKind, DoorState, Position
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase, Phase
from firmware.core.vocabulary.io import PortState, RelayChanged, RelayTrouble
from hal.types import Direction, LoopState

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")


class Sample(Group):
    """A group with a secret and a limit."""

    group = "sample"
    volume: int = param(5, "How loud.", level=Level.OPERATOR, ge=0, le=10)
    token: str = param("t0ken", "A secret.", secret=True, max_length=8)


def served(*checks: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    async def main(face: Any) -> None:
        face.core.params.declare(Sample)
        await face.set_up()
        async with face.client(ADMIN) as client:
            for check in checks:
                await check(face, client)

    return main


def test_the_device_says_what_it_is_and_what_it_does(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        face.bus.publish(DevicePhase(phase=Phase.NORMAL))
        body = (await client.get("/api/v1/device")).json()
        assert (body["serial"], body["model"]) == ("0123456789AB", "LINTEL-DS1")
        assert body["capabilities"] == ["relay", "microphone", "speaker"]
        assert body["phase"]["phase"] == "normal"
        assert body["setup"]["needed"] is False
        assert body["utc_trusted"] is True

    play(served(check))


def test_states_are_listed_with_their_topic(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        face.bus.publish(DoorState(door="door", position=Position.CLOSED, released=False))
        states = (await client.get("/api/v1/state")).json()["states"]
        door = next(state for state in states if state["topic"] == "door/state")
        assert (door["door"], door["position"], door["released"]) == ("door", "closed", False)
        assert {"device/info", "security/setup"} <= {state["topic"] for state in states}

    play(served(check))


def test_doors_ports_and_relays_have_lists_of_their_own(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        bus = face.bus
        bus.publish(DoorState(door="door", position=Position.OPEN, released=True))
        bus.publish(DoorAlarm(door="door", kind=DoorAlarmKind.FORCED, active=True))
        bus.publish(DoorAlarm(door="door", kind=DoorAlarmKind.EXIT, active=False))
        bus.publish(RelayChanged(relay="relay1", alias="door", on=True, why="command"))
        bus.publish(RelayTrouble(relay="relay1", stuck=True, commanded=False))
        bus.publish(
            PortState(
                port="io1",
                name="gate",
                configurable=True,
                direction=Direction.INPUT,
                normal=LoopState.OPEN,
                supervised=True,
                circuit=LoopState.CUT,
                active=True,
                tampered=True,
            )
        )
        doors = (await client.get("/api/v1/doors")).json()
        assert [door["door"] for door in doors["doors"]] == ["door"]
        assert [alarm["kind"] for alarm in doors["alarms"]] == ["forced"]
        relays = (await client.get("/api/v1/relays")).json()
        assert relays["relays"][0]["on"] is True
        assert relays["troubles"][0]["stuck"] is True
        assert (await client.get("/api/v1/ports")).json()["ports"][0]["circuit"] == "cut"

    play(served(check))


def test_entries_and_the_journal_are_asked_of_their_owners_as_the_caller(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        added = await client.post("/api/v1/entries", json={"name": "Ada", "card": "H10301:42:1234", "uses": 3})
        assert (added.status_code, added.json()["id"]) == (201, "e1")
        listed = await client.get("/api/v1/entries", params={"limit": 5})
        assert listed.json()["total"] == 1
        removed = await client.delete("/api/v1/entries/e1")
        assert (removed.status_code, removed.content) == (204, b"")
        assert (await client.get("/api/v1/journal?limit=7")).json() == {"lines": [], "more": False}
        names = [(invocation.action, invocation.caller.name, invocation.caller.via) for invocation in face.owners.asked]
        assert names == [(f"entries.{verb}", "admin", "api") for verb in ("add", "list", "remove")] + [
            ("journal.read", "admin", "api")
        ]
        assert face.owners.asked[0].params.uses == 3
        assert face.owners.asked[1].params.limit == 5
        assert face.owners.asked[3].params.limit == 7

    play(served(check))


def test_an_entry_is_changed_and_null_takes_a_limit_away(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        answer = await client.patch("/api/v1/entries/e1", json={"name": "Bo", "uses": 3, "valid_to": None})
        assert (answer.status_code, answer.json()["id"]) == (200, "e1")
        change = face.owners.asked[0].params
        assert (change.id, change.name, change.uses, change.clear) == ("e1", "Bo", 3, ("valid_to",))
        wrong = await client.patch("/api/v1/entries/e1", json={"valid_too": None})
        assert (wrong.status_code, wrong.json()["error"]["where"]) == (400, "entries.change.valid_too")
        assert "did you mean 'valid_to'" in wrong.text
        wrong = await client.patch("/api/v1/entries/e1", json={"id": "e2"})
        assert "the id is in the path" in wrong.text

    play(served(check))


def test_a_list_is_carried_out_as_a_file_and_in_as_json(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        file = await client.get("/api/v1/entries/export?limit=1")
        assert file.text == "id,name\r\ne1,'=Ada\r\n"
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        assert file.headers["content-disposition"] == 'attachment; filename="entries.csv"'
        assert file.headers["lintel-next"] == "1"
        report = await client.post("/api/v1/entries/import", json={"text": file.text, "dry_run": True})
        assert report.json() == {"added": 1, "changed": 0, "unchanged": 0, "dry_run": True}
        assert face.owners.asked[1].params.text == file.text
        wrong = await client.get("/api/v1/entries/export?format=xls")
        assert (wrong.status_code, wrong.json()["error"]["where"]) == (400, "query.format")

    play(served(check))


def test_the_latest_card_and_a_check_are_asked_of_the_readers(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        latest = await client.get("/api/v1/readers/latest?reader=front&reverse=1")
        assert (latest.status_code, latest.json()["uid"]) == (200, "A104")
        assert (face.owners.asked[0].params.reader, face.owners.asked[0].params.reverse) == ("front", True)
        answer = await client.post("/api/v1/readers/check", json={"uid": "04A1"})
        assert answer.json()["outcome"] == "PIN wanted"

    play(served(check))


def test_parameters_are_read_and_changed_and_secrets_stay_hidden(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        assert (await client.get("/api/v1/params/sample")).json() == {"volume": 5, "token": "*****"}
        changed = await client.patch("/api/v1/params/sample", json={"volume": 7})
        assert (changed.status_code, changed.json()["volume"]) == (200, 7)
        declared = (await client.get("/api/v1/params")).json()["params"]
        assert [(each["name"], each["level"], each["default"]) for each in declared if each["group"] == "sample"] == [
            ("volume", "operator", 5),
            ("token", "admin", "*****"),
        ]

    play(served(check))


def test_row_47_a_secret_that_is_refused_is_not_repeated(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        answer = await client.patch("/api/v1/params/sample", json={"token": "much-too-long-secret"})
        assert answer.status_code == 400
        assert "much-too-long" not in answer.text
        answer = await client.post("/api/v1/entries", json={"name": "Ada", "pin": "12x4-canary"})
        assert answer.status_code == 400
        assert "canary" not in answer.text

    play(served(check))


def test_actions_are_listed_with_their_schema_and_done_by_their_owner(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        listed = {each["name"]: each for each in (await client.get("/api/v1/actions")).json()["actions"]}
        assert listed["door.release"]["level"] == "operator"
        assert "hold_s" in listed["door.release"]["schema"]["properties"]
        assert (await client.post("/api/v1/actions/door.release", json={"door": "door", "hold_s": 2})).json() == {}
        assert (face.owners.asked[0].params.door, face.owners.asked[0].params.hold_s) == ("door", 2.0)

    play(served(check))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "where", "hint"),
    [
        ("POST", "/entries", {"name": "Ada", "crd": "x"}, 400, "entries.add.crd", "did you mean 'card'?"),
        ("POST", "/entries", {"card": "x"}, 400, "entries.add.name", "is missing"),
        ("POST", "/entries", {"name": "Ada", "uses": 0}, 400, "entries.add.uses", "greater than or equal to 1 (got 0)"),
        ("POST", "/entries", [1], 400, "body", "is not an object but list"),
        ("PATCH", "/params/sample", {"volum": 3}, 400, "sample.volum", "did you mean 'volume'?"),
        ("PATCH", "/params/sample", {"volume": 11}, 400, "sample.volume", "less than or equal to 10 (got 11)"),
        ("PATCH", "/params/sampel", {"volume": 1}, 404, "params", "did you mean 'sample'?"),
        ("GET", "/params/sampel", None, 404, "params", "did you mean 'sample'?"),
        ("POST", "/actions/door.relase", {}, 404, "action", "did you mean 'door.release'?"),
        ("POST", "/actions/door.release", {}, 400, "door.release.door", "is missing"),
        ("GET", "/journal?limt=3", None, 400, "query.limt", "did you mean 'limit'?"),
        ("GET", "/journal?limit=none", None, 400, "query.limit", "valid integer"),
        ("GET", "/journal?limit=1&limit=2", None, 400, "query.limit", "twice"),
        ("GET", "/journal?limit=100000", None, 400, "query.limit", "less than or equal to 1000"),
        ("GET", "/devices", None, 404, "/api/v1/devices", "did you mean '/api/v1/device'?"),
        ("GET", "/device/", None, 404, "/api/v1/device/", "did you mean '/api/v1/device'?"),
        ("DELETE", "/device", None, 405, "/api/v1/device", "valid: GET"),
        ("PATCH", "/entries", {}, 405, "/api/v1/entries", "valid: GET, POST"),
    ],
)
def test_a_mistake_gets_one_clear_error(
    play: Play, method: str, path: str, body: Any, status: int, where: str, hint: str
) -> None:
    async def check(face: Any, client: Any) -> None:
        answer = await client.request(method, "/api/v1" + path, **({} if body is None else {"json": body}))
        assert answer.status_code == status, answer.text
        error = answer.json()["error"]
        assert list(answer.json()) == ["error"]
        assert error["where"] == where
        assert hint in error["message"]
        assert face.owners.asked == []

    play(served(check))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"door": NaN}', b"[" * 100_000, b'{"door": "d"', b"null", b'"x"', b"1e999999999"]
)
def test_a_body_that_is_not_usable_json_is_a_clear_400(play: Play, body: bytes) -> None:
    async def check(face: Any, client: Any) -> None:
        headers = {"content-type": "application/json"}
        answer = await client.post("/api/v1/actions/door.release", content=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["where"] == "body"
        assert len(answer.text) < 300

    play(served(check))


def test_openapi_describes_every_route_and_refers_to_nothing_that_is_missing(play: Play) -> None:
    async def check(face: Any, client: Any) -> None:
        document = (await client.get("/api/v1/openapi.json")).json()
        described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert described == {route for route in face.api.levels if route[1].startswith("/api/")}
        text = json.dumps(document)
        refs = {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}
        assert refs <= set(document["components"]["schemas"])
        assert "#/$defs" not in text
        entry = document["paths"]["/api/v1/entries"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert {"name", "card", "pin"} <= set(entry["properties"])

    play(served(check))


def test_while_control_is_away_the_answer_is_503(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        face.bus.forget(DeviceInfo)
        async with face.client(ADMIN) as client:
            answer = await client.get("/api/v1/device")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")

    play(main)


def test_without_the_page_its_address_is_a_404_in_json(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            for path in ("/", "/login"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
            assert (await client.get("/api/v1/device")).status_code == 200

    play(main, web=False)
