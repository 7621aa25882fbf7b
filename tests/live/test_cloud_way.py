"""The way to a dispatcher, without a whole device: certificates, a proxy, redirects; real sockets and TLS."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware.dispatcher.devices import Devices
from firmware.interfaces.cloud.contract import Hello, pack
from firmware.interfaces.cloud.dial import NoWay, dial
from firmware.interfaces.cloud.settings import CloudSettings
from hal.clock import SystemClock
from tests.live.device import PATIENCE_S
from tests.live.door_controller import Authority

KEY, SERIAL = "owner-key-of-this-test", "0123456789AB"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("of the cloud tests")


@asynccontextmanager
async def dispatching(
    authority: Authority, folder: Path, name: str = "127.0.0.1", days: int = 30
) -> AsyncIterator[tuple[Devices, int]]:
    devices = Devices(SystemClock(), KEY, authority.issue(folder, name, days=days))
    port = await devices.open("127.0.0.1", 0)
    try:
        yield devices, port
    finally:
        await devices.close()


@asynccontextmanager
async def server(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that answers one connection as a test says."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    shutdown = {} if context is None else {"ssl_shutdown_timeout": 0.1}
    listening = await asyncio.start_server(once, "127.0.0.1", 0, ssl=context, **shutdown)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


class Proxy:
    """An HTTP proxy that knows CONNECT; `asked` is what it was asked for."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", to: int = 0) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._to = to

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self._answer)
        await writer.drain()
        if self._to:
            far, back = await asyncio.open_connection("127.0.0.1", self._to)
            await asyncio.wait(
                [asyncio.ensure_future(pour(reader, back)), asyncio.ensure_future(pour(far, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            back.transport.abort()


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run to the end, and until every connection that was given up is really closed."""

    async def whole() -> None:
        await main()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others or {asyncio.ensure_future(asyncio.sleep(0))}, timeout=5)
        await asyncio.sleep(0.2)

    asyncio.run(whole())


def settings(authority: Authority, port: int, host: str = "127.0.0.1", **more: Any) -> CloudSettings:
    given: dict[str, Any] = {"owner_key": KEY, "ca": authority.pem, "local": True, **more}
    return CloudSettings(url=f"wss://{host}:{port}/device", **given)


async def seen(devices: Devices, found: CloudSettings) -> list[str]:
    """Dial and say hello; who is at the dispatcher then."""
    link = await dial(found, SERIAL)
    await link.send(pack(Hello(protocol=1, serial=SERIAL, model="LINTEL-HS1", version="0")))
    async with asyncio.timeout(PATIENCE_S):
        while SERIAL not in devices.attached:
            await asyncio.sleep(0.01)
    names = list(devices.attached)
    link.hang_up()
    return names


def test_row_46_a_dispatcher_with_a_good_certificate_is_reached(authority: Authority, tmp_path: Path) -> None:
    async def main() -> None:
        async with dispatching(authority, tmp_path) as (devices, port):
            assert await seen(devices, settings(authority, port)) == [SERIAL]

    play(main)


def test_row_46_a_dispatcher_is_trusted_by_an_authority_that_is_installed(authority: Authority, tmp_path: Path) -> None:
    def installed() -> ssl.SSLContext:
        return ssl.create_default_context(cadata=authority.pem)

    async def main() -> None:
        async with dispatching(authority, tmp_path) as (_, port):
            found = settings(authority, port).model_copy(update={"ca": ""})
            with pytest.raises(NoWay, match="its certificate is not good"):
                await dial(found, SERIAL)
            link = await dial(found, SERIAL, installed)
            link.hang_up()

    play(main)


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [("127.0.0.9", 30, "IP address mismatch"), ("127.0.0.1", -1, "certificate has expired")],
)
def test_row_46_a_certificate_for_another_name_or_time_is_refused(
    authority: Authority, tmp_path: Path, name: str, days: int, said: str
) -> None:
    async def main() -> None:
        async with dispatching(authority, tmp_path, name, days) as (devices, port):
            with pytest.raises(NoWay, match=f"its certificate is not good: .*{said}"):
                await dial(settings(authority, port), SERIAL)
            assert devices.attached == {}

    play(main)


def test_a_proxy_on_the_way_is_asked_for_the_name_and_told_who_we_are(authority: Authority, tmp_path: Path) -> None:
    """`dispatcher.invalid` has no address: only the proxy knows where it is."""

    async def main() -> None:
        async with dispatching(authority, tmp_path, "dispatcher.invalid") as (devices, port):
            proxy = Proxy(to=port)
            async with server(proxy.talk) as way:
                more = {"proxy": f"http://127.0.0.1:{way}", "proxy_user": "me", "proxy_password": "canary-proxy"}
                assert await seen(devices, settings(authority, port, "dispatcher.invalid", **more)) == [SERIAL]
        (asked,) = proxy.asked
        assert asked.startswith(f"CONNECT dispatcher.invalid:{port} HTTP/1.1\r\nHost: dispatcher.invalid:{port}\r\n")
        assert base64.b64encode(b"me:canary-proxy").decode() in asked
        assert KEY not in asked

    play(main)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy refuses our user name or password (407)"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy refuses with status 502"),
        (b"SSH-2.0-something\r\n\r\n", "the proxy does not speak HTTP"),
        (b"x" * 100_000, "the proxy does not speak HTTP"),
        (b"", "the proxy does not speak HTTP"),
    ],
)
def test_a_proxy_that_does_not_let_us_through_is_said(authority: Authority, answer: bytes, said: str) -> None:
    async def main() -> None:
        async with server(Proxy(answer).talk) as way:
            with pytest.raises(NoWay, match=re.escape(said)):
                await dial(settings(authority, 1, "dispatcher.invalid", proxy=f"http://127.0.0.1:{way}"), SERIAL)

    play(main)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            b"HTTP/1.1 307 Elsewhere\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
            "it refuses with status 307",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "it refuses with status 200"),
        (b"hello\r\n\r\n", "it does not speak WebSocket"),
        (b"", "it does not speak WebSocket"),
    ],
)
def test_row_38_a_server_that_is_no_dispatcher_or_sends_us_elsewhere_is_left(
    authority: Authority, tmp_path: Path, answer: bytes, said: str
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async def main() -> None:
        async with server(talk, authority.issue(tmp_path, "127.0.0.1")) as port:
            with pytest.raises(NoWay, match=re.escape(said)):
                await dial(settings(authority, port), SERIAL)

    play(main)


def test_nobody_at_the_address_is_said(authority: Authority) -> None:
    async def main() -> None:
        async with server(Proxy().talk) as port:
            pass
        with pytest.raises(NoWay, match="nobody answers at its address"):
            await dial(settings(authority, port), SERIAL)

    play(main)
