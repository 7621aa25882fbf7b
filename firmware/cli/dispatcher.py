"""`lintel dispatcher`: the far end of the cloud connection, for an owner of a few devices and for trying it out."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from pathlib import Path

from firmware.cli.parser import Parser, address
from firmware.core.errors import Invalid
from hal.clock import SystemClock

LISTEN, HTTP = "127.0.0.1:8481", "127.0.0.1:8480"

HELP = """\
lintel dispatcher [--folder DIR] [--listen HOST:PORT] [--name HOST] [--certificate FILE] [--http HOST:PORT]

  --folder       where its authority, its certificate and the owner's key lie; made at the first start (./dispatcher)
  --listen       where devices call it, over TLS (127.0.0.1:8481; port 0: any that is free)
  --name         the name or address that devices call, as the certificate says it (the host of --listen)
  --certificate  a PEM file with a certificate of your own and its key, instead of one of the folder
  --http         where you see the devices and reach their APIs (127.0.0.1:8480); keep it on the loopback

It prints what a device has to be told (parameters of the group `cloud`), then serves until Ctrl-C.
docs/cloud.md describes the protocol. It is our own, and no device of another maker speaks it.
"""


def command(words: list[str]) -> int:
    """Serve until told to stop. Raises Invalid, Unavailable."""
    if any(word in ("-h", "--help") for word in words):
        print(HELP, end="")
        return 0
    parser = Parser(prog="lintel dispatcher")
    parser.add_argument("--folder", type=Path, default=Path("dispatcher"))
    parser.add_argument("--listen", default=LISTEN)
    parser.add_argument("--http", default=HTTP)
    parser.add_argument("--name")
    parser.add_argument("--certificate", type=Path)
    found = parser.parse_all(words)
    listen, http = address(found.listen, "--listen"), address(found.http, "--http")
    name = found.name or listen[0]
    if found.name is None and listen[0] in ("0.0.0.0", "::"):
        raise Invalid("lintel dispatcher", "--name is missing: devices need a name or address to call")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(_serve(found.folder, listen, http, name, found.certificate))
    return 0


async def _serve(
    folder: Path, listen: tuple[str, int], http: tuple[str, int], name: str, certificate: Path | None
) -> None:
    from firmware.dispatcher.desk import Desk
    from firmware.dispatcher.devices import Devices
    from firmware.dispatcher.folder import identity
    from firmware.interfaces.http.server import Server

    clock = SystemClock()
    found = identity(folder, name, clock.utc(), certificate)
    devices = Devices(clock, found.owner_key, found.context())
    server = Server(Desk(devices, lambda: (http[0],)), *http, clock)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    port = await devices.open(*listen)
    try:
        host, own = await server.open()
        place = f"[{name}]" if ":" in name else name
        wishes = {"url": f"wss://{place}:{port}/", "owner_key": found.owner_key, "ca": found.authority}
        print("Tell a device:  PATCH /api/v1/params/cloud")
        print(json.dumps(wishes), flush=True)
        print('(add "local": true when it is on a private network), then hold its control button, or set')
        print('PATCH /api/v1/params/network {"cloud": "always"}.')
        print(f"Its devices: http://{host}:{own}/devices  Ctrl-C stops it.", flush=True)
        serving = asyncio.ensure_future(server.serve())
        await told.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    finally:
        await devices.close()
        await server.close()
