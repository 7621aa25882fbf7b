"""Log-in through the whole application: Basic here, Digest anywhere, and what guessers learn."""

from __future__ import annotations

import asyncio
import errno
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware.core.store_disk import FileDisk
from firmware.core.store_file import frame, unframe
from firmware.core.vocabulary.security import AccountChanged, LoginFailed
from firmware.security.digest import LIFETIME_S
from firmware.security.passwords import REMEMBER_S, Worker

Play = Callable[..., None]
HERE, AWAY = "127.0.0.1", "192.0.2.7"
BASE = "http://127.0.0.1:8080"
ADMIN = ("admin", "choose-one")


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every verification that reaches the hash."""
    found: list[str] = []
    real = Worker.verify

    async def counted(self: Worker, encoded: str, password: str, *, guess: bool = False) -> bool:
        found.append(encoded)
        return await real(self, encoded, password, guess=guess)

    monkeypatch.setattr(Worker, "verify", counted)
    return found


async def get(face: Any, auth: Any = None, *, address: str = HERE, base: str = BASE) -> httpx.Response:
    async with face.client(auth, address=address, base=base) as client:
        answer: httpx.Response = await client.get("/api/v1/device?x=%20y")
        return answer


def offers(answer: httpx.Response) -> list[str]:
    values = answer.headers.get_list("www-authenticate")
    return [value.split()[0] + (" MD5" if "algorithm=MD5" in value else "") for value in values]


def test_a_401_offers_digest_sha_256_then_md5_then_basic_where_it_is_allowed(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        assert offers(await get(face)) == ["Digest", "Digest MD5", "Basic"]
        assert offers(await get(face, address="::1", base="http://[::1]:8080")) == ["Digest", "Digest MD5", "Basic"]
        assert offers(await get(face, address=AWAY)) == ["Digest", "Digest MD5"]
        assert offers(await get(face, address=AWAY, base="https://127.0.0.1")) == ["Digest", "Digest MD5", "Basic"]
        body = (await get(face)).json()
        assert set(body["error"]) == {"code", "where", "message"}

    play(main)


def test_basic_is_taken_from_this_machine_and_over_https_only(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        assert (await get(face, ADMIN)).status_code == 200
        assert (await get(face, ADMIN, address=AWAY)).status_code == 401
        assert (await get(face, ADMIN, address=AWAY, base="https://127.0.0.1")).status_code == 200
        async with face.client(ADMIN, address=AWAY) as client:
            lied = {"x-forwarded-for": HERE, "forwarded": f"for={HERE}", "x-real-ip": HERE}
            assert (await client.get("/api/v1/device", headers=lied)).status_code == 401

    play(main)


def test_digest_is_taken_from_anywhere_by_a_client_of_somebody_else(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        auth = httpx.DigestAuth(*ADMIN)
        async with face.client(auth, address=AWAY) as client:
            for _ in range(3):
                assert (await client.get("/api/v1/device?x=%20y")).status_code == 200
            answer = await client.post("/api/v1/actions/door.release", json={"door": "door"})
            assert answer.status_code == 200
        assert face.owners.asked[-1].caller.name == "admin"
        assert (await get(face, httpx.DigestAuth("admin", "wrong"), address=AWAY)).status_code == 401

    play(main)


async def challenged(face: Any, algorithm: str = "SHA-256") -> tuple[httpx.Request, httpx.Response, httpx.DigestAuth]:
    """A request, the challenge it got for one algorithm, and the client's half of the protocol."""
    async with face.client(address=AWAY) as client:
        answer = await client.get("/api/v1/device")
    wanted = next(value for value in answer.headers.get_list("www-authenticate") if f"algorithm={algorithm}" in value)
    answer.headers["www-authenticate"] = wanted
    return answer.request, answer, httpx.DigestAuth(*ADMIN)


async def answered(face: Any, algorithm: str = "SHA-256") -> str:
    """A right Authorization header for GET /api/v1/device."""
    request, answer, auth = await challenged(face, algorithm)
    flow = auth.auth_flow(request)
    next(flow)
    header: str = flow.send(answer).headers["authorization"]
    flow.close()
    return header


async def send(face: Any, header: str, path: str = "/api/v1/device", method: str = "GET") -> httpx.Response:
    async with face.client(address=AWAY) as client:
        answer: httpx.Response = await client.request(method, path, headers={"authorization": header})
        return answer


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_row_31_an_answer_is_good_once_for_one_request(play: Play, algorithm: str) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        header = await answered(face, algorithm)
        assert (await send(face, header, "/api/v1/state")).status_code == 401
        assert (await send(face, header, "/api/v1/device?x=1")).status_code == 401
        assert (await send(face, header)).status_code == 200
        replayed = await send(face, header)
        assert replayed.status_code == 401
        assert all(
            "stale=true" in value for value in replayed.headers.get_list("www-authenticate") if "Digest" in value
        )

    play(main)


