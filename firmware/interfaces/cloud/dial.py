"""The way to the dispatcher: address, proxy, TLS, opening handshake; every step bounded, every failure in words.

The name is resolved once an attempt and its address is judged and pinned (row 38); the certificate is always checked
against the name (row 46). Through a proxy the proxy resolves the name, and its own address is the one that is judged.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode

from wsproto import ConnectionType

from firmware.interfaces.cloud.contract import DEVICE_HEADER, MESSAGE_BYTES, SUBPROTOCOL
from firmware.interfaces.cloud.settings import CloudSettings
from firmware.interfaces.cloud.socket import Broken, WebSocket
from firmware.interfaces.outgoing.reach import Peer, Target, Unreachable, find
from firmware.interfaces.outgoing.tls import Installed, trusting

DIAL_S = 20.0
CLOSING_S = 2.0
PROXY_HEADER_BYTES = 8 * 1024
STATUS = {401: "it refuses our owner key (401)", 403: "it refuses our owner key (403)"}


class NoWay(Exception):
    """The dispatcher was not reached; says why in words."""


async def dial(settings: CloudSettings, serial: str, installed: Installed = ssl.create_default_context) -> WebSocket:
    """An open WebSocket to the dispatcher; without an authority of its own all `installed` ones are trusted.

    Raises NoWay, after `DIAL_S` seconds at the latest.
    """
    limit = asyncio.timeout(DIAL_S)
    writer: asyncio.StreamWriter | None = None
    try:
        async with limit:
            reader, writer = await _connect(settings)
            await _encrypt(writer, settings, installed)
            link = WebSocket(reader, writer, ConnectionType.CLIENT, MESSAGE_BYTES)
            headers = [("authorization", f"Bearer {settings.owner_key}"), (DEVICE_HEADER, serial)]
            await link.open(_netloc(settings.host, settings.port), settings.target, headers, SUBPROTOCOL)
            writer = None  # it is the link's now
            return link
    except TimeoutError:
        if not limit.expired():
            raise
        raise NoWay(f"nobody answers within {DIAL_S:g} s") from None
    except Unreachable as error:
        raise NoWay(str(error)) from error
    except Broken as error:
        raise NoWay(STATUS.get(error.status, str(error))) from error
    except ssl.SSLCertVerificationError as error:
        raise NoWay(f"its certificate is not good: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NoWay(f"it speaks no TLS we can accept ({error.reason or error})") from error
    except OSError as error:
        raise NoWay(f"nobody answers at its address ({error.strerror or error})") from error
    finally:
        if writer is not None:
            writer.transport.abort()


async def _connect(settings: CloudSettings) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if not settings.proxy:
        peer = Peer(what="dispatcher", local=settings.local, private=False)
        return await _open(await find(settings.host, settings.port, peer))
    host, port = settings.proxy_address
    # A proxy stands on the local network; what it may reach is its owner's affair, not ours.
    reader, writer = await _open(await find(host, port, Peer(what="proxy", local=settings.local, private=True)))
    try:
        await _tunnel(reader, writer, settings)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


async def _open(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, (target.address, target.port))
        return await asyncio.open_connection(sock=plain)
    except BaseException:
        plain.close()
        raise


async def _encrypt(writer: asyncio.StreamWriter, settings: CloudSettings, installed: Installed) -> None:
    context = trusting(settings.ca, installed)
    await writer.start_tls(context, server_hostname=settings.host, ssl_handshake_timeout=DIAL_S)


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, settings: CloudSettings) -> None:
    """Ask a proxy for a way through (RFC 9110, 9.3.6). Raises Unreachable."""
    place = _netloc(settings.host, settings.port)
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if settings.proxy_user:
        secret = b64encode(f"{settings.proxy_user}:{settings.proxy_password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {secret}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    await writer.drain()
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Unreachable("the proxy does not speak HTTP") from error
    words = head[:PROXY_HEADER_BYTES].split(b"\r\n")[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or len(words[1]) != 3 or not words[1].isdigit():
        raise Unreachable("the proxy does not speak HTTP")
    if words[1] == b"407":
        raise Unreachable("the proxy refuses our user name or password (407)")
    if not words[1].startswith(b"2"):
        raise Unreachable(f"the proxy refuses with status {words[1].decode()}")


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
