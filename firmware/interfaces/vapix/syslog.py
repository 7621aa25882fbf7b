"""Remote system logs for programs: remotesyslog.cgi over the parameter group `syslog`.

Here a server that is set up is used: there is no switch besides. So `enable` asks only whether there is one, and
`disable` is refused with what to do instead, rather than forgetting what somebody has set up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.interfaces.vapix.envelope import NEWER, Call, JsonApi, Method, Refusal

GROUP = "syslog"
NONE, IDENTICAL, TOO_MANY = 2200, 2201, 2203
MOST = 4
FORMATS = {"RFC3164": "rfc3164", "RFC5424": "rfc5424"}
PROTOCOLS = {"UDP": "udp", "TCP": "tcp", "TLS": "tls"}
# Some programs write this one out.
LONG = {"informational": "info"}


class SyslogApi:
    """The address."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def apis(self) -> tuple[JsonApi, ...]:
        """What apidiscovery lists."""
        admin = Level.ADMIN
        return (
            JsonApi(
                id="remote-syslog",
                name="Remote Syslog",
                path="/axis-cgi/remotesyslog.cgi",
                codes=NEWER,
                methods={
                    "status": Method(run=self._status, level=admin),
                    "setup": Method(run=self._setup, level=admin),
                    "enable": Method(run=self._enable, level=admin),
                    "disable": Method(run=self._disable, level=admin),
                    "test": Method(run=self._test, level=admin),
                },
            ),
        )

    async def _servers(self, call: Call) -> list[Mapping[str, Any]]:
        values = await self._core.link.read(GROUP, call.caller)
        return list(values["servers"])

    async def _status(self, call: Call) -> Mapping[str, Any]:
        servers = await self._servers(call)
        return {"enabled": bool(servers), "servers": [shown(each) for each in servers]}

    async def _setup(self, call: Call) -> Mapping[str, Any]:
        """These servers and no others; all or none."""
        items = call.items("servers")
        if len(items) > MOST:
            raise Refusal(TOO_MANY, f"servers: {len(items)} are more than {MOST}")
        wished = [wish_of(call, item) for item in items]
        places = [(each["host"], each.get("port"), each.get("protocol")) for each in wished]
        if len(set(places)) < len(places):
            raise Refusal(IDENTICAL, "servers: two of them are the same")
        await self._core.link.change(GROUP, {"servers": wished}, call.caller)
        return {}

    async def _enable(self, call: Call) -> Mapping[str, Any]:
        if not await self._servers(call):
            raise Refusal(NONE, "no server is set up")
        return {}

    async def _disable(self, call: Call) -> Mapping[str, Any]:
        if not await self._servers(call):
            return {}
        raise Refusal(call.codes.invalid, "a server that is set up is used; set up none (servers: []) to send nothing")

    async def _test(self, call: Call) -> Mapping[str, Any]:
        """A test message to every server. Raises Refusal with those it does not reach."""
        if not await self._servers(call):
            raise Refusal(NONE, "no server is set up")
        answer = await self._core.link.command("logs.test", {}, call.caller)
        return {"results": answer["results"]}


def shown(server: Mapping[str, Any]) -> dict[str, Any]:
    """A server as these programs know it; a port that is not set is the usual one of its protocol."""
    data = {
        "address": server["host"],
        "protocol": str(server["protocol"]).upper(),
        "syslogFormat": str(server["format"]).upper(),
        "severity": server["severity"],
    }
    return data if server.get("port") is None else {**data, "port": server["port"]}


def wish_of(call: Call, item: object) -> dict[str, Any]:
    """A server as the parameters have it. Raises Refusal for a word that is none."""
    if not isinstance(item, dict):
        raise call.invalid("servers", item)
    wish: dict[str, Any] = {"host": item.get("address")}
    if not wish["host"]:
        raise Refusal(call.codes.missing, "Missing parameter: address")
    if "port" in item:
        wish["port"] = item["port"]
    for name, words, ours in (("protocol", PROTOCOLS, "protocol"), ("syslogFormat", FORMATS, "format")):
        if name in item:
            word = words.get(str(item[name]).upper())
            if word is None:
                raise Refusal(call.codes.invalid, f"{name}: {item[name]!r:.40} is none of {', '.join(words)}")
            wish[ours] = word
    if "severity" in item:
        word = str(item["severity"]).lower()
        wish["severity"] = LONG.get(word, word)
    return wish
