"""The network role's own HTTP on a real socket: events that are not read, WebSockets, somebody else's Digest."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import websockets

from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.access import PinEntered
from firmware.interfaces.api.service import ApiService
from firmware.security import AccountsService
from tests.live.device import PATIENCE_S
from tests.live.http_clients import deadlines, until
from tests.live.running_time import RunningClock


@asynccontextmanager
async def role(root: Path, **short: float) -> AsyncIterator[tuple[ApiService, Core]]:
    async with RunningClock().ticking() as clock:
        bus = Bus(clock, role="network", boot="b1")
        store = Store(root, clock, alarm=lambda *_: None)
        actions, params = ActionTable(), Params(store, bus, lambda file, why: None)
        core = Core(
            role="network", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params),
            params=params, store=store, shared=store,
        )  # fmt: skip
        accounts = AccountsService(core, "LINTEL_0123456789AB")
        api = ApiService(core, "127.0.0.1", 0, True, deadlines=deadlines(**short))
        await store.start()
        await accounts.start()
        await api.start()
        running = asyncio.ensure_future(api.run())
        try:
            yield api, core
        finally:
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await api.stop()
            await accounts.stop()
            await store.close()


async def set_up(api: ApiService) -> str:
    url = "http://{}:{}".format(*api.address)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
        answer = await client.post("/api/v1/setup", json={"name": "admin", "password": "choose-one"})
        assert answer.status_code == 201
    return url


BASIC = {"Authorization": "Basic " + base64.b64encode(b"admin:choose-one").decode()}


def test_row_32_an_event_client_that_does_not_read_is_closed_and_others_hear_everything(tmp_path: Path) -> None:
    async def main() -> None:
        async with role(tmp_path, write_stall_s=0.5) as (api, core):
            url = await set_up(api)
            heard = 0
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(api.address)
                head = "\r\n".join(f"{name}: {value}" for name, value in BASIC.items())
                slow.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
                async with httpx.AsyncClient(base_url=url, headers=BASIC, timeout=PATIENCE_S) as client:
                    async with client.stream("GET", "/api/v1/events") as quick_one:
                        lines = quick_one.aiter_lines()
                        published = 0
                        async with asyncio.timeout(PATIENCE_S):
                            while "the slow one is there":
                                core.bus.publish(PinEntered(reader="r" * 2000, door="door", digits=published))
                                published += 1
                                while heard < published:
                                    line = await anext(lines)
                                    heard += line.startswith("data: ") and '"access/pin"' in line
                                if published > 200 and api._server is not None and api._server.connections == 1:
                                    break
                                await asyncio.sleep(0.002)
            assert heard == published

    asyncio.run(main())


def test_a_websocket_of_somebody_elses_client_hears_events(tmp_path: Path) -> None:
    async def main() -> None:
        async with role(tmp_path) as (api, core):
            url = (await set_up(api)).replace("http:", "ws:") + "/api/v1/events"
            async with websockets.connect(url, additional_headers=BASIC) as ours:
                first = json.loads(await asyncio.wait_for(ours.recv(), PATIENCE_S))
                assert first["operation"] == "initialised"
                core.bus.publish(PinEntered(reader="front", door="door", digits=4))
                while json.loads(await asyncio.wait_for(ours.recv(), PATIENCE_S))["topic"] != "access/pin":
                    pass
                await ours.send("x" * 5000)
                await asyncio.wait_for(ours.wait_closed(), PATIENCE_S)
                assert ours.close_code == 1009
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(url)
            assert refused.value.response.status_code == 401
            assert "Digest" in refused.value.response.headers.get_all("WWW-Authenticate")[0]
            assert api._server is not None
            await until(lambda: api._server is not None and api._server.connections == 0)

    asyncio.run(main())


def test_row_32_a_websocket_that_does_not_read_is_closed(tmp_path: Path) -> None:
    async def main() -> None:
        async with role(tmp_path, write_stall_s=0.5) as (api, core):
            await set_up(api)
            with socket.socket() as slow:
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect(api.address)
                head = "\r\n".join(f"{name}: {value}" for name, value in BASIC.items())
                slow.sendall(
                    f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\nConnection: upgrade\r\n"
                    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
                )
                server = api._server
                assert server is not None
                await until(lambda: server.connections == 1)
                async with asyncio.timeout(PATIENCE_S):
                    while server.connections:
                        core.bus.publish(PinEntered(reader="r" * 2000, door="door", digits=1))
                        await asyncio.sleep(0.002)

    asyncio.run(main())


@pytest.mark.parametrize("sha256", [True, False], ids=["SHA-256", "MD5"])
def test_row_31_digest_of_somebody_elses_client_over_a_socket(tmp_path: Path, sha256: bool) -> None:
    async def main() -> None:
        async with role(tmp_path) as (api, _):
            url = await set_up(api)
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
                first = await client.get("/api/v1/actions?a=1")
                offers = first.headers.get_list("www-authenticate")
                assert ["SHA-256" in offer for offer in offers] == [True, False, False]
                auth = httpx.DigestAuth("admin", "choose-one")
                flow = auth.auth_flow(client.build_request("GET", "/api/v1/actions?a=1"))
                next(flow)
                first.headers["www-authenticate"] = offers[0 if sha256 else 1]
                header = flow.send(first).headers["authorization"]
                flow.close()
                answer = await client.get("/api/v1/actions?a=1", headers={"authorization": header})
                assert answer.status_code == 200

    asyncio.run(main())
