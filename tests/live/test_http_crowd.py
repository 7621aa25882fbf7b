"""The HTTP server and more connections than it has room for, on real sockets (hardening row 32)."""

from __future__ import annotations

import asyncio

from firmware.interfaces.http.limits import Limits
from tests.live.http_clients import App, Client, quick, serving, until


def test_row_32_one_address_gets_its_share_of_connections_and_no_more() -> None:
    async def main() -> None:
        app = App()
        async with serving(app, limits=Limits(per_address=4)) as server:
            clients = [await Client.to(server) for _ in range(4)]
            await until(lambda: server.connections == 4)
            # A fifth takes the place of the oldest, which has not asked for anything.
            assert await quick(server)
            assert await clients[0].rest() == b""
            clients[0] = await Client.to(server)
            for client in clients:
                client.say("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: app.running == 4)
            # Somebody works for all four: nobody gives way to a fifth.
            fifth = await Client.to(server)
            assert (await fifth.rest()).startswith(b"HTTP/1.1 503 ")
            await clients[0].close()
            await until(lambda: server.connections == 3)
            assert await quick(server)
            for client in clients:
                await client.close()
            await until(lambda: server.connections == 0)

    asyncio.run(main())


def test_row_32_a_full_house_makes_room_for_whoever_holds_least() -> None:
    async def main() -> None:
        async with serving(App(), limits=Limits(per_address=30, connections=40)) as server:
            crowd = [await Client.to(server, f"127.4.0.{number // 20 + 1}") for number in range(40)]
            await until(lambda: server.connections == 40)
            assert await quick(server)
            assert await crowd[0].rest() == b""
            lone = await Client.to(server, "127.4.9.9")
            more = [await Client.to(server, "127.4.0.1") for _ in range(40)]
            lone.say("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await lone.answer() == (200, b"ok")
            assert server.connections <= 40
            for client in (*crowd, *more):
                await client.close()

    asyncio.run(main())


def test_row_32_five_hundred_connections_at_once_leave_nothing_behind() -> None:
    async def main() -> None:
        async with serving(App(), headers_s=0.5) as server:
            clients = [await Client.to(server) for _ in range(500)]
            await asyncio.gather(*(client.rest() for client in clients))
            for client in clients:
                await client.close()
            await until(lambda: server.connections == 0)
            assert await quick(server)

    asyncio.run(main())