def test_row_31_an_old_nonce_is_stale_and_a_changed_one_is_wrong(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        header = await answered(face)
        await face.clock.sleep(LIFETIME_S + 1)
        assert "stale=true" in (await send(face, header)).headers["www-authenticate"]
        header = await answered(face)
        nonce = header.split('nonce="')[1].split('"')[0]
        forged = await send(face, header.replace(nonce, nonce[:-4] + "AAA="))
        assert forged.status_code == 401
        assert "stale" not in forged.headers["www-authenticate"]

    play(main)


def test_row_31_an_answer_of_the_former_start_is_stale(play: Play) -> None:
    kept: list[str] = []

    async def first(face: Any) -> None:
        await face.set_up()
        kept.append(await answered(face))

    async def second(face: Any) -> None:
        assert "stale=true" in (await send(face, kept[0])).headers["www-authenticate"]

    play(first, second)


def test_a_password_is_hashed_once_in_a_while_only(play: Play, hashes: list[str]) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        for _ in range(5):
            assert (await get(face, ADMIN)).status_code == 200
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(get(face, ADMIN)) for _ in range(6)]
        assert [each.result().status_code for each in tries] == [200] * 6
        assert len(hashes) == 1
        await face.clock.sleep(REMEMBER_S + 1)
        assert (await get(face, ADMIN)).status_code == 200
        assert len(hashes) == 2

    play(main)


def test_many_at_once_with_a_fresh_password_hash_it_once_and_nobody_is_throttled(play: Play, hashes: list[str]) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(get(face, ADMIN)) for _ in range(12)]
        assert [each.result().status_code for each in tries] == [200] * 12
        assert len(hashes) == 1

    play(main)


def test_row_30_a_guesser_is_throttled_before_the_hash_and_told_how_long(play: Play, hashes: list[str]) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        codes = [(await get(face, ("admin", f"guess{number}"))).status_code for number in range(9)]
        assert codes == [401] * 5 + [429] * 4
        assert len(hashes) == 5
        blocked = await get(face, ADMIN)
        assert blocked.status_code == 429
        assert blocked.headers["retry-after"] == "1"
        assert len(hashes) == 5
        await face.clock.sleep(1.1)
        assert (await get(face, ADMIN)).status_code == 200

    play(main)


def test_row_30_many_guesses_at_once_get_no_further_than_one_by_one(play: Play, hashes: list[str]) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(get(face, ("admin", f"guess{number}"))) for number in range(12)]
        assert sorted({each.result().status_code for each in tries}) == [401, 429]
        assert sum(each.result().status_code == 401 for each in tries) == 5
        assert len(hashes) == 5

    play(main)


def test_row_30_an_unknown_name_costs_the_same_hash_and_is_not_repeated(play: Play, hashes: list[str]) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await get(face, ("nobody-of-this-name", "x"))
        await get(face, ("admin", "x"))
        assert [text.split("$")[1:4] for text in hashes] == [["argon2id", "v=19", "m=19456,t=2,p=1"]] * 2
        assert len(set(hashes)) == 2
        failures = [event for event in face.events if isinstance(event, LoginFailed)]
        assert [event.name for event in failures] == ["unknown", "admin"]

    play(main)


def test_row_30_digest_guesses_are_throttled_too(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        tries = [await get(face, httpx.DigestAuth("admin", "wrong"), address=AWAY) for _ in range(8)]
        codes = [each.status_code for each in tries]
        assert codes == [401] * 5 + [429] * 3

    play(main)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        f"Basic {b64encode(b'admin').decode()}",
        f"Basic {b64encode(bytes([255, 254])).decode()}",
        "Digest",
        "Digest username=",
        'Digest username="admin", realm="x"',
        "Bearer abc",
        "Digest " + "a" * 5000,
    ],
)
def test_a_header_that_cannot_be_read_is_a_401(play: Play, header: str) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            answer = await client.get("/api/v1/device", headers={"authorization": header})
        assert answer.status_code == 401

    play(main)


def test_accounts_are_made_changed_and_removed_by_administrators(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account("eve", "secret-eve", "operator")
        async with face.client(ADMIN) as client:
            listed = (await client.post("/api/v1/actions/accounts.list", json={})).json()["accounts"]
            assert listed == [
                {"name": "admin", "level": "admin", "ptz": False},
                {"name": "eve", "level": "operator", "ptz": False},
            ]
            assert (await get(face, ("eve", "secret-eve"))).status_code == 200
            change = {"name": "eve", "password": "other-eve", "level": "viewer"}
            assert (await client.post("/api/v1/actions/accounts.change", json=change)).status_code == 200
            assert (await get(face, ("eve", "secret-eve"))).status_code == 401
            assert (await get(face, ("eve", "other-eve"))).status_code == 200
            assert (await get(face, httpx.DigestAuth("eve", "other-eve"), address=AWAY)).status_code == 200
            assert (await client.post("/api/v1/actions/accounts.remove", json={"name": "eve"})).status_code == 200
            assert (await get(face, ("eve", "other-eve"))).status_code == 401
            lost = await client.post("/api/v1/actions/accounts.remove", json={"name": "admn"})
            assert lost.status_code == 404
            assert "did you mean 'admin'?" in lost.json()["error"]["message"]
        changes = [(event.name, event.change) for event in face.events if isinstance(event, AccountChanged)]
        assert changes == [("admin", "created"), ("eve", "created"), ("eve", "changed"), ("eve", "removed")]

    play(main)


def test_the_last_administrator_stays(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            for action, body in (("remove", {"name": "admin"}), ("change", {"name": "admin", "level": "viewer"})):
                answer = await client.post(f"/api/v1/actions/accounts.{action}", json=body)
                assert answer.status_code == 403
            twice = await client.post("/api/v1/actions/accounts.add", json={"name": "admin", "password": "x"})
            assert twice.status_code == 403
        assert (await get(face, ADMIN)).status_code == 200

    play(main)


def test_row_47_no_password_hash_or_secret_reaches_a_fact_a_text_or_the_plain_file(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await get(face, ("admin", "canary-wrong"))
        await face.account("eve", "canary-eve", "viewer")
        async with face.client(ADMIN) as client:
            everything = (await client.get("/api/v1/state")).text + (await client.get("/api/v1/actions")).text
        everything += repr(face.events) + repr(face.owners.asked) + repr(face.accounts._book.all())
        for secret in ("canary", "choose-one", "argon2", face.accounts._book.find("x", "eve").sha256):
            assert secret not in everything
        for path in face.core.store.root.rglob("*"):
            if path.is_file():
                assert b"canary" not in path.read_bytes()
                assert path.stat().st_mode & 0o077 == 0

    play(main)


def test_with_a_lost_device_key_basic_works_and_heals_digest(play: Play) -> None:
    def lose_key(root: Path) -> None:
        for path in root.glob("device-key*"):
            path.write_bytes(b"rubbish")

    async def first(face: Any) -> None:
        await face.set_up()

    async def second(face: Any) -> None:
        assert (await get(face, httpx.DigestAuth(*ADMIN), address=AWAY)).status_code == 401
        assert (await get(face, ADMIN)).status_code == 200
        assert (await get(face, httpx.DigestAuth(*ADMIN), address=AWAY)).status_code == 200

    play(first, second, between=lose_key)


def test_a_sealed_secret_of_one_account_is_worth_nothing_in_another(play: Play) -> None:
    def swap(root: Path) -> None:
        path = root / "accounts"
        content = json.loads(unframe(path.read_bytes()) or b"")
        eve, admin = sorted(content["accounts"], key=lambda each: each["level"] == "admin")
        admin["sha256"], admin["md5"] = eve["sha256"], eve["md5"]
        path.write_bytes(frame(json.dumps(content).encode()))

    async def first(face: Any) -> None:
        await face.set_up()
        await face.account("eve", "secret-eve", "viewer")

    async def second(face: Any) -> None:
        assert (await get(face, httpx.DigestAuth("eve", "secret-eve"), address=AWAY)).status_code == 200
        for password in ("secret-eve", "choose-one"):
            assert (await get(face, httpx.DigestAuth("admin", password), address=AWAY)).status_code == 401

    play(first, second, between=swap)


def test_row_18_a_change_that_cannot_be_saved_is_refused_and_nothing_has_changed(play: Play) -> None:
    class Filling(FileDisk):
        full = False

        def write(self, path: Path, data: bytes) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(path, data)

    disk = Filling()

    async def first(face: Any) -> None:
        await face.set_up()
        disk.full = True
        async with face.client(ADMIN) as client:
            change = {"name": "admin", "password": "another-one"}
            answer = await client.post("/api/v1/actions/accounts.change", json=change)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert (await get(face, ("admin", "another-one"))).status_code == 401
        assert (await get(face, ADMIN)).status_code == 200
        disk.full = False

    async def second(face: Any) -> None:
        assert (await get(face, ADMIN)).status_code == 200

    play(first, second, disk=disk)


GROWTH = """
import asyncio, re, sys
from pathlib import Path
from firmware.security.passwords import Worker
from hal.clock import SystemClock

def resident_mb():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

async def main():
    worker = Worker(SystemClock())
    worker.start()
    before = resident_mb()
    for _ in range(3):
        await worker.verify(await worker.hash("x"), "x")
    worker.close()
    print(resident_mb() - before)

asyncio.run(main())
"""


def test_the_memory_of_a_hash_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 6
